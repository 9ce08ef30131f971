"""Models trained together end as they do alone: weights, epochs, scores, files."""

import dataclasses
import json
from functools import lru_cache

import jax
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.data import Catalog
from mer_jax.evaluation import scores
from mer_jax.experiment import caching
from mer_jax.experiment.caching import FeatureArray
from mer_jax.frontends import TimeDomain
from mer_jax.models import CNNBiLSTM, DenseConfig, EmotionModel, Normalizer
from mer_jax.models.dense import DenseNet
from mer_jax.training import (
    AugmentationConfig,
    Classification,
    OptimizerConfig,
    Regression,
    TrainingConfig,
    fit,
    member,
)
from mer_jax.training import step as training_step
from mer_jax.training.population import Recruit, fit_population

SR, SAMPLES, CLIPS, FRAMES = 2000, 1500, 70, 12
CLASSES = ("a", "b", "c")


class NoAudio:
    def __len__(self):
        return CLIPS

    def __getitem__(self, row):
        return np.zeros(SAMPLES, np.float32)


def make_catalog():
    rng = np.random.default_rng(1)
    return Catalog(
        name="numbers",
        classes=CLASSES,
        ids=tuple(map(str, range(CLIPS))),
        groups=tuple(map(str, range(CLIPS))),
        labels=(np.arange(CLIPS) % 3).astype(np.int32),
        valence_arousal=None,
        targets=rng.normal(size=(CLIPS, 2)).astype(np.float32),
        target_names=("x", "y"),
        sr=SR,
        durations_s=np.full(CLIPS, SAMPLES / SR),
        source=NoAudio(),
    )


def make_features(kind):
    rng = np.random.default_rng(2)
    shape = (CLIPS, 6) if kind == "dense" else (CLIPS, FRAMES, 3)
    values = rng.normal(size=shape) + 0.8 * (np.arange(CLIPS) % 3).reshape(-1, *[1] * (len(shape) - 1))
    return FeatureArray(values.astype(np.float32), np.full(CLIPS, SAMPLES, np.int32), 0.0)


def make_recruit(kind, array, k, *, catalog=None, task=None, dropout=0.3, **options):
    """Member k of the folds: each trains on another number of clips, from another seed."""
    catalog = catalog or make_catalog()
    rngs = nnx.Rngs(k)
    frontend = TimeDomain(sr=SR, frame_length=256, hop_length=128, rngs=rngs)
    if kind == "dense":
        config = DenseConfig(widths=(8, 6), dropout=dropout)
        network = DenseNet(num_features=6, num_classes=3, config=config, rngs=rngs)
        model = EmotionModel(frontend, Normalizer(6), network)
    else:
        network = CNNBiLSTM(
            num_features=3,
            num_classes=3,
            num_frames=FRAMES,
            conv_filters=4,
            lstm_units=4,
            dense_units=4,
            dropout=dropout,
            rngs=rngs,
        )
        model = EmotionModel(frontend, Normalizer(3), network)
    if isinstance(task, Regression):
        model.network.logits = nnx.Linear(model.network.logits.in_features, 2, rngs=rngs)
    model = caching.trained_part(model)
    rows = np.random.default_rng(k).permutation(CLIPS)
    train, validation = rows[: 40 + 6 * (k % 3)], rows[55:]
    caching.standardise(model, array, train)

    def loader(rows, train):
        return caching.CachedLoader(
            array, catalog, rows, batch_size=8, num_samples=SAMPLES, shuffle=train, seed=k, drop_remainder=train,
            num_epochs=None if train else 1,
        )  # fmt: skip

    def score(true, predicted):
        if isinstance(task, Regression):
            return {"loss": float(np.square(true - predicted).mean())}
        return scores.compute(true, predicted, CLASSES)

    defaults = {
        "training": TrainingConfig(epochs=20, batch_size=8, patience=2),
        "optimizer_config": OptimizerConfig(learning_rate=3e-2, schedule="constant"),
        "seed": k,
        "tag": k,
    }
    return Recruit(
        model, loader(train, True), loader(validation, False), score, task=task, **defaults | options
    )


def alone(recruit):
    """The same by :func:`fit`."""
    fields = {field.name: getattr(recruit, field.name) for field in dataclasses.fields(recruit)}
    del fields["tag"]
    model, train, validation = (fields.pop(name) for name in ("model", "train_loader", "validation_loader"))
    return fit(model, train, validation, progress=False, **fields)


def assert_same_weights(one, other, atol=1e-5):
    a, b = (training_step.split(model)[1:] for model in (one, other))
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, atol=atol, rtol=1e-5)


def assert_same(together, by_itself, recruit, solo_recruit):
    assert together.best_epoch == by_itself.best_epoch
    assert len(together.records) == len(by_itself.records)
    for found, expected in zip(together.records, by_itself.records, strict=True):
        assert found["epoch"] == expected["epoch"]
        assert found["learning_rate"] == pytest.approx(expected["learning_rate"], rel=1e-6)
        for part in ("train", "validation"):
            assert found[part] == pytest.approx(expected[part], rel=1e-5, abs=1e-6), (found["epoch"], part)
    assert_same_weights(recruit.model, solo_recruit.model)


@lru_cache
def ended_alone(kind):
    """Three folds of different sizes, each trained by itself: what was trained and what came of it."""
    recruits = [make_recruit(kind, make_features(kind), k) for k in range(3)]
    return [(recruit, alone(recruit)) for recruit in recruits]


@pytest.mark.parametrize("kind", ["dense", "recurrent"])
@pytest.mark.parametrize("block", [1, 3])
def test_every_member_ends_as_alone(kind, block):
    array = make_features(kind)
    recruits = (make_recruit(kind, array, k) for k in range(3))
    found = {recruit.tag: (recruit, result) for recruit, result in fit_population(recruits, block=block)}
    assert sorted(found) == [0, 1, 2]
    steps = []
    for k, (solo, expected) in enumerate(ended_alone(kind)):
        recruit, result = found[k]
        assert_same(result, expected, recruit, solo)
        steps.append(len(result.records) * recruit.train_loader.steps_per_epoch)
        rows = recruit.validation_loader.rows
        x, lengths = array.values[rows], array.lengths[rows]
        np.testing.assert_allclose(recruit.model(x, lengths), solo.model(x, lengths), atol=1e-5)
    assert max(steps) >= 50, "differences should have had time to grow"
    assert len({len(result.records) for _, result in found.values()}) > 1, "some should stop early"


HYPER = [
    {"optimizer_config": OptimizerConfig(learning_rate=3e-3, weight_decay=0.1)},
    {"optimizer_config": OptimizerConfig(learning_rate=2e-2, schedule="constant", warmup_fraction=0.0)},
    {"task": Classification(0.2)},
    {"dropout": 0.6},
    {"dropout": 0.1},
]


def test_members_may_differ_in_hyper_parameters():
    array = make_features("dense")
    made = [make_recruit("dense", array, k, **options) for k, options in enumerate(HYPER)]
    assert len({member.Member(recruit).program for recruit in made}) == 1
    for recruit, result in fit_population(made, block=len(made)):
        solo = make_recruit("dense", array, recruit.tag, **HYPER[recruit.tag])
        assert_same(result, alone(solo), recruit, solo)


@pytest.mark.parametrize("kind", ["dense", "recurrent"])
def test_no_dropout_draws_nothing(kind):
    array = make_features(kind)
    made = [make_recruit(kind, array, k, dropout=rate) for k, rate in enumerate((0.0, 0.3))]
    other = member.Member(make_recruit(kind, array, 2, dropout=0.5))
    assert other.program == member.Member(made[1]).program
    np.testing.assert_array_equal(other.numbers.dropout_keep, np.float32([0.5]))
    without, some = map(member.Member, made)
    assert without.numbers.dropout_keep.size == 0
    assert without.program != some.program


TASKS = [
    [Classification(0.0, (0.5, 1.0, 2.0)), Classification(0.1, (1.0, 1.0, 0.2))],
    [Regression((0.1, 0.0), (1.0, 2.0)), Regression((0.0, -0.1), (0.5, 1.5), "mse")],
]


@pytest.mark.parametrize("tasks", TASKS)
def test_class_weights_and_targets_standardised_by_fold(tasks):
    array = make_features("dense")
    made = [make_recruit("dense", array, k, task=task) for k, task in enumerate(tasks)]
    for recruit, result in fit_population(made, block=2):
        solo = make_recruit("dense", array, recruit.tag, task=tasks[recruit.tag])
        assert_same(result, alone(solo), recruit, solo)


def test_augmented_features():
    array = make_features("recurrent")
    options = {"augmentation": AugmentationConfig(time_mask=0.3, mixup=0.2)}
    made = [make_recruit("recurrent", array, k, **options) for k in (0, 3)]
    for recruit, result in fit_population(made, block=2):
        solo = make_recruit("recurrent", array, recruit.tag, **options)
        assert_same(result, alone(solo), recruit, solo)


@pytest.mark.parametrize("block", [1, 2])
def test_files_and_resuming(block, tmp_path, monkeypatch):
    """What one way of training left, the other goes on with."""
    monkeypatch.setattr(member, "_SAVE_EVERY_S", 0.0)
    array, whole = make_features("dense"), ended_alone("dense")

    def recruits(**options):
        return [make_recruit("dense", array, k, run_dir=tmp_path / str(k), **options) for k in range(2)]

    for k in range(2):
        (tmp_path / str(k)).mkdir()
    after_epoch = member.Member.after_epoch

    def after_two(self, *args):
        after_epoch(self, *args)
        if len(self.epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(member.Member, "after_epoch", after_two)
    with pytest.raises(KeyboardInterrupt):
        list(fit_population(recruits(), block=block))
    monkeypatch.setattr(member.Member, "after_epoch", after_epoch)
    for recruit, result in fit_population(recruits(resume=True), block=block):
        solo, expected = whole[recruit.tag]
        assert_same(result, expected, recruit, solo)
        lines = (recruit.run_dir / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [r["epoch"] for r in expected.records]

    # The plain way recognises a finished member, and gives its result again.
    [recruit, _] = recruits(resume=True)
    again = alone(recruit)
    assert again.best_epoch == whole[0][1].best_epoch
    assert_same_weights(recruit.model, whole[0][0].model)


def test_an_epoch_begun_alone_is_finished_together(tmp_path, monkeypatch):
    from mer_jax.training import loop

    array = make_features("dense")
    options = {
        "run_dir": tmp_path,
        "training": TrainingConfig(epochs=3, batch_size=8, checkpoint_every_steps=2),
    }
    save = loop.Fit._save

    def save_then_stop(self):
        save(self)
        if self.steps_done == 7:
            raise KeyboardInterrupt
        if self.steps_done == 6:
            self.training = dataclasses.replace(self.training, checkpoint_every_steps=7)

    monkeypatch.setattr(loop.Fit, "_save", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        alone(make_recruit("dense", array, 0, **options))
    monkeypatch.setattr(loop.Fit, "_save", save)
    [(recruit, result)] = fit_population([make_recruit("dense", array, 0, resume=True, **options)])
    solo = make_recruit("dense", array, 0, **options | {"run_dir": None})
    assert_same(result, alone(solo), recruit, solo)


def test_the_caller_may_stop_early():
    array = make_features("dense")
    made = []

    def recruits():
        for k in range(50):
            made.append(k)
            yield make_recruit("dense", array, k)

    running = fit_population(recruits(), block=1)
    next(running)
    running.close()
    assert len(made) < 50


def test_what_goes_wrong_is_said():
    array = make_features("dense")
    made = make_recruit("dense", array, 0)
    with pytest.raises(checks.ArgumentError, match="different features"):
        list(fit_population([made, make_recruit("dense", make_features("dense"), 1)]))
    nan = make_recruit("dense", array, 0, optimizer_config=OptimizerConfig(learning_rate=1e38))
    with pytest.raises(checks.TrainingError, match="training step"):
        list(fit_population([nan]))
    with pytest.raises(checks.ArgumentError, match="block"):
        list(fit_population([made], block=0))


@pytest.mark.parametrize(("n", "train"), [(24, True), (21, True), (21, False), (5, True), (5, False)])
def test_rows_of_an_epoch_are_those_of_its_batches(n, train):
    array, catalog = make_features("dense"), make_catalog()
    loader = caching.CachedLoader(
        array, catalog, np.arange(30, 30 + n), batch_size=8, num_samples=SAMPLES, shuffle=train, seed=3,
        drop_remainder=train and n >= 8, num_epochs=None if train else 1,
    )  # fmt: skip
    batches = iter(loader)
    for number in range(3 if train else 1):
        rows, real = loader.rows_of_epoch(number)
        for k in range(loader.steps_per_epoch):
            batch = next(batches)
            np.testing.assert_array_equal(rows[k], batch["index"])
            np.testing.assert_array_equal(real[k], batch["weight"] > 0)
        assert batches.get_state() == iter(loader).state_after((number + 1) * loader.steps_per_epoch)

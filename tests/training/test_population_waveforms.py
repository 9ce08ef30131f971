"""Front-ends that learn, trained together from the waveforms of a catalog: each ends as it does alone."""

import dataclasses
from functools import lru_cache

import jax
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, frontends, models
from mer_jax.data import Catalog, memory
from mer_jax.data.pipeline import Loader
from mer_jax.evaluation import scores
from mer_jax.models import EmotionModel, Normalizer, RecurrentConfig
from mer_jax.training import (
    AugmentationConfig,
    OptimizerConfig,
    TrainingConfig,
    device_memory,
    fit,
    population,
)
from mer_jax.training import step as training_step
from mer_jax.training.population import Recruit, block_size, fit_population

SR, SAMPLES, CLIPS = 4000, 1600, 46
CLASSES = ("a", "b", "c")
FRONTENDS = {
    # Triangles: free mel weights, and the ends of a window, have gradients of hardly more than rounding, which Adam makes
    # steps of.
    "log_mel": {
        "n_fft": 128,
        "hop_length": 128,
        "n_mels": 8,
        "trainable": "mel",
        "mel_parameters": "triangles",
    },
    "leaf": {"n_filters": 4, "hop_length": 200},
}


class Notes:
    """Clips of different lengths, most longer than what a model sees and some shorter, whose pitch tells their class."""

    def __len__(self):
        return CLIPS

    def __getitem__(self, row):
        rng = np.random.default_rng(row)
        t = np.arange(SAMPLES + 100 * (row % 7 - 2)) / SR
        tone = np.sin(2 * np.pi * (250 + 350 * (row % 3)) * t * (1 + 0.05 * rng.normal()))
        return (0.3 * tone + 0.05 * rng.normal(size=t.size)).astype(np.float32)


@lru_cache
def make_catalog():
    source = Notes()
    catalog = Catalog(
        name="notes",
        classes=CLASSES,
        ids=tuple(map(str, range(CLIPS))),
        groups=tuple(map(str, range(CLIPS))),
        labels=(np.arange(CLIPS) % 3).astype(np.int32),
        valence_arousal=None,
        sr=SR,
        durations_s=np.array([source[row].size / SR for row in range(CLIPS)]),
        source=source,
    )
    return memory.in_memory(catalog)


def score(true, predicted):
    return scores.compute(true, predicted, CLASSES)


def make_recruit(name, k, *, catalog=None, **options):
    """Fold and seed k; fold 1 has fewer clips than the others."""
    catalog = catalog or make_catalog()
    rngs = nnx.Rngs(k)
    frontend = frontends.build(name, sr=SR, options=FRONTENDS[name], rngs=rngs)
    network = models.build(
        RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=6, dropout=0.3),
        num_features=frontend.num_features,
        num_classes=len(CLASSES),
        num_frames=frontend.num_frames(SAMPLES),
        rngs=rngs,
    )
    model = EmotionModel(frontend, Normalizer(frontend.num_features), network)
    rows = np.random.default_rng(k).permutation(CLIPS)
    train, validation = rows[: 24 if k == 1 else 32], rows[34:]

    def loader(rows, *, train):
        return Loader(
            catalog, rows, batch_size=8, num_samples=SAMPLES, shuffle=train, seed=k, crop="random" if train else "center",
            drop_remainder=train, num_epochs=None if train else 1,
        )  # fmt: skip

    model.standardisation.take(models.fit_normalizer(model, loader(train, train=False)))
    defaults = {
        "training": TrainingConfig(epochs=2, batch_size=8),
        "optimizer_config": OptimizerConfig(learning_rate=5e-3, schedule="constant", frontend_rate=2.0),
        "seed": k,
        "tag": k,
    }
    return Recruit(
        model, loader(train, train=True), loader(validation, train=False), score, **defaults | options
    )


def alone(recruit):
    fields = {field.name: getattr(recruit, field.name) for field in dataclasses.fields(recruit)}
    del fields["tag"]
    model, train, validation = (fields.pop(name) for name in ("model", "train_loader", "validation_loader"))
    return fit(model, train, validation, progress=False, **fields)


def assert_same(result, expected, recruit, solo):
    assert result.best_epoch == expected.best_epoch
    for found, wanted in zip(result.records, expected.records, strict=True):
        for part in ("train", "validation"):
            assert found[part] == pytest.approx(wanted[part], rel=1e-5, abs=1e-6), (found["epoch"], part)
        assert found.get("watched", {}) == pytest.approx(wanted.get("watched", {}), rel=1e-5)
    a, b = (training_step.split(model)[1:] for model in (recruit.model, solo.model))
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def size_of_frontend(params):
    return {"norm": float(sum(np.square(x).sum() for x in jax.tree.leaves(params["frontend"])) ** 0.5)}


@lru_cache
def ended_alone(name, k):
    recruit = make_recruit(name, k, watch=size_of_frontend)
    return recruit, alone(recruit)


@pytest.mark.parametrize(("name", "block"), [("log_mel", 1), ("log_mel", 2), ("leaf", 2)])
def test_every_member_ends_as_alone(name, block):
    recruits = (make_recruit(name, k, watch=size_of_frontend) for k in range(2))
    found = {recruit.tag: (recruit, result) for recruit, result in fit_population(recruits, block=block)}
    assert sorted(found) == [0, 1]
    for k, (recruit, result) in found.items():
        solo, expected = ended_alone(name, k)
        assert_same(result, expected, recruit, solo)
        start = make_recruit(name, k).model
        pairs = zip(
            *(jax.tree.leaves(nnx.state(m.frontend, nnx.Param)) for m in (start, recruit.model)), strict=True
        )
        assert any(np.abs(np.asarray(a) - np.asarray(b)).max() > 1e-3 for a, b in pairs), (
            "the front-end has learnt"
        )
        assert [set(record["watched"]) for record in result.records] == [{"norm"}] * 2


def test_waveforms_are_altered_as_alone():
    options = {"augmentation": AugmentationConfig(gain_db=6.0, noise_db=10.0, mixup=0.2)}
    made = [make_recruit("log_mel", k, **options) for k in (0, 2)]
    for recruit, result in fit_population(made, block=2):
        solo = make_recruit("log_mel", recruit.tag, **options)
        assert_same(result, alone(solo), recruit, solo)


def test_a_batch_on_the_device_is_that_of_the_loader():
    """Crops at random places, clips shorter than a crop, and filler."""
    recruit = make_recruit("log_mel", 0)
    short = Loader(
        make_catalog(), np.arange(5), batch_size=8, num_samples=SAMPLES, shuffle=True, seed=3, drop_remainder=False, threads=0
    )  # fmt: skip
    batch = jax.jit(lambda clips, *places: clips.batch(*places, num_samples=SAMPLES))
    for loader in (recruit.train_loader, recruit.validation_loader, short):
        clips = population.clips_on(loader, jax.local_devices()[0])
        assert clips.values.dtype == np.int16
        batches = iter(loader)
        for epoch in range(1 if loader.num_epochs else 2):
            (rows, real), starts = loader.rows_of_epoch(epoch), loader.starts_of_epoch(epoch)
            for k in range(loader.steps_per_epoch):
                expected = next(batches)
                found = batch(clips, rows[k], starts[k], real[k].astype(np.float32))
                np.testing.assert_array_equal(starts[k], expected["start"])
                for name in found:
                    np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
            assert batches.get_state() == iter(loader).state_after((epoch + 1) * loader.steps_per_epoch)


def test_what_one_way_left_the_other_goes_on_with(tmp_path, monkeypatch):
    from mer_jax.training import member

    monkeypatch.setattr(member, "_SAVE_EVERY_S", 0.0)
    after_epoch = member.Member.after_epoch

    def after_one(self, *args):
        after_epoch(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(member.Member, "after_epoch", after_one)
    with pytest.raises(KeyboardInterrupt):
        list(fit_population([make_recruit("log_mel", 0, run_dir=tmp_path)]))
    monkeypatch.setattr(member.Member, "after_epoch", after_epoch)
    recruit = make_recruit("log_mel", 0, run_dir=tmp_path, resume=True)
    result = alone(recruit)
    solo = make_recruit("log_mel", 0)
    assert_same(result, alone(solo), recruit, solo)


def test_catalogs_must_be_one():
    other = memory.in_memory(dataclasses.replace(make_catalog(), source=Notes()))
    with pytest.raises(checks.ArgumentError, match="different features or catalogs"):
        list(fit_population([make_recruit("log_mel", 0), make_recruit("log_mel", 1, catalog=other)], block=2))


def test_a_block_is_as_large_as_memory_allows(monkeypatch):
    assert block_size("cpu", member_bytes=1, budget_bytes=1 << 40) == 1
    assert block_size("gpu") == block_size("gpu", member_bytes=1, budget_bytes=None) == 100
    assert block_size("gpu", member_bytes=10, budget_bytes=55) == 5
    assert block_size("gpu", member_bytes=10, budget_bytes=5) == 1
    assert block_size("tpu", member_bytes=10, budget_bytes=1 << 40) == 100

    # As on an accelerator with room for two of the three.
    asked, trained = [], []
    train = population._train

    def room_for_two(platform, **known):
        asked.append(known)
        return 2 if known else 3

    def train_some(some, *rest):
        trained.append(len(some))
        train(some, *rest)

    monkeypatch.setattr(population, "block_size", room_for_two)
    monkeypatch.setattr(population, "_train", train_some)
    monkeypatch.setattr(device_memory, "budget_for_block", lambda device: 1 << 30)
    recruits = [make_recruit("log_mel", k, training=TrainingConfig(epochs=1, batch_size=8)) for k in range(3)]
    assert {recruit.tag for recruit, _ in fit_population(recruits)} == {0, 1, 2}
    assert trained == [2, 1]
    assert asked[0] == {}
    assert asked[1]["budget_bytes"] == 1 << 30
    assert asked[1]["member_bytes"] > 8 * SAMPLES * 4, "a batch of waveforms at least"

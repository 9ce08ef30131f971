"""A configuration trained on all data sets but one and tested on that one."""

import dataclasses
import json

import numpy as np
import pytest
from rated_songs import rated_songs

from mer_jax import checks, cli, experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data.catalog import Catalog
from mer_jax.data.prepare import prepare
from mer_jax.evaluation import target_scores
from mer_jax.experiment import running, transfer
from mer_jax.experiment.folder import write_config
from mer_jax.models import DenseConfig, RecurrentConfig
from mer_jax.training import OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("module_without_pictures")

SR = 8000


class Noise:
    """Clips of noise, each with a level of its own."""

    def __init__(self, levels: np.ndarray) -> None:
        self.levels = levels

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, row: int) -> np.ndarray:
        noise = np.random.default_rng(row).uniform(-1, 1, SR // 4)
        return (self.levels[row] * noise).astype(np.float32)


def level_set(seed: int, *, scale=None, classes=("loud", "soft"), count: int = 48) -> Catalog:
    """Loud and soft clips; arousal is their level and valence its negative, both with some noise."""
    rng = np.random.default_rng(seed)
    loud = np.arange(count) // 2 % 2 == 0
    arousal = np.where(loud, 0.5, -0.5) + rng.uniform(-0.3, 0.3, count)
    ratings = np.stack([-0.8 * arousal, arousal], axis=1) + rng.normal(0, 0.05, (count, 2))
    named = {name: label for label, name in enumerate(classes)}
    return Catalog(
        name=f"set {seed}",
        classes=classes,
        ids=tuple(f"clip {i}" for i in range(count)),
        groups=tuple(f"song {i // 2}" for i in range(count)),
        labels=np.array(
            [named[("soft", "loud")[int(one)]] if "loud" in named else int(one) for one in loud], np.int32
        ),
        valence_arousal=ratings.clip(-1, 1).astype(np.float32),
        sr=SR,
        durations_s=np.full(count, 0.25),
        source=Noise(0.1 * 5.0**arousal),
        facts={"synthetic": "yes"},
        rating_range=scale,
    )


@pytest.fixture(autouse=True)
def _without_example_pictures(monkeypatch):
    """Pictures of features take longer than all the training here."""
    monkeypatch.setattr(running.feature_examples, "write", lambda *_, **__: None)


@pytest.fixture
def _short_reports(monkeypatch):
    """Nor are the pages of many rounds looked at."""
    monkeypatch.setattr(running.report, "write", lambda out: (out / "report.html").write_text("short"))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    made = {
        "a": level_set(1, scale=(1.0, 9.0)),
        "b": level_set(2, classes=("soft", "loud")),
        "c": level_set(3, scale=(0.0, 1.0)),
        "other": level_set(4, classes=("Calm", "Angry")),
    }
    return {name: str(prepare(one, folder / name, sr=SR).path) for name, one in made.items()}


def run_of(out, **changes):
    settings = ExperimentConfig(
        out=out,
        sr=SR,
        clip_s=0.25,
        folds=4,
        network="dense",
        frontend=FrontendConfig("rms", {"frame_length": 512, "hop_length": 256}, ("mean", "std")),
        dense=DenseConfig(widths=(8,), dropout=0.0, norm="none"),
        optimizer=OptimizerConfig(learning_rate=3e-2),
        training=TrainingConfig(epochs=12, batch_size=16),
    )
    write_config(out, dataclasses.replace(settings, **changes))
    return out


def named(sets, *names):
    return [f"{name}={sets[name]}" for name in names]


@pytest.mark.slow
@pytest.mark.usefixtures("_short_reports")
def test_each_set_is_left_out_once(sets, tmp_path, capsys, monkeypatch):
    run = run_of(tmp_path / "run")
    command = ["evaluate", str(run), "--leave-one-out", *named(sets, "a", "b", "c"), "--within"]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    out = run / "leave_one_out" / "a+b+c"
    found = json.loads((out / "leave_one_out.json").read_text())
    assert found["classes"] == ["loud", "soft"]
    assert [one["left_out"] for one in found["rounds"]] == ["a", "b", "c"]
    assert found["rounds"][1]["trained_on"] == ["a", "c"]
    for one in found["rounds"]:
        assert (one["without"]["num_clips"], one["without"]["num_groups"]) == (48, 24)
        assert one["without"]["scores"]["accuracy"] > 0.9
        assert one["within"]["num_clips"] == 12
        low, high = one["without"]["intervals"]["macro_f1"]
        assert low <= one["without"]["scores"]["macro_f1"] <= high
        assert one["without"]["native"] is None
    assert found["mean"]["accuracy"] == np.mean(
        [one["without"]["scores"]["accuracy"] for one in found["rounds"]]
    )
    assert "a + c" in printed
    assert printed.count("itself") == 3
    with np.load(out / "without_b" / "predictions.npz") as file:
        assert set(file["ids"]) == {f"b/clip {i}" for i in range(48)}
        truth = {id_: file["classes"][label] for id_, label in zip(file["ids"], file["labels"], strict=True)}
    assert truth["b/clip 0"] == "loud"  # a set may list its classes in another order
    facts = json.loads((out / "without_b" / "facts.json").read_text())
    assert facts["split"] == "without_b"
    assert facts["data"]["synthetic"] == "yes"
    assert {part: sum(counts.values()) for part, counts in facts["data"]["counts"].items()}["test"] == 48

    # What is finished is kept; what is not is done.
    done = []
    train = running.run
    monkeypatch.setattr(running, "run", lambda one, **more: done.append(one.out.name) or train(one, **more))
    (out / "without_c" / "report.html").unlink()
    (out / "leave_one_out.json").unlink()
    assert cli.main(command) == 0
    assert done == ["without_c"]
    assert json.loads((out / "leave_one_out.json").read_text()) == found


@pytest.mark.slow
def test_ratings_are_scored_on_the_common_scale_and_on_that_of_the_set(sets, tmp_path, capsys):
    run = run_of(tmp_path / "run", task="valence_arousal")
    out = experiment.leave_one_out(run, named(sets, "a", "other"), progress=False)
    found = json.loads((out / "leave_one_out.json").read_text())
    assert found["classes"] == []  # numbers need no classes in common
    for one, scale in zip(found["rounds"], ((1.0, 9.0), None), strict=True):
        scores = one["without"]["scores"]
        assert scores["ccc"] > 0.6
        with np.load(out / f"without_{one['left_out']}" / "predictions.npz") as file:
            true, predicted = file["targets"], file["predictions"]
        assert np.abs(true).max() <= 1
        assert target_scores.regression(true, predicted, ("v", "a"))["rmse"] == pytest.approx(scores["rmse"])
        if scale is None:
            assert one["without"]["native"] is None
            continue
        native = target_scores.regression(5 + 4 * true, 5 + 4 * predicted, ("v", "a"))
        assert one["without"]["native"]["rating_range"] == [1, 9]
        assert one["without"]["native"]["scores"]["rmse"] == pytest.approx(native["rmse"])
        assert native["ccc"] == pytest.approx(scores["ccc"])
        low, high = one["without"]["native"]["intervals"]["rmse"]
        assert low < native["rmse"] < high
    assert "split without_a, seed 0" in (out / "without_a" / "report.html").read_text()
    text = transfer.describe(out)
    assert "of 1..9" in text
    assert "of -1..1" in text


@pytest.mark.slow
def test_ratings_over_time_need_no_classes_either(tmp_path):
    where = {}
    for name, scale in (("one", (0.0, 1.0)), ("two", None)):
        where[name] = str(prepare(rated_songs(18, 6, rating_range=scale), tmp_path / name, sr=SR).path)
    run = run_of(
        tmp_path / "run",
        task="dynamic",
        network="recurrent",
        clip_s=2.0,
        recurrent=RecurrentConfig("dense", dense_units=8, dropout=0.0),
        training=TrainingConfig(epochs=4, batch_size=4),
    )
    out = experiment.leave_one_out(run, named(where, "one", "two"), progress=False)
    found = json.loads((out / "leave_one_out.json").read_text())
    one = found["rounds"][0]["without"]
    assert one["num_clips"] == 18
    assert one["scores"]["song_pearson_r"] > 0.5
    assert one["native"]["rating_range"] == [0, 1]
    assert one["native"]["scores"]["song_rmse"] == pytest.approx(one["scores"]["song_rmse"] / 2)
    assert found["rounds"][1]["without"]["native"] is None
    assert "song CCC" in transfer.describe(out)


@pytest.mark.slow
@pytest.mark.usefixtures("_short_reports")
def test_classes_that_differ_are_named_or_made_quadrants(sets, tmp_path, capsys):
    run = run_of(tmp_path / "run", training=TrainingConfig(epochs=2, batch_size=16))
    specs = named(sets, "a", "other")
    assert cli.main(["evaluate", str(run), "--leave-one-out", *specs]) == 2
    assert "a has loud, soft; other has Calm, Angry" in capsys.readouterr().err
    assert not (run / "leave_one_out").exists()
    assert cli.main(["evaluate", str(run), "--leave-one-out", *specs, "--quadrants"]) == 0
    out = run / "leave_one_out" / "a+other+quadrants"
    assert json.loads((out / "leave_one_out.json").read_text())["classes"] == ["Q1", "Q2", "Q3", "Q4"]


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["a"], "names 1 data set"),
        (["x=a", "x=b"], "is called 'x', as"),
        (["x=a", "y=a"], "is named twice"),
        (["a", "nowhere"], "there is no such data set"),
    ],
)
def test_sets_that_cannot_be_left_out(sets, tmp_path, specs, words):
    places = []
    for spec in specs:
        name, _, place = spec.rpartition("=")
        place = sets.get(place, place)
        places.append(f"{name}={place}" if name else place)
    with pytest.raises(checks.InputError, match=words):
        experiment.leave_one_out(run_of(tmp_path / "run"), places, progress=False)
    assert not (tmp_path / "run" / "leave_one_out").exists()


def test_names_are_those_of_the_data_sets_unless_given(sets, tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(transfer, "_finish", lambda settings, kept: tried.append(settings.split))
    monkeypatch.setattr(transfer.transfer_scores, "summarise", lambda *_, **__: {})
    run = run_of(tmp_path / "run")
    experiment.leave_one_out(run, [sets["a"], f"second={sets['c']}"], progress=False)
    assert tried == ["without_set_1", "without_second"]
    # The same names for data in other places are not mixed with what is there.
    with pytest.raises(checks.ConfigError, match="of the same names in other places"):
        experiment.leave_one_out(run, [sets["a"], f"second={sets['b']}"], progress=False)


def test_runs_and_flags_that_do_not_go_with_it(sets, tmp_path, capsys):
    specs = named(sets, "a", "b")
    with pytest.raises(checks.ConfigError, match="task: is 'tags'; expected one of classes"):
        experiment.leave_one_out(run_of(tmp_path / "run", task="tags"), specs)
    with pytest.raises(checks.CheckpointError, match=r"has no config\.json"):
        experiment.leave_one_out(tmp_path, specs)
    assert cli.main(["evaluate", str(tmp_path), "--leave-one-out", *specs, "--folds", "3"]) == 2
    assert "goes with none of data, part, hop_s, precision, folds and seeds" in capsys.readouterr().err
    assert cli.main(["evaluate", str(tmp_path / "run"), "--within"]) == 2

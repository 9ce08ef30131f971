"""A sweep end to end on a little synthetic music: the winner is as if trained alone, an interrupted sweep goes on."""

import json
import shlex

import numpy as np
import pytest

from mer_jax import checks, cli, experiment, sweep
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import synthetic
from mer_jax.experiment import folder, running
from mer_jax.models import DenseConfig, RecurrentConfig
from mer_jax.models.vgg19 import VGG19Config
from mer_jax.sweep import engine, report, state
from mer_jax.sweep.config import Values
from mer_jax.sweep.flags import flags_of
from mer_jax.training import OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("sweep") / "music", 150, duration_s=1.0, sr=8000)


def settings(music, out, **changes) -> sweep.SweepConfig:
    values = {
        "data": str(music / "manifest.csv"),
        "out": out,
        "sr": 8000,
        "clip_s": 1.0,
        "folds": 10,
        "network": "dense",
        "frontend": FrontendConfig(
            "log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}, ("mean", "std")
        ),
        "dense": DenseConfig(widths=(8,), norm="none"),
        "training": TrainingConfig(epochs=7, batch_size=16),
        "optimizer": OptimizerConfig(learning_rate=1e-3),
        "candidates": 6,
        "min_epochs": 2,
        "learning_rates": (1e-3, 1e-1),
    }
    return sweep.SweepConfig(**(values | changes))


@pytest.fixture(scope="module")
def whole(music, tmp_path_factory):
    return sweep.run(settings(music, tmp_path_factory.mktemp("sweeps") / "whole"), progress=False)


def same_run(one, other):
    """Two run folders of the same training."""
    a, b = (np.load(out / "predictions.npz") for out in (one, other))
    assert a["ids"].tolist() == b["ids"].tolist()
    np.testing.assert_allclose(a["probabilities"], b["probabilities"], atol=1e-5)
    lines = [(out / "metrics.jsonl").read_text().splitlines() for out in (one, other)]
    assert len(lines[0]) == len(lines[1])
    for found, expected in zip(*(map(json.loads, some) for some in lines), strict=True):
        for part in ("train", "validation"):
            assert found[part] == pytest.approx(expected[part], rel=1e-5, abs=1e-5)
    scores = [json.loads((out / "scores.json").read_text())["test"] for out in (one, other)]
    for name in ("accuracy", "brier", "loss"):
        assert scores[0][name] == pytest.approx(scores[1][name], abs=1e-5)


def test_candidates_fall_away_rung_by_rung(whole):
    found = json.loads((whole / "sweep.json").read_text())
    assert len(found["rungs"][0]["candidates"]) == 6
    assert [rung["epochs"] for rung in found["rungs"]] == [2, 4, 7]
    candidates = found["candidates"]
    assert (candidates[0]["learning_rate"], candidates[0]["weight_decay"]) == (1e-3, 1e-4)
    for number, rung in enumerate(found["rungs"]):
        scores = {k: candidates[k]["rungs"][number]["score"] for k in rung["candidates"]}
        keep = [3, 1, 1][number]
        best = sorted(scores, key=scores.get)[:keep]
        assert rung["survivors"] == sorted({0, *best})
        for k, score in scores.items():
            assert score == min(candidates[k]["course"][: rung["epochs"]])
        if number:
            assert rung["candidates"] == found["rungs"][number - 1]["survivors"]
    trained = {rung["epochs"] for rung in found["rungs"]}
    assert all(trial["epochs"] in trained for trial in candidates)
    last = found["rungs"][-1]
    winner = found["winner"]["number"]
    assert candidates[winner]["score"] == min(candidates[k]["score"] for k in last["candidates"])
    assert candidates[winner]["score"] == pytest.approx(found["winner"]["validation"]["loss"], abs=1e-5)
    assert found["data"]["synthetic"] == "yes"
    assert found["versions"]["jax"]
    assert not (whole / state.FILE_NAME).exists()


def test_the_winner_is_as_if_trained_alone(whole, tmp_path):
    """By the command that the report gives, word for word."""
    words = shlex.split(report.command(whole))
    assert words[:2] == ["mer-jax", "train"]
    words[words.index("--out") + 1] = str(tmp_path / "alone")
    assert cli.main(words[1:]) == 0
    same_run(whole / "winner", tmp_path / "alone")
    assert experiment.evaluate(whole / "winner")["accuracy"] == pytest.approx(
        json.loads((whole / "sweep.json").read_text())["winner"]["test"]["accuracy"]
    )


def test_the_report_shows_what_was_searched(whole, music, capsys, monkeypatch):
    page = (whole / "report.html").read_text()
    for words in ("Winner", "synthetic data", "mer-jax train", "Weight decay", "(given)"):
        assert words in page
    assert {path.name for path in (whole / "figures").iterdir()} == {
        "courses.png",
        "learning_rate_weight_decay.png",
        "learning_rate_dropout.png",
    }
    # A finished sweep is shown again, not run again.
    monkeypatch.setattr(engine.Search, "open", lambda *_: pytest.fail("ran again"))
    sweep.run(settings(music, whole))
    shown = capsys.readouterr().out
    assert "mer-jax train --data" in shown
    assert "test part, scored once: accuracy" in shown


def test_an_interrupted_sweep_goes_on_after_its_last_rung(whole, music, tmp_path, monkeypatch, capsys):
    run_rung, ran = engine._run_rung, []

    def two_rungs(search, rung, *args, **options):
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(rung.epochs)
        return run_rung(search, rung, *args, **options)

    out = tmp_path / "out"
    monkeypatch.setattr(engine, "_run_rung", two_rungs)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(settings(music, out))
    assert not (out / "sweep.json").exists()
    assert not (out / "winner").exists()
    monkeypatch.setattr(engine, "_run_rung", run_rung)
    # Interrupted once more, when the winner's folder was begun.
    finish = running.finish
    monkeypatch.setattr(running, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sweep.run(settings(music, out))
    monkeypatch.setattr(running, "finish", finish)
    capsys.readouterr()
    sweep.run(settings(music, out))
    assert "3 of 3 rungs were done before" in capsys.readouterr().out
    one, other = (json.loads((path / "sweep.json").read_text()) for path in (whole, out))
    for name in ("number", "folder"):
        assert one["winner"][name] == other["winner"][name]
    for a, b in zip(one["candidates"], other["candidates"], strict=True):
        assert a["course"] == pytest.approx(b["course"], rel=1e-5)
    same_run(whole / "winner", out / "winner")
    assert not list(out.rglob(".*"))


def test_a_damaged_state_and_other_settings_are_refused(whole, music, tmp_path, monkeypatch):
    with pytest.raises(checks.ConfigError, match="other settings"):
        sweep.run(settings(music, whole, candidates=7), progress=False)
    usual = sweep.SweepConfig(out=tmp_path / "run")
    folder.write_config(tmp_path / "run", ExperimentConfig(out=tmp_path / "run"))
    with pytest.raises(checks.ConfigError, match="not a sweep"):
        sweep.run(usual, progress=False)
    out = tmp_path / "out"
    monkeypatch.setattr(engine, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sweep.run(settings(music, out, candidates=2), progress=False)
    path = out / state.FILE_NAME
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(checks.CheckpointError, match="start the sweep anew"):
        sweep.run(settings(music, out, candidates=2), progress=False)


def test_candidates_that_fail_do_not_stop_the_rest(music, tmp_path, capsys):
    out = sweep.run(
        settings(music, tmp_path / "out", candidates=4, learning_rates=(1e37, 1e38), min_epochs=3)
    )
    found = json.loads((out / "sweep.json").read_text())
    assert found["winner"]["number"] == 0
    assert [bool(trial["failed"]) for trial in found["candidates"]] == [False, True, True, True]
    assert "failed" in capsys.readouterr().out
    everything = settings(
        music, tmp_path / "all", learning_rates=(1e38, 1e38), optimizer=OptimizerConfig(learning_rate=1e38)
    )
    with pytest.raises(checks.TrainingError, match="no candidate"):
        sweep.run(everything, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["recurrent", "vgg19"])
def test_other_networks(music, tmp_path, network):
    options = {"n_mels": 16, "n_fft": 512, "hop_length": 256}
    changes = {
        "frontend": FrontendConfig("log_mel", options),
        "recurrent": RecurrentConfig(conv_filters=4, lstm_units=4, dense_units=8),
        "vgg19": VGG19Config(image_size=32, widths=(8,)),
        "base_init": "he",
        "network": network,
        "candidates": 4,
        "training": TrainingConfig(epochs=4, batch_size=16, monitor="accuracy"),
    }
    out = sweep.run(settings(music, tmp_path / "out", **changes), progress=False)
    found = json.loads((out / "sweep.json").read_text())
    scores = [trial["score"] for trial in found["candidates"]]
    assert found["candidates"][found["winner"]["number"]]["score"] == max(scores)
    alone = experiment.run(
        settings(music, out, **changes).of_candidate(
            Values(*(found["candidates"][found["winner"]["number"]][name] for name in report._NAMES)),
            tmp_path / "alone",
        ),
        progress=False,
    )
    same_run(out / "winner", alone)


def test_numbers_are_swept_too(music, tmp_path):
    changes = {
        "task": "valence_arousal",
        "candidates": 3,
        "training": TrainingConfig(epochs=3, batch_size=16, monitor="rmse"),
    }
    out = sweep.run(settings(music, tmp_path / "out", **changes))
    found = json.loads((out / "sweep.json").read_text())
    assert found["winner"]["validation"]["rmse"] == pytest.approx(
        found["candidates"][found["winner"]["number"]]["score"], abs=1e-5
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clip_s": 0.5}, "cut at random places"),
        ({"cache": "off"}, "cache is off"),
        ({"training": TrainingConfig(epochs=7, checkpoint_every_steps=3)}, "checkpoint_every_steps"),
    ],
)
def test_what_cannot_be_swept_is_refused(music, tmp_path, changes, words):
    with pytest.raises(checks.ConfigError, match=words):
        sweep.run(settings(music, tmp_path / "out", **changes), progress=False)
    assert not (tmp_path / "out").exists()


def test_draws_are_seeded_and_in_their_ranges(tmp_path):
    many = sweep.SweepConfig(candidates=200, network="dense", dropouts=(0.1, 0.5))
    drawn = many.drawn
    assert drawn == sweep.SweepConfig(candidates=200, network="dense", dropouts=(0.1, 0.5)).drawn
    assert drawn[:20] == sweep.SweepConfig(candidates=20, network="dense", dropouts=(0.1, 0.5)).drawn
    assert drawn[1:] != sweep.SweepConfig(candidates=200, dropouts=(0.1, 0.5), seed=1).drawn[1:]
    assert drawn[0] == Values(1e-3, 1e-4, 0.3)
    rates = np.array([[one.learning_rate, one.weight_decay, one.dropout] for one in drawn[1:]])
    assert (rates >= [1e-4, 1e-4, 0.1]).all()
    assert (rates <= [1e-2, 1.0, 0.5]).all()
    # Log-uniform: as many below the middle decade's edge as above.
    assert abs((rates[:, 0] < 1e-3).mean() - 0.5) < 0.15
    assert abs((rates[:, 1] < 1e-2).mean() - 0.5) < 0.15
    fixed = sweep.SweepConfig(candidates=3, weight_decays=(0.0, 0.0), dropouts=(0.2, 0.2))
    assert {(one.weight_decay, one.dropout) for one in fixed.drawn[1:]} == {(0.0, 0.2)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidates": 1}, "candidates"),
        ({"eta": 1}, "eta"),
        ({"min_epochs": 100}, "min_epochs"),
        ({"learning_rates": (1e-2, 1e-3)}, "learning_rates"),
        ({"learning_rates": (0.0, 1e-3)}, "learning_rates"),
        ({"weight_decays": (0.0, 1e-3)}, "weight_decays"),
        ({"dropouts": (0.2, 1.0)}, "dropouts"),
    ],
)
def test_searches_that_cannot_be(changes, words):
    with pytest.raises(checks.ConfigError, match=words):
        sweep.SweepConfig(**changes)


def test_flags_give_the_settings_back(monkeypatch):
    wanted = ExperimentConfig(
        data="some music/manifest.csv",
        clip_s=2.5,
        network="dense",
        frontend=FrontendConfig("log_mel", {"n_mels": 64, "htk": True, "fmin": 20.5}, ("mean", "std")),
        dense=DenseConfig(widths=(32, 16), dropout=0.123),
        optimizer=OptimizerConfig(learning_rate=0.00123, weight_decay=2e-05),
        training=TrainingConfig(epochs=9, tensorboard=True, monitor="accuracy"),
    )
    seen = []
    monkeypatch.setattr(experiment, "run", lambda found, **_: seen.append(found))
    assert cli.main(["train", *flags_of(wanted)]) == 0
    assert seen == [wanted]

"""A run scored by windows, and its configuration cross-validated."""

import dataclasses
import json

import numpy as np
import pytest

from mer_jax import checks, cli, config, data, experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import synthetic
from mer_jax.evaluation import repeated
from mer_jax.experiment import running, targets, together, windows
from mer_jax.models import DenseConfig
from mer_jax.training import TrainingConfig, device_memory

pytestmark = pytest.mark.usefixtures("module_without_pictures")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("crossval") / "music", 195, duration_s=1.0, sr=8000)


@pytest.fixture(scope="module")
def run(music, tmp_path_factory):
    settings = ExperimentConfig(
        data=str(music / "manifest.csv"),
        out=tmp_path_factory.mktemp("runs") / "run",
        sr=8000,
        clip_s=0.5,
        folds=3,
        network="dense",
        frontend=FrontendConfig("log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}, ("mean", "std")),
        dense=DenseConfig(widths=(8,), dropout=0.0, norm="none"),
        training=TrainingConfig(epochs=3, batch_size=16),
    )
    return experiment.run(settings, progress=False)


def test_windows_cover_a_clip():
    assert windows.window_starts(10, 4, 3).tolist() == [0, 3, 6]
    assert windows.window_starts(11, 4, 3).tolist() == [0, 3, 6, 7]
    assert windows.window_starts(3, 4, 3).tolist() == [0]


def test_a_track_is_the_mean_of_its_windows(run, music):
    found = experiment.evaluate(run, hop_s=0.25)
    segments = found["segments"]
    assert segments["num_clips"] == 3 * found["num_clips"]
    # The same by prediction of single files.
    trained = experiment.restore(run)
    catalog = data.load(music / "manifest.csv", sr=8000)
    function = experiment.output_function(trained)
    y = catalog.source[5]
    outputs, starts, lengths = windows.outputs_of_windows(function, y, window=4000, hop=2000)
    assert starts.tolist() == [0, 2000, 4000]
    assert lengths.tolist() == [4000] * 3
    alone = np.asarray(function(y[None, 2000:6000], np.array([4000], np.int32)))[0]
    np.testing.assert_allclose(outputs[1], alone, atol=1e-5)
    rows = np.array([7, 5])
    of_windows, of_row = windows.outputs_of_tracks(function, catalog, rows, window=4000, hop=2000)
    np.testing.assert_allclose(
        windows.mean_of_tracks(of_windows, of_row, rows)[1], outputs.mean(axis=0), rtol=1e-6
    )


def test_every_fold_is_trained_and_all_are_scored_together(run, capsys, monkeypatch):
    assert cli.main(["evaluate", str(run), "--folds", "3", "--seeds", "1"]) == 0
    assert "mean over splits" in capsys.readouterr().out
    found = json.loads((run / "crossval" / "crossval.json").read_text())
    assert [split["fold"] for split in found["splits"]] == [0, 1, 2]
    assert found["num_clips"] == 195  # each clip was tested on once
    # Fold 0 of seed 0 is what the run itself was.
    own = json.loads((run / "scores.json").read_text())["test"]["brier"]
    assert found["splits"][0]["scores"]["brier"] == pytest.approx(own, rel=1e-4)
    # What is finished is not trained again.
    for name in ("run", "prepare"):
        monkeypatch.setattr(running, name, lambda *_, **__: pytest.fail("trained again"))
    experiment.cross_validate(run, folds=3, progress=False)
    assert cli.main(["compare", str(run), str(run)]) == 0
    assert "+0.000" in capsys.readouterr().out


def test_together_and_one_by_one_give_the_same_files(run, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    # Interrupted, then finished one by one: what was done together stays.
    prepare, prepared = running.prepare, []

    def prepare_two(settings, **options):
        if len(prepared) == 2:
            raise KeyboardInterrupt
        prepared.append(settings.fold)
        return prepare(settings, **options)

    together_dir, alone_dir = tmp_path / "together", tmp_path / "alone"
    for path in (together_dir, alone_dir):
        path.mkdir()
        (path / "config.json").write_text((run / "config.json").read_text())
    monkeypatch.setattr(running, "prepare", prepare_two)
    with pytest.raises(KeyboardInterrupt):
        experiment.cross_validate(together_dir, folds=3, progress=False)
    monkeypatch.setattr(running, "prepare", prepare)
    one = experiment.cross_validate(together_dir, folds=3, progress=False)
    other = experiment.cross_validate(alone_dir, folds=3, progress=False, population="off")
    for fold in range(3):
        names = [
            {p.relative_to(out).as_posix() for p in (out / "folds3" / f"fold{fold}_seed0").rglob("*")}
            for out in (one, other)
        ]
        assert {n for n in names[0] if n.count("/") < 2} == {n for n in names[1] if n.count("/") < 2}
        a, b = (np.load(out / "folds3" / f"fold{fold}_seed0" / "predictions.npz") for out in (one, other))
        assert a["ids"].tolist() == b["ids"].tolist()
        np.testing.assert_allclose(a["probabilities"], b["probabilities"], atol=1e-5)
        record, expected = (
            [
                json.loads(line)
                for line in (out / "folds3" / f"fold{fold}_seed0" / "metrics.jsonl").read_text().splitlines()
            ]
            for out in (one, other)
        )
        assert [r["validation"]["accuracy"] for r in record] == [
            r["validation"]["accuracy"] for r in expected
        ]
        assert experiment.evaluate(one / "folds3" / f"fold{fold}_seed0")["num_clips"] == len(a["ids"])
    a, b = (json.loads((out / "crossval.json").read_text())["scores"] for out in (one, other))
    assert a == pytest.approx(b, abs=1e-5)


def test_front_ends_that_learn_are_trained_together_from_one_catalog(run, music, tmp_path, monkeypatch):
    """From random crops of it, and with a dropout."""
    settings = dataclasses.replace(
        config.from_json((run / "config.json").read_text(), where=run),
        frontend=FrontendConfig("pcen", {"n_mels": 12, "n_fft": 512, "hop_length": 256}, ("mean", "std")),
        dense=DenseConfig(widths=(8,), dropout=0.2, norm="none"),
        training=TrainingConfig(epochs=2, batch_size=16),
    )

    def runs(out):
        return [dataclasses.replace(settings, seed=seed, out=out / str(seed)) for seed in range(2)]

    loaded, load = [], data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: loaded.append(a) or load(*a, **k))
    said = []
    assert len(list(together.run_all(runs(tmp_path / "together"), say=said.append))) == 2
    assert (len(loaded), said) == (1, [])
    monkeypatch.setattr(together, "fit_population", lambda *_: pytest.fail("trained together"))
    monkeypatch.setattr(device_memory, "budget_for_waveforms", lambda device: 1 << 20)
    assert len(list(together.run_all(runs(tmp_path / "alone"), say=said.append))) == 2
    assert "would take" in said[0]
    for one, other in zip(runs(tmp_path / "together"), runs(tmp_path / "alone"), strict=True):
        a, b = (np.load(each.out / "predictions.npz")["probabilities"] for each in (one, other))
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert (one.out / "report.html").is_file()


def test_when_runs_are_trained_together(music):
    settings = ExperimentConfig(network="dense")
    catalog = data.load(music / "manifest.csv", sr=8000)
    assert not together.why_one_by_one(settings, runs=2, cached=False, catalog=catalog)
    of_torch = dataclasses.replace(settings, backend="nnaudio")
    assert "nnaudio" in together.why_one_by_one(of_torch, runs=2, cached=False, catalog=catalog)
    unknown = dataclasses.replace(catalog, durations_s=None)
    assert "not known" in together.why_one_by_one(settings, runs=2, cached=False, catalog=unknown)
    assert not together.why_one_by_one(settings, runs=2, cached=True)
    assert "one run" in together.why_one_by_one(settings, runs=1, cached=True)
    assert "every epoch" in together.why_one_by_one(settings, runs=2, cached=False)
    assert "vgg19" in together.why_one_by_one(
        dataclasses.replace(settings, network="vgg19"), runs=2, cached=True
    )
    within = dataclasses.replace(settings, training=TrainingConfig(checkpoint_every_steps=5))
    assert "checkpoint_every_steps" in together.why_one_by_one(within, runs=2, cached=True)


def test_an_accelerator_takes_an_epoch_as_one_program(music, monkeypatch):
    settings = ExperimentConfig(network="dense")
    pictures = dataclasses.replace(settings, network="vgg19")
    catalog = data.load(music / "manifest.csv", sr=8000)
    assert "all cores" in together.why_one_by_one(pictures, runs=2, cached=True)
    monkeypatch.setattr(together, "platform", lambda: "gpu")
    assert not together.why_one_by_one(settings, runs=1, cached=True)
    assert not together.why_one_by_one(pictures, runs=1, cached=True)
    assert "drawn" in together.why_one_by_one(pictures, runs=1, cached=False, catalog=catalog)


def test_a_run_on_another_split_is_cross_validated_over_grouped_folds(run, tmp_path, monkeypatch):
    config = json.loads((run / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"split": "hash"}))
    tried = []
    monkeypatch.setattr(running, "run", lambda settings, **_: tried.append((settings.split, settings.fold)))
    monkeypatch.setattr(repeated, "summarise", lambda paths, folder: {})
    experiment.cross_validate(tmp_path, folds=2, progress=False, population="off")
    assert tried == [("grouped", 0), ("grouped", 1)]


def test_flags_that_do_not_go_together(run, capsys):
    assert cli.main(["evaluate", str(run), "--folds", "3", "--hop-s", "1"]) == 2
    assert "goes with neither" in capsys.readouterr().err


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(checks.CheckpointError, match=r"has no config\.json"):
        experiment.cross_validate(tmp_path)


def test_ratings_are_predicted_on_the_scale_of_the_listeners(music):
    catalog = dataclasses.replace(data.load(music / "manifest.csv", sr=8000), rating_range=(1.0, 9.0))
    found = targets.with_targets(catalog, "valence_arousal", "here").targets
    np.testing.assert_allclose(found, 5 + 4 * catalog.valence_arousal, rtol=1e-6)

"""The command line as a user meets it: the whole job on audio files, and one line for each kind of bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import mer_jax as mj
from mer_jax import checks, cli, experiment
from mer_jax.data import synthetic

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")

SMALL = """
    --clip-s 1 --sr 8000 --folds 5 --training.epochs 2 --training.batch-size 8 --recurrent.conv-filters 4
    --recurrent.lstm-units 4 --recurrent.dense-units 4
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("cli") / "music", 150, duration_s=1.5, sr=8000)


@pytest.fixture(scope="module")
def run(music, tmp_path_factory):
    """A small trained run."""
    out = tmp_path_factory.mktemp("runs") / "small"
    assert cli.main(["train", "--data", str(music / "manifest.csv"), "--out", str(out), *SMALL]) == 0
    return out


def test_a_run_folder_is_whole(run):
    assert {p.name for p in run.iterdir()} >= {
        "config.json",
        "facts.json",
        "metrics.jsonl",
        "scores.json",
        "predictions.npz",
        "examples.npz",
        "report.html",
        "checkpoints",
        "figures",
    }
    facts = json.loads((run / "facts.json").read_text())
    assert facts["data"]["synthetic"] == "yes"
    assert facts["versions"]["jax"]
    assert facts["hardware"]["cores"] >= 1
    counts = facts["data"]["counts"]
    assert sum(sum(part.values()) for part in counts.values()) == 150
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert "synthetic data" in (run / "report.html").read_text()
    assert not list(run.rglob("*tmp*"))


def test_the_split_cuts_no_song(run, music):
    stored = np.load(run / "predictions.npz", allow_pickle=False)
    catalog = mj.data.load(str(music / "manifest.csv"), sr=8000)
    test_groups = set(stored["groups"])
    inside = [i for i, group in zip(catalog.ids, catalog.groups, strict=True) if group in test_groups]
    assert sorted(inside) == sorted(stored["ids"])


def test_evaluate_gives_the_scores_of_the_run(run, capsys):
    assert cli.main(["evaluate", str(run)]) == 0
    stored = json.loads((run / "scores.json").read_text())["test"]
    assert experiment.evaluate(run)["accuracy"] == stored["accuracy"]
    assert f"{stored['accuracy']:.3f}" in capsys.readouterr().out


def test_evaluate_on_other_data(run, music, capsys):
    assert cli.main(["evaluate", str(run), "--data", str(music)]) == 0
    assert "150 clips" in capsys.readouterr().out


def test_train_goes_on_only_when_asked(run, music, capsys):
    arguments = ["train", "--data", str(music / "manifest.csv"), "--out", str(run), *SMALL]
    assert cli.main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0
    assert cli.main([*arguments, "--resume", "--seed", "3"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_predict_a_file_and_a_folder(run, music, tmp_path, capsys):
    path = next(music.rglob("*.wav"))
    assert cli.main(["predict", str(path), "--checkpoint", str(run), "--curve"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in synthetic.CLASSES)
    assert "valence" in shown
    table = tmp_path / "table.csv"
    (music / "Sad" / "broken.wav").write_bytes(b"nothing")
    try:
        assert cli.main(["predict", str(music / "Sad"), "--checkpoint", str(run), "--out", str(table)]) == 2
    finally:
        (music / "Sad" / "broken.wav").unlink()
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert "broken.wav" in error[0]
    assert len(table.read_text().splitlines()) == 1 + len(list((music / "Sad").rglob("*.wav")))


def test_prediction_is_a_distribution_over_time(run, music):
    path = next(music.rglob("*.wav"))
    found = mj.predict.predict(path, checkpoint=run)
    assert found.probabilities.shape == (5,)
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    # 1.5 s in windows of 1 s every half second: they start at 0 and 0.5 s.
    np.testing.assert_allclose(found.times_s, [0.5, 1.0])
    np.testing.assert_allclose(found.curve.mean(axis=0), found.probabilities, atol=1e-6)
    assert np.abs(found.valence_arousal).max() <= 1


def test_a_clip_shorter_than_the_window_is_predicted(run, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(3000) / 5), 8000)
    assert np.isfinite(mj.predict.predict(path, checkpoint=run).probabilities).all()


def test_an_exported_run_predicts_as_the_run(run, music, tmp_path, capsys):
    out = tmp_path / "small.mer"
    assert cli.main(["export", str(run), "--out", str(out), "--platforms", "cuda", "cpu"]) == 0
    assert "windows of 1 s at 8000 Hz; programs for cuda, cpu" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["small.mer"]
    path = next(music.rglob("*.wav"))
    exported = mj.export.load(out)
    ours, theirs = mj.predict.predict(path, checkpoint=run), exported.predict(path)
    assert (theirs.names, theirs.task) == (ours.names, ours.task)
    for name in ("outputs", "curve", "times_s", "valence_arousal"):
        np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), atol=1e-5)
    assert len(exported.predict(path, hop_s=0.1).times_s) > len(ours.times_s)
    shown = []
    for place in (run, out):
        assert cli.main(["predict", str(path), "--checkpoint", str(place), "--curve"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != ""


def test_prepare_and_train_on_the_result(music, tmp_path):
    prepared = tmp_path / "prepared"
    assert (
        cli.main(
            ["prepare", str(music / "manifest.csv"), "--data-dir", str(prepared), "--sample-rate", "8000"]
        )
        == 0
    )
    assert cli.main(["train", "--data", str(prepared), "--out", str(tmp_path / "run"), *SMALL]) == 0
    facts = json.loads((tmp_path / "run" / "facts.json").read_text())
    assert facts["data"]["synthetic"] == "yes"


BAD = {
    "no such data": (["train", "--data", "nowhere", "--out", "OUT"], ["nowhere", "no such data set"]),
    "config missing": (["train", "--config", "none.py"], ["none.py", "is not a file"]),
    "value out of range": (["train", "--data", "synthetic", "--clip-s", "-1", "--out", "OUT"], ["clip_s"]),
    "front-end unknown": (
        ["train", "--data", "synthetic", "--frontend.name", "log_mell", "--out", "OUT"],
        ["did you mean 'log_mel'"],
    ),
    "no ImageNet weights": (
        ["train", "--data", "DATA", "--network", "vgg19", "--frontend.name", "mel", "--out", "OUT"],
        ["checkpoints/vgg19_imagenet", "mer-jax weights", "--base-init he"],
    ),
    "study without ImageNet weights": (
        ["study", "--data", "DATA", "--out", "OUT"],
        ["checkpoints/vgg19_imagenet", "--base-init he"],
    ),
    "unknown cell": (
        ["study", "--data", "DATA", "--cells", "picture-mell", "--out", "OUT"],
        ["did you mean 'picture-mel'"],
    ),
    "no run": (["evaluate", "nowhere"], ["nowhere", "config.json"]),
    "no checkpoint": (["predict", "x.wav", "--checkpoint", "nowhere"], ["nowhere"]),
    "export of no run": (["export", "nowhere", "--out", "OUT"], ["nowhere", "config.json"]),
    "export over something": (["export", "RUN", "--out", "RUN"], ["small", "exists already", "--out"]),
    "prediction of no export": (
        ["predict", "x.wav", "--checkpoint", "DATA"],
        ["manifest.csv", "no exported run"],
    ),
    "unknown suffix": (["predict", "x.wav", "--checkpoint", "RUN", "--out", "t.xlsx"], [".csv or .json"]),
    "unknown feature": (["features", "x.wav", "--features", "mfc", "--out", "OUT"], ["did you mean 'mfcc'"]),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_is_one_line_and_status_2(case, run, music, tmp_path, monkeypatch, capsys):
    arguments, words = BAD[case]
    monkeypatch.chdir(tmp_path)
    places = {"OUT": str(tmp_path / "out"), "RUN": str(run), "DATA": str(music / "manifest.csv")}
    assert cli.main([places.get(a, a) for a in arguments]) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert all(word in lines[0] for word in words), lines[0]
    assert not (tmp_path / "out").exists()


def test_a_wrong_flag_names_the_nearest_and_ends_with_2():
    done = subprocess.run(
        [sys.executable, "-m", "mer_jax", "train", "--traning.epochs", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--training.epochs" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "ablate",
        "audit",
        "compare",
        "datasets",
        "demo",
        "evaluate",
        "export",
        "features",
        "predict",
        "prepare",
        "study",
        "sweep",
        "train",
        "weights",
    ],
)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"mer-jax {command}" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_python_configuration_is_overridden_by_flags(tmp_path, music):
    path = tmp_path / "mine.py"
    path.write_text(
        "from mer_jax.config import ExperimentConfig\nfrom mer_jax.training import TrainingConfig\n"
        "config = ExperimentConfig(clip_s=1.0, sr=8000, folds=5, training=TrainingConfig(epochs=1, batch_size=16))\n"
    )
    out = tmp_path / "run"
    command = ["train", "--config", str(path), "--data", str(music), "--out", str(out)]
    assert cli.main([*command, "--training.batch-size", "8"]) == 0
    stored = json.loads((out / "config.json").read_text())
    assert (stored["training"]["epochs"], stored["training"]["batch_size"], stored["sr"]) == (1, 8, 8000)


def test_emopia_manifest(emopia_dir, tmp_path):
    script = Path(__file__).resolve().parents[1] / "experiments" / "emopia_manifest.py"
    manifest = tmp_path / "emopia.csv"
    subprocess.run([sys.executable, str(script), str(emopia_dir / "audio"), str(manifest)], check=True)
    catalog = mj.data.load(str(manifest))
    assert len(catalog) == 1078
    assert catalog.counts() == {"Q1": 250, "Q2": 265, "Q3": 253, "Q4": 310}
    assert len(set(catalog.groups)) == 387


def test_errors_cross_processes():
    import pickle

    error = checks.AudioError("a.wav", "is empty", expected="audio", remedy="delete it")
    assert (
        str(pickle.loads(pickle.dumps(error))) == str(error) == "a.wav: is empty; expected audio; delete it"
    )

"""Runs that predict numbers and tags, from a manifest to a report and a prediction."""

import csv
import dataclasses
import json

import numpy as np
import pytest

import mer_jax as mj
from mer_jax import checks, cli, data, experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import manifest, synthetic
from mer_jax.experiment import targets
from mer_jax.models import DenseConfig
from mer_jax.training import Classification, Joint, MultiLabel, OptimizerConfig, Regression, TrainingConfig

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Synthetic music whose manifest also holds two numbers and two tags."""
    folder = synthetic.write_folder(
        tmp_path_factory.mktemp("targets") / "music", 150, duration_s=0.5, sr=8000
    )
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, columns in {
        "numbers": lambda r: {
            "target_strength": 0.1 + 0.01 * float(r["arousal"]),
            "target_joy": float(r["valence"]),
        },
        "tags": lambda r: {
            "target_loud": int(float(r["arousal"]) > 0),
            "target_glad": int(float(r["valence"]) > 0),
        },
    }.items():
        listed = [
            {
                "path": folder / r["path"],
                "label": r["label"],
                "group": r["group"],
                "id": r["id"],
                **columns(r),
            }
            for r in rows
        ]
        manifest.write(folder / f"{name}.csv", listed)
    return folder


def settings(music, out, task, file) -> ExperimentConfig:
    return ExperimentConfig(
        data=str(music / file),
        out=out,
        sr=8000,
        clip_s=0.5,
        folds=5,
        task=task,
        network="dense",
        frontend=FrontendConfig("log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}, ("mean", "std")),
        dense=DenseConfig(widths=(16,), dropout=0.0, norm="none"),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        training=TrainingConfig(epochs=15, batch_size=16),
    )


@pytest.fixture(scope="module")
def runs(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    files = {
        "targets": "numbers.csv",
        "tags": "tags.csv",
        "valence_arousal": "manifest.csv",
        "joint": "manifest.csv",
    }
    return {
        task: experiment.run(settings(music, out / task, task, file), progress=False)
        for task, file in files.items()
    }


def test_numbers_are_learnt_and_reported_in_their_own_units(runs, music):
    scores = json.loads((runs["targets"] / "scores.json").read_text())["test"]
    # Loudness tells arousal, so its correlation is far from chance; its unit is a hundredth of the other's.
    assert scores["per_target"]["strength"]["pearson_r"] > 0.5
    assert scores["per_target"]["strength"]["rmse"] < 0.01
    page = (runs["targets"] / "report.html").read_text()
    assert "Pearson r" in page
    assert "synthetic data" in page
    assert (runs["targets"] / "figures" / "predictions.png").is_file()
    with np.load(runs["targets"] / "predictions.npz", allow_pickle=False) as file:
        assert file["names"].tolist() == ["strength", "joy"]
        assert 0.08 < file["predictions"][:, 0].mean() < 0.12


def test_tags_are_probabilities(runs):
    scores = json.loads((runs["tags"] / "scores.json").read_text())["test"]
    assert scores["per_target"]["loud"]["auc"] > 0.7
    with np.load(runs["tags"] / "predictions.npz", allow_pickle=False) as file:
        assert ((file["predictions"] >= 0) & (file["predictions"] <= 1)).all()
    assert "Average precision" in (runs["tags"] / "report.html").read_text()


def test_a_class_and_its_ratings_are_learnt_together(runs, music):
    scores = json.loads((runs["joint"] / "scores.json").read_text())["test"]
    assert scores["auc"] > 0.6
    assert scores["valence_arousal"]["per_target"]["arousal"]["pearson_r"] > 0.4
    again = experiment.evaluate(runs["joint"])
    assert again["brier"] == pytest.approx(scores["brier"], rel=1e-4)
    assert again["valence_arousal"]["rmse"] == pytest.approx(scores["valence_arousal"]["rmse"], rel=1e-4)
    assert "Valence and arousal of the test part" in (runs["joint"] / "report.html").read_text()
    found = mj.predict.predict(next(music.rglob("*.wav")), checkpoint=runs["joint"])
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert found.curve.shape[1] == len(found.classes) == 5
    assert found.valence_arousal.shape == (2,)


def test_concordance_can_be_what_is_learnt(music, tmp_path):
    config = settings(music, tmp_path / "run", "valence_arousal", "manifest.csv")
    training = dataclasses.replace(config.training, regression_loss="ccc", monitor="loss")
    out = experiment.run(dataclasses.replace(config, training=training), progress=False)
    scores = json.loads((out / "scores.json").read_text())["test"]
    assert scores["loss"] == pytest.approx(1 - scores["ccc"])
    assert scores["per_target"]["arousal"]["ccc"] > 0.4


@pytest.mark.parametrize("task", ["targets", "tags", "valence_arousal"])
def test_a_run_is_evaluated_and_predicts(runs, music, task, capsys):
    stored = json.loads((runs[task] / "scores.json").read_text())["test"]
    name = "auc" if task == "tags" else "pearson_r"
    assert experiment.evaluate(runs[task])[name] == pytest.approx(stored[name], abs=1e-5)
    assert cli.main(["evaluate", str(runs[task])]) == 0
    assert name in capsys.readouterr().out
    path = next(music.rglob("*.wav"))
    found = mj.predict.predict(path, checkpoint=runs[task])
    assert found.outputs.shape == (2,)
    assert (found.valence_arousal is None) == (task != "valence_arousal")
    if task == "tags":
        assert found.probabilities is found.outputs
    else:
        with pytest.raises(checks.ConfigError, match="has no probabilities"):
            found.probabilities  # noqa: B018
    assert cli.main(["predict", str(path), "--checkpoint", str(runs[task])]) == 0
    assert found.names[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "file", "words"),
    [
        ("targets", "manifest.csv", "has no targets"),
        ("tags", "numbers.csv", "other than 0 and 1"),
        ("valence_arousal", "tags.csv", "has no ratings"),
    ],
)
def test_data_that_does_not_answer_the_task_is_named(music, tmp_path, task, file, words):
    with pytest.raises(checks.DataError, match=words):
        experiment.run(settings(music, tmp_path / "run", task, file), progress=False)
    assert not (tmp_path / "run").exists()


def test_a_monitor_that_is_no_score_of_the_task_is_named(music, tmp_path):
    config = settings(music, tmp_path / "run", "targets", "numbers.csv")
    training = dataclasses.replace(config.training, monitor="accuracy", epochs=1)
    with pytest.raises(checks.ConfigError, match=r"training.monitor: is 'accuracy'.*pearson_r"):
        experiment.run(dataclasses.replace(config, training=training), progress=False)


def test_unlabelled_clips_are_no_classes(music):
    catalog = data.load(music / "numbers.csv", sr=8000)
    bare = dataclasses.replace(catalog, labels=np.full(len(catalog), -1, np.int32), classes=())
    with pytest.raises(checks.DataError, match="--task targets"):
        targets.with_targets(bare, "classes", "numbers.csv")


def test_tasks_survive_their_json():
    for name, task in (
        ("targets", Regression((0.5, 1.0), (0.1, 2.0), "ccc")),
        ("joint", Joint(Classification(), Regression((0.5,), (0.1,)))),
        ("tags", MultiLabel()),
        ("classes", Classification()),
    ):
        assert targets.from_json(name, json.loads(json.dumps(targets.to_json(task)))) == task


def test_other_data_is_scored_on_the_scale_of_the_run(music):
    catalog = data.load(music / "manifest.csv", sr=8000)
    other = dataclasses.replace(catalog, rating_range=(1.0, 9.0))
    for scale, expected in (
        (None, catalog.valence_arousal),
        ((0.0, 1.0), 0.5 + 0.5 * catalog.valence_arousal),
    ):
        given = targets.on_scale(other, scale, "valence_arousal")
        found = targets.with_targets(given, "valence_arousal", "other").targets
        np.testing.assert_allclose(found, expected, atol=1e-6)

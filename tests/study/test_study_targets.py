"""A study of numbers and one of tags end to end on a little synthetic music: resumed, reported."""

import csv
import json
import shutil

import numpy as np
import pytest

from mer_jax import checks, study
from mer_jax.data import manifest, synthetic
from mer_jax.evaluation import target_scores
from mer_jax.models import DenseConfig, RecurrentConfig, VGG19Config
from mer_jax.study import StudyConfig, engine, records
from mer_jax.training import OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")

CELLS = ("series-amplitude_envelope", "numbers-time", "picture-mel")
SPLIT = "fold0_seed0"


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Synthetic music without classes: two numbers in units of their own, two tags."""
    folder = synthetic.write_folder(tmp_path_factory.mktemp("study") / "music", 120, duration_s=0.5, sr=16000)
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {
        "numbers": lambda valence, arousal: {"target_strength": 50 + 10 * arousal, "target_joy": valence},
        "tags": lambda valence, arousal: {"target_loud": int(arousal > 0), "target_glad": int(valence > 0)},
        "rated": lambda valence, arousal: {"valence": valence, "arousal": arousal},
    }
    for name, of_clip in columns.items():
        listed = [
            {"path": folder / row["path"], "group": row["group"], "id": row["id"]}
            | of_clip(float(row["valence"]), float(row["arousal"]))
            for row in rows
        ]
        manifest.write(folder / f"{name}.csv", listed)
    return folder


def settings(music, out, task, file, **changes) -> StudyConfig:
    values = {
        "data": str(music / file),
        "out": out,
        "task": task,
        "cells": CELLS,
        "sr": 16000,
        "clip_s": 0.5,
        "base_init": "he",
        "recurrent": RecurrentConfig(conv_filters=4, lstm_units=4, dense_units=4),
        "dense": DenseConfig(widths=(16,), dropout=0.0),
        "vgg19": VGG19Config(widths=(8, 8), image_size=32),
        "optimizer": OptimizerConfig(learning_rate=1e-2),
        "training": TrainingConfig(epochs=4, batch_size=16, monitor="accuracy"),
    }
    return StudyConfig(**(values | changes))


@pytest.fixture(scope="module")
def numbers(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "numbers"
    return study.run(settings(music, out, "targets", "numbers.csv"), progress=False)


@pytest.fixture(scope="module")
def tags(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "tags"
    cells = ("numbers-time", "series-amplitude_envelope")
    return study.run(settings(music, out, "tags", "tags.csv", folds=2, cells=cells), progress=False)


def predictions(out, cell, split=SPLIT):
    with np.load(out / "cells" / cell / split / "predictions.npz", allow_pickle=False) as file:
        return dict(file)


def test_numbers_are_scored_in_their_own_units(numbers):
    results = json.loads((numbers / "results.json").read_text())
    assert results["task"] == "targets"
    assert [cell["id"] for cell in results["cells"]] == list(CELLS)
    for cell in results["cells"]:
        found = predictions(numbers, cell["id"])
        assert found["names"].tolist() == ["strength", "joy"]
        wanted = target_scores.regression(found["targets"], found["predictions"], ("strength", "joy"))
        for metric in ("pearson_r", "r2", "ccc", "rmse"):
            assert cell["scores"][metric] == pytest.approx(wanted[metric])
            assert cell["intervals"][metric][0] <= cell["intervals"][metric][1]
        assert cell["per_target"]["strength"] == pytest.approx(wanted["per_target"]["strength"])
        assert cell["validation_pearson_r"] is not None
    # Loudness tells arousal, here the strength; guessing would be off by its spread, several units.
    envelope = results["cells"][0]["per_target"]["strength"]
    assert 1 < envelope["rmse"] < 10
    comparison = results["comparisons"][0]
    assert (comparison["first"], comparison["second"]) == (2, 3)
    first, second = (results["cells"][k]["scores"]["pearson_r"] for k in (1, 2))
    assert comparison["pearson_r"]["bootstrap"]["value"] == pytest.approx(first - second)
    assert comparison["mcnemar_p"] is None
    assert "published" not in results


def test_the_best_epoch_is_that_of_the_highest_correlation(numbers):
    config = json.loads((numbers / "config.json").read_text())
    assert config["training"]["monitor"] == "pearson_r"
    folder = numbers / "cells" / "numbers-time" / SPLIT
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    validation = [epoch["validation"]["pearson_r"] for epoch in epochs]
    result = json.loads((folder / "result.json").read_text())
    assert result["best_epoch"] == 1 + int(np.argmax(validation))
    assert result["scores"]["validation"]["pearson_r"] == pytest.approx(max(validation), abs=1e-4)


def test_the_report_of_numbers(numbers):
    page = (numbers / "report.html").read_text()
    for words in ("2 numbers", "Pearson r", "R²", "CCC", "RMSE", "strength", "Predicted against true values"):
        assert words in page
    for words in ("Confusion", "McNemar", "accuracy", "private clips", "Accuracy"):
        assert words not in page
    assert page.index("Result</a>") < page.index("Targets</a>") < page.index("Predictions</a>")
    found = {path.name for path in (numbers / "figures").iterdir()}
    wanted = {"scores.png", "targets.png", "data_distribution.png", "predictions_1.png", "curves_3.png"}
    assert wanted <= found
    assert "high: strength" in page
    header, *rows = csv.reader((numbers / "table.csv").read_text().splitlines())
    assert {"validation_pearson_r", "pearson_r", "pearson_r_low", "rmse_high"} <= set(header)
    assert len(rows) == len(CELLS)


def test_a_study_of_numbers_goes_on_where_it_stopped(music, numbers, tmp_path, monkeypatch, capsys):
    out = tmp_path / "copy"
    shutil.copytree(numbers, out)
    before = predictions(out, "numbers-time")["predictions"]
    (out / "cells" / "numbers-time" / SPLIT / "result.json").unlink()
    ran = []
    prepare = engine._prepare
    monkeypatch.setattr(engine, "_prepare", lambda *a: ran.append(a[2].cell.id) or prepare(*a))
    study.run(settings(music, out, "targets", "numbers.csv"))
    assert ran == ["numbers-time"]
    np.testing.assert_array_equal(predictions(out, "numbers-time")["predictions"], before)
    shown = capsys.readouterr().out
    assert "Pearson r 0." in shown or "Pearson r -0." in shown
    assert "R²" in shown
    with pytest.raises(checks.ConfigError, match="other settings"):
        study.run(settings(music, out, "targets", "numbers.csv", clip_s=0.25), progress=False)


def test_tags_are_scored_at_thresholds_of_their_own_split(tags):
    results = json.loads((tags / "results.json").read_text())
    for cell in results["cells"]:
        parts = [predictions(tags, cell["id"], f"fold{fold}_seed0") for fold in (0, 1)]
        y, p = (np.concatenate([part[name] for part in parts]) for name in ("targets", "predictions"))
        limits = np.concatenate([np.tile(part["thresholds"], (len(part["ids"]), 1)) for part in parts])
        wanted = target_scores.tags(y, p, ("loud", "glad"), thresholds=limits)
        for metric in ("auc", "average_precision", "macro_f1", "brier"):
            assert cell["scores"][metric] == pytest.approx(wanted[metric]), metric
        assert cell["over_splits"]["auc"]["count"] == 2
        low, high = cell["intervals"]["auc"]
        assert low <= cell["scores"]["auc"] <= high
        for part in parts:
            tuned = target_scores.best_thresholds(part["validation_targets"], part["validation_predictions"])
            np.testing.assert_allclose(part["thresholds"], tuned)


def test_the_report_of_tags(tags):
    page = (tags / "report.html").read_text()
    for words in ("2 tags", "ROC AUC of each tag", "PR AUC", "tuned on the validation part", "Nadeau"):
        assert words in page
    assert "Predictions</a>" not in page
    assert (tags / "figures" / "targets.png").is_file()
    assert json.loads((tags / "config.json").read_text())["training"]["monitor"] == "auc"


def test_valence_and_arousal_need_no_classes(music, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "write_examples", lambda *a: None)  # its pictures are the slowest part
    asked = settings(music, tmp_path / "out", "valence_arousal", "rated.csv", cells=("numbers-time",))
    out = study.run(study.quick(asked), progress=False)
    results = json.loads((out / "results.json").read_text())
    assert set(results["cells"][0]["per_target"]) == {"valence", "arousal"}


def test_a_damaged_cell_of_numbers_is_named(music, numbers, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(numbers, out)
    folder = out / "cells" / "numbers-time" / SPLIT
    arrays = predictions(out, "numbers-time")
    np.savez(folder / "predictions.npz", **(arrays | {"predictions": arrays["predictions"][::-1]}))
    with pytest.raises(checks.DataError, match=r"result.json.*pearson_r.*delete .*fold0_seed0 and run"):
        study.run(settings(music, out, "targets", "numbers.csv"), progress=False)


@pytest.mark.parametrize(
    ("task", "monitor", "words"),
    [
        ("targets", "macro_f1", "numbers do not have.*pearson_r"),
        ("tags", "rmse", "tags do not have.*auc"),
        ("classes", "pearson_r", "classes do not have.*accuracy"),
    ],
)
def test_a_monitor_that_the_task_lacks_is_refused(task, monitor, words):
    with pytest.raises(checks.ConfigError, match=words):
        StudyConfig(task=task, training=TrainingConfig(monitor=monitor))


def test_data_that_does_not_answer_the_task_is_refused_before_anything_is_written(music, tmp_path):
    with pytest.raises(checks.DataError, match="--task targets"):
        study.run(settings(music, tmp_path / "out", "classes", "numbers.csv"), progress=False)
    with pytest.raises(checks.DataError, match="has no ratings"):
        study.run(settings(music, tmp_path / "out", "valence_arousal", "tags.csv"), progress=False)
    assert not (tmp_path / "out").exists()

"""A study end to end on a little synthetic music: every approach, resumed, reported."""

import dataclasses
import json

import numpy as np
import pytest

from mer_jax import checks, study
from mer_jax.data import synthetic
from mer_jax.models import DenseConfig, RecurrentConfig, VGG19Config
from mer_jax.study import StudyConfig, engine
from mer_jax.training import AugmentationConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")

CELLS = ("series-amplitude_envelope", "numbers-time_frequency", "picture-mel")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("study") / "music", 150, duration_s=1.0, sr=16000)


def settings(music, out, **changes) -> StudyConfig:
    values = {
        "data": str(music / "manifest.csv"),
        "out": out,
        "cells": CELLS,
        "sr": 16000,
        "clip_s": 1.0,
        "base_init": "he",
        "recurrent": RecurrentConfig(conv_filters=4, lstm_units=4, dense_units=4),
        "dense": DenseConfig(widths=(16, 8)),
        "vgg19": VGG19Config(widths=(8, 8), image_size=32),
        "training": TrainingConfig(epochs=2, batch_size=16),
    }
    return StudyConfig(**(values | changes))


@pytest.fixture(scope="module")
def whole(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "whole"
    return study.run(settings(music, out), progress=False)


def result(out, cell, split="fold0_seed0"):
    return json.loads((out / "cells" / cell / split / "result.json").read_text())


def probabilities(out, cell, split="fold0_seed0"):
    with np.load(out / "cells" / cell / split / "predictions.npz", allow_pickle=False) as file:
        return file["probabilities"]


def test_a_cell_that_the_backend_cannot_compute_is_refused_before_anything_is_written(music, tmp_path):
    pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    with pytest.raises(checks.ConfigError, match="nnaudio has no TimeDomain"):
        study.run(settings(music, tmp_path / "out", backend="nnaudio"), progress=False)
    assert not (tmp_path / "out").exists()


def test_every_cell_says_what_it_ran_on(whole):
    known = json.loads((whole / "study.json").read_text())
    assert known["finished"]
    assert known["data"]["synthetic"] == "yes"
    assert "random" in " ".join(known["notes"])
    assert [cell["id"] for cell in known["cells"]] == list(CELLS)
    for cell in CELLS:
        found = result(whole, cell)
        assert found["num_trainable"] <= found["num_parameters"]
        assert found["epochs"] == 2
        assert found["feature_s"] > 0
        assert found["scores"]["test"]["num_clips"] == len(probabilities(whole, cell))
    assert result(whole, "picture-mel")["base_init"] == "he"
    assert (
        result(whole, "picture-mel")["num_trainable"]
        < 20_000_000
        < result(whole, "picture-mel")["num_parameters"]
    )
    assert not (whole / "cache").exists()


def test_the_report_is_written_and_calls_the_data_synthetic(whole):
    page = (whole / "report.html").read_text()
    assert "synthetic" in page.lower()
    assert "He normal" in page
    assert (whole / "table.csv").is_file()
    assert json.loads((whole / "results.json").read_text())


def test_all_cells_share_the_split(whole):
    ids = []
    for cell in CELLS:
        path = whole / "cells" / cell / "fold0_seed0" / "predictions.npz"
        with np.load(path, allow_pickle=False) as file:
            ids.append(file["ids"].tolist())
            assert not set(file["groups"]) & set(file["validation_groups"])
    assert ids[0] == ids[1] == ids[2]


def test_only_what_is_missing_runs_again_and_gives_the_same(music, whole, tmp_path, monkeypatch):
    import shutil

    out = tmp_path / "copy"
    shutil.copytree(whole, out)
    before = probabilities(out, "numbers-time_frequency")
    (out / "cells" / "numbers-time_frequency" / "fold0_seed0" / "result.json").unlink()
    ran = []
    prepare = engine._prepare
    monkeypatch.setattr(engine, "_prepare", lambda *a: ran.append(a[2].cell.id) or prepare(*a))
    study.run(settings(music, out), progress=False)
    assert ran == ["numbers-time_frequency"]
    np.testing.assert_array_equal(probabilities(out, "numbers-time_frequency"), before)


def test_another_study_in_the_same_folder_is_refused(music, whole):
    with pytest.raises(checks.ConfigError, match="other settings"):
        study.run(settings(music, whole, clip_s=0.5), progress=False)


def test_folds_and_seeds_are_cells_of_their_own(music, tmp_path, capsys):
    out = study.run(
        settings(music, tmp_path / "more", cells=("numbers-time",), folds=2, seeds=2),
    )
    found = {p.parent.name for p in out.rglob("result.json")}
    assert found == {f"fold{fold}_seed{seed}" for fold in (0, 1) for seed in (0, 1)}
    shown = capsys.readouterr().out
    assert "[4/4]" in shown
    assert "report:" in shown
    # They were trained together; one after the other they come out the same.
    options = {"cells": ("numbers-time",), "folds": 2}
    alone = study.run(settings(music, tmp_path / "alone", **options), progress=False, population="off")
    for split in ("fold0_seed0", "fold1_seed0"):
        expected = probabilities(alone, "numbers-time", split)
        np.testing.assert_allclose(probabilities(out, "numbers-time", split), expected, atol=1e-5)
        one, other = (result(path, "numbers-time", split) for path in (out, alone))
        assert one.keys() == other.keys()
        assert (one["epochs"], one["best_epoch"]) == (other["epochs"], other["best_epoch"])


def test_quick_keeps_what_was_asked_for():
    asked = StudyConfig(cells=("numbers-time",), training=TrainingConfig(epochs=3))
    found = study.quick(asked)
    assert found.cells == ("numbers-time",)
    assert found.training.epochs == 3
    assert found.base_init == "he"
    assert found.vgg19.image_size == 64
    assert study.quick(StudyConfig()).cells == study.QUICK


def test_the_table_names_every_cell_once():
    ids = [cell.id for cell in study.CELLS]
    assert len(ids) == len(set(ids)) == 20
    assert {cell.approach for cell in study.CELLS} == {1, 2, 3}
    assert set(study.QUICK) <= set(ids)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cells": ("picture-mell",)}, "did you mean 'picture-mel'"),
        ({"folds": 11}, "1 to 10"),
        ({"seeds": 0}, "at least 1"),
        ({"augmentation": AugmentationConfig(gain_db=3.0)}, "computes each feature once"),
    ],
)
def test_what_cannot_be_used_is_named(changes, words):
    with pytest.raises(checks.ConfigError, match=words):
        dataclasses.replace(StudyConfig(), **changes)

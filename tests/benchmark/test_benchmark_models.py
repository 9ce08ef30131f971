"""The rows of the suites models and whole-job."""

import argparse
import json

import pytest

from mer_jax import checks
from mer_jax.benchmark import models, whole_job
from mer_jax.benchmark.peers_keras_models import keras_contenders
from mer_jax.benchmark.results import ROW_KEYS

DENSE = {"batch": 32, "features": 128, "dtype": "float32"}


@pytest.mark.slow
def test_a_row_of_the_dense_network():
    args = argparse.Namespace(quick=True, cases=["dense_step"], vgg_batch=None, memory="ours")
    rows = []
    report = models.run(args, lambda report: rows.append(report.rows[-1]))
    (row,) = report.rows
    assert rows == [row]
    assert set(ROW_KEYS) <= set(row)
    assert row["name"] == "dense_step"
    assert row["ours_s"] > 0
    assert row["peak_kind"] in ("rss", "device", "unknown")
    assert (row["peak_mib"] is None) == (row["peak_kind"] == "unknown")
    assert row["speedup"] == row["peers"][row["best_peer"]] / row["ours_s"]


def test_keras_is_no_peer_on_another_backend():
    """The tests run Keras on JAX; what is measured against is Keras on TensorFlow."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "tensorflow":
        pytest.skip("Keras runs on TensorFlow here")
    assert keras_contenders("dense_step", DENSE) == []


def whole(tmp_path, **changes):
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    whole_job.add_arguments(parser)
    args = parser.parse_args(["--quick", "--music", str(tmp_path)])
    return argparse.Namespace(**(vars(args) | changes))


def test_a_row_of_the_whole_job(tmp_path, monkeypatch):
    """Processes are stood in for; that the real ones run is seen when the benchmark does."""
    monkeypatch.setattr(whole_job, "_NEEDS", ())
    (tmp_path / "job.py").write_text("")
    cells = {"pictures_study": {"extrapolated": "from 2 training steps of 40, of 32 clips"}}

    def ran(command):
        if "--json" in command:
            slower = 2.0 if "--jit" in command else 1.0
            found = {"total_s": {"study": 100.0 * slower, "cached": 30.0 * slower}, "cells": cells}
            target = command[command.index("--json") + 1]
            with open(target, "w", encoding="utf-8") as file:
                json.dump(found, file)
            return 1.0
        out = command[command.index("--out") + 1]
        assert command[command.index("--training.epochs") + 1] == "2"
        return {"study0": 9.0}[out.rpartition("/")[2]]

    monkeypatch.setattr(whole_job, "_timed", ran)
    (row,) = whole_job.run(whole(tmp_path, baseline=tmp_path), lambda _: None).rows
    assert row["ours_s"] == 9.0
    assert row["peers"] == {
        "keras_study": 100.0,
        "keras_cached": 30.0,
        "keras_xla_study": 200.0,
        "keras_xla_cached": 60.0,
    }
    assert row["best_peer"] == "keras_cached"
    assert row["speedup"] == 30 / 9
    assert "keras_study: pictures extrapolated from 2 training steps" in row["note"]


def test_what_is_missing_is_named_and_a_failing_process_too(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_job, "_NEEDS", ("no_such_package",))
    monkeypatch.setattr(whole_job, "_timed", lambda command: 1.0)
    report = whole_job.run(whole(tmp_path, baseline=tmp_path / "none"), lambda _: None)
    assert report.rows[0]["peers"] == {}
    assert report.rows[0]["best_peer"] is None
    assert "no_such_package" in report.conditions[0]["skipped"]["keras"]
    monkeypatch.undo()
    with pytest.raises(checks.DataError, match="status 2"):
        whole_job._ours(tmp_path / "nowhere.csv", tmp_path / "out", 1, 32)


def test_an_epoch_of_the_studys_way_is_told_from_the_step_before(monkeypatch):
    (case,) = models._vgg19_cached_epoch([8], False)
    step = {"name": "vgg19_frozen_step", "peers": {"keras": 2.0, "keras_xla": 3.0, "torch": 1.0}}
    found, (note,) = models._studys_way("vgg19_cached_epoch", case, [step])
    assert found == {"keras_study": 64.0, "keras_study_xla": 96.0}
    assert "extrapolated from vgg19_frozen_step" in note
    assert models._studys_way("vgg19_cached_epoch", case, []) == ({}, [])
    assert models._studys_way("dense_step", case, [step]) == ({}, [])

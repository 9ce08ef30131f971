"""The suites first-step and input."""

import argparse

import numpy as np
import pytest

from mer_jax import checks
from mer_jax.benchmark import feeding, first_step
from mer_jax.benchmark.results import ROW_KEYS


@pytest.mark.slow
def test_a_process_takes_its_first_step_and_the_next_finds_the_programs(tmp_path, monkeypatch):
    # Every program is kept, however quickly it was compiled, so that a busy machine changes nothing.
    keep_all = "import jax\njax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
    monkeypatch.setattr(first_step, "_OURS", first_step._OURS.replace("import jax\n", keep_all))
    first = first_step.seconds("ours", "dense_step", str(tmp_path))
    programs = {path.name for path in tmp_path.iterdir()}
    assert programs
    second = first_step.seconds("ours", "dense_step", str(tmp_path))
    assert first > 0
    assert second > 0
    kept = {path.name for path in tmp_path.iterdir() if path.name.endswith("-cache")}
    assert kept == {name for name in programs if name.endswith("-cache")}, "compiled again"


def test_a_process_that_takes_no_step_is_named_with_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(first_step, "_OURS", "raise SystemExit('no memory')  # {case}")
    with pytest.raises(checks.DataError, match="ours, dense_step: took no step: no memory"):
        first_step.seconds("ours", "dense_step", str(tmp_path))


def test_a_row_tells_the_programs_on_disk_from_none(monkeypatch):
    taken = {"ours": iter([9.0, 3.0, 4.0, 5.0]), "keras": iter([8.0]), "keras_xla": iter([16.0])}
    monkeypatch.setattr(first_step, "seconds", lambda name, case, programs: next(taken[name]))
    monkeypatch.setattr(first_step.importlib.util, "find_spec", lambda name: name)
    args = argparse.Namespace(quick=True, cases=["dense_step"], rounds=None)
    (row,) = first_step.run(args, lambda report: None).rows
    assert set(ROW_KEYS) <= set(row)
    assert (row["ours_s"], row["compile_s"], row["without_programs_s"]) == (4.0, 5.0, 9.0)
    assert row["best_peer"] == "keras"
    assert row["speedup"] == 2.0


def test_keras_is_named_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(first_step, "seconds", lambda name, case, programs: 1.0)
    monkeypatch.setattr(first_step.importlib.util, "find_spec", lambda name: None)
    report = first_step.run(argparse.Namespace(quick=True, cases=None, rounds=1), lambda report: None)
    assert "tensorflow, keras" in report.conditions[0]["absent"]["keras"]
    assert [row["name"] for row in report.rows] == [
        "first_step_vgg19_frozen",
        "first_step_cnn_bilstm_216",
        "first_step_dense",
    ]
    assert all(row["peers"] == {} for row in report.rows)


def test_idle_is_what_the_steps_alone_do_not_account_for(monkeypatch):
    """A loader that takes its time is seen; one that gives what it has is not."""
    import time

    args = argparse.Namespace(quick=True, cases=["input_features_dense"], files=0)
    (row,) = feeding.run(args, lambda report: None).rows
    assert set(ROW_KEYS) <= set(row)
    assert row["device_idle_share"] == max(0.0, 1 - row["speedup"])
    assert 0 <= row["device_idle_share"] < 0.7

    from mer_jax.experiment import caching

    made = caching.CachedLoader.assemble

    def late(self, places):
        time.sleep(0.02)
        return made(self, places)

    monkeypatch.setattr(caching.CachedLoader, "assemble", late)
    (slow,) = feeding.run(args, lambda report: None).rows
    assert slow["ours_s"] > 26 * 0.02
    assert slow["device_idle_share"] > 0.5


@pytest.mark.slow
def test_files_are_decoded_in_every_epoch(monkeypatch):
    pytest.importorskip("soundfile")
    from mer_jax.data import memory

    decoded = []
    made = memory.to_int16
    monkeypatch.setattr(memory, "to_int16", lambda y: decoded.append(len(y)) or made(y))
    with feeding.CASES["input_files_log_mel"](40) as (model, loader):
        batches = iter(loader)
        for _ in range(3):
            batch = next(batches)
    assert batch["waveform"].shape == (32, 5 * 22050)
    assert len(decoded) >= 3 * 32
    assert model.frontend.num_features == 128
    assert np.isfinite(batch["waveform"]).all()


def test_a_case_whose_package_is_missing_is_named(monkeypatch):
    def missing(files):
        raise ImportError("No module named 'soundfile'")

    monkeypatch.setitem(feeding.CASES, "input_files_log_mel", missing)
    args = argparse.Namespace(quick=True, cases=["input_files_log_mel"], files=8)
    report = feeding.run(args, lambda report: None)
    assert report.rows == []
    assert "soundfile" in report.conditions[0]["skipped"]["input_files_log_mel"]

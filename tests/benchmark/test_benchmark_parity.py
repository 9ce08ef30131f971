"""The parity script: its references are librosa's, its clip comes back from the seed, and it can fail."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "benchmark"


@pytest.fixture
def scripts(monkeypatch):
    """The script's modules, importable as they are when it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("parity_cases", "parity_reference", "parity_table", "parity")
    return {name: importlib.import_module(name) for name in names}


def test_the_clip_is_exact_in_every_dtype(scripts):
    clip = scripts["parity_cases"].clip()
    assert clip.dtype == np.float64
    np.testing.assert_array_equal(np.asarray(jnp.asarray(clip, jnp.bfloat16), np.float64), clip)
    assert np.sqrt(np.mean(clip**2)) > 0.05


def test_the_committed_references_are_small_and_made_from_this_clip(scripts):
    reference = scripts["parity_reference"]
    assert sum(path.stat().st_size for path in reference.FILE.parent.iterdir()) < 3e6
    read = reference.read()
    assert set(read.results) == set(scripts["parity_cases"].CASES)
    assert read.origin.startswith("librosa 0.11")


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
def test_the_committed_references_are_what_librosa_computes(scripts):
    pytest.importorskip("librosa")
    reference = scripts["parity_reference"]
    read, computed = reference.read(), reference.compute()
    for name, expected in computed.results.items():
        np.testing.assert_array_equal(read.inputs[name], computed.inputs[name], err_msg=name)
        distance = np.linalg.norm(read.results[name] - expected) / np.linalg.norm(expected)
        assert distance < 1e-6, name


def test_another_clip_is_noticed(scripts, monkeypatch):
    reference = scripts["parity_reference"]
    monkeypatch.setattr(reference, "clip", lambda: scripts["parity_cases"].clip() * 0.5)
    with pytest.raises(ValueError, match="another clip"):
        reference.read()


@pytest.fixture
def rows_of(scripts):
    """Rows of the table for RMS computed in another way."""
    references = scripts["parity_reference"].read()

    def rows(change=lambda right: right, modes=("jit",)):
        right = scripts["parity_cases"].CASES["rms"]
        case = replace(right, ours=change(right.ours))
        row, gradient = scripts["parity"].judge(case, references)
        jax.clear_caches()
        return [row, *scripts["parity"].measure(case, references, gradient, modes)]

    return rows


def test_every_dtype_and_mode_has_a_row(rows_of, scripts):
    rows = rows_of(modes=scripts["parity"].MODES)
    assert len(rows) == 1 + 2 * 4
    assert {row["fault"] for row in rows} == {""}
    assert all(row["gradient_error"] < 1e-2 for row in rows if row["mode"] != "batched")


def test_a_wrong_value_is_outside_its_bound(rows_of):
    rows = rows_of(lambda right: lambda y: right(y) * 1.01)
    assert all("value error 1.0e-02" in row["fault"] for row in rows if row["dtype"] != "bfloat16")
    assert all(row["fault"] for row in rows)


def test_a_gradient_that_is_not_finite_is_a_fault(rows_of):
    def rough(right):
        return lambda y: right(y) + jnp.sum(jnp.sqrt(jnp.maximum(y[..., :1] - y[..., :1], 0.0)))

    assert {row["fault"] for row in rows_of(rough)} == {"gradient is not finite"}


def test_a_gradient_that_is_wrong_in_every_dtype_is_a_fault(rows_of):
    def half_blind(right):
        return lambda y: right(0.5 * y + jax.lax.stop_gradient(0.5 * y))

    (judged,) = [row for row in rows_of(half_blind) if row["dtype"] == "float64"]
    assert "differs from finite differences by 5.0e-01" in judged["fault"]


def test_what_raises_is_a_fault_and_the_rest_is_measured(rows_of):
    def only_one_clip(right):
        def one(y):
            if y.ndim > 1:
                raise NotImplementedError("one clip at a time")
            return right(y)

        return one

    faults = {row["mode"]: row["fault"] for row in rows_of(only_one_clip, modes=("jit", "batched"))}
    assert faults["jit"] == ""
    assert faults["batched"] == "NotImplementedError: one clip at a time"


def test_relative_distance_of_nothing_and_of_shapes(scripts):
    relative_l2 = scripts["parity"].relative_l2
    assert relative_l2(np.zeros(3), np.zeros(3)) == 0.0
    assert relative_l2(np.ones(3), np.zeros(3)) == float("inf")
    assert relative_l2(np.array([3.0, 4.0]), np.array([0.0, 5.0])) == pytest.approx(np.sqrt(10) / 5)
    with pytest.raises(ValueError, match="shape"):
        relative_l2(np.zeros(3), np.zeros(4))


def test_the_script_writes_both_files_and_says_that_all_is_well(tmp_path):
    command = [
        "--transforms",
        "rms",
        "zero_crossing_rate",
        "--reference",
        "file",
        "--json",
        "p.json",
        "--markdown",
        "p.md",
    ]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "parity.py"), *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "p.md").read_text()
    assert "| rms | 1.0e-05 |" in page
    assert "Nothing." in page
    assert '"transform": "zero_crossing_rate"' in (tmp_path / "p.json").read_text()


def document(*transforms, **changes):
    rows = [{"transform": name} for name in transforms]
    return {
        "machine": {},
        "versions": {},
        "reference": "",
        "rows": rows,
        "failures": list(transforms),
    } | changes


def test_runs_in_parts_are_joined_in_the_order_of_the_cases(scripts):
    whole = scripts["parity"].merged([document("stft", "cqt"), document("rms")])
    assert [row["transform"] for row in whole["rows"]] == ["rms", "stft", "cqt"]
    assert whole["failures"] == ["stft", "cqt", "rms"]


def test_runs_of_two_machines_are_not_joined(scripts):
    with pytest.raises(ValueError, match="differ in machine"):
        scripts["parity"].merged([document("rms"), document("stft", machine={"cpu": "other"})])

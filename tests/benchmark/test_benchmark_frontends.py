import json
import subprocess
import sys

import numpy as np
import pytest

from mer_jax.benchmark import peers
from mer_jax.benchmark.__main__ import main
from mer_jax.benchmark.engine import Plan
from mer_jax.benchmark.frontends import Options, run_suite
from mer_jax.benchmark.results import ROW_KEYS, read
from mer_jax.benchmark.signals import render_batch
from mer_jax.benchmark.transforms import TRANSFORMS, ours
from mer_jax.checks import ArgumentError, DataError

TINY = Plan(rounds=2, min_rounds=1, budget_s=0.5, sample_s=1e-4, pause_s=0.0)
# Relative L2 distance of a peer from ours that its own approximations explain. Where a peer is far off, the
# benchmark times it and does not count it; these are known so, and the test holds them to it.
LIBROSA = dict.fromkeys(TRANSFORMS, 1e-4) | {
    "cqt": 1e-3,
    "tempogram": 1e-3,
    "chroma_cqt": 5e-3,
    "numerical_set": 1e-3,
}


@pytest.fixture(scope="module")
def waveforms():
    return render_batch(3, 22050, seed=1)


def relative_distance(a, b):
    assert a.shape == b.shape
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def outputs(contenders):
    """What each contender computes for the first clip."""
    found = {}
    for contender in contenders:
        try:
            found[contender.name] = contender.to_numpy(contender.call())
        finally:
            contender.close()
    return found


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")  # librosa, of a short clip at a low rate
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_librosa_is_timed_on_the_same_computation_in_all_three_ways(transform, waveforms):
    pytest.importorskip("librosa")
    builders, _ = peers.available(["librosa"])
    reference = outputs([ours(transform, waveforms)])["ours"]
    found = outputs(builders["librosa"](transform, waveforms))
    assert {"librosa", "librosa_loop"} <= set(found)
    for name, output in found.items():
        assert relative_distance(output, reference) <= LIBROSA[transform], name


@pytest.mark.parametrize(
    ("peer", "transform", "bound"),
    [
        ("nnaudio", "stft", 1e-4),
        ("nnaudio", "mel", 1e-4),
        ("nnaudio", "mfcc", 1e-3),
        ("nnaudio", "cqt", 0.05),
        ("torchaudio", "stft", 1e-5),
        ("torchaudio", "mel", 1e-4),
        ("torchaudio", "mfcc", 1e-3),
        ("torch", "amplitude_envelope", 0.0),
        ("torch", "rms", 1e-6),
        ("torch", "zcr", 0.0),
        ("torch", "stft", 1e-5),
        ("librosax", "rms", 1e-5),
        ("librosax", "zcr", 0.0),
        ("librosax", "stft", 1e-5),
        ("librosax", "mel", 1e-5),
        ("librosax", "mfcc", 1e-3),
        ("librosax", "tempogram", 1e-3),
    ],
)
def test_other_peers_are_timed_on_the_same_computation(peer, transform, bound, waveforms):
    builders, absent = peers.available([peer])
    if absent:
        pytest.skip(f"{peer} {absent[peer]}")
    reference = outputs([ours(transform, waveforms)])["ours"]
    found = outputs(builders[peer](transform, waveforms))
    assert relative_distance(found[peer], reference) <= bound


def test_a_peer_without_a_transform_enters_nobody(waveforms):
    builders, absent = peers.available(["nnaudio"])
    if absent:
        pytest.skip(f"nnaudio {absent['nnaudio']}")
    assert builders["nnaudio"]("tempogram", waveforms) == []


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    missing = peers.Peer("missing", ("no_such_library",), "no_such_module:contenders")
    monkeypatch.setitem(peers.PEERS, "missing", missing)
    builders, absent = peers.available(["missing"])
    assert builders == {}
    assert absent == {"missing": "needs no_such_library, which is not installed"}


def test_a_misspelt_peer_or_transform_is_refused_with_the_nearest_name():
    with pytest.raises(ArgumentError, match="did you mean 'librosa'"):
        Options(peers=("librossa",))
    with pytest.raises(ArgumentError, match="did you mean 'stft'"):
        Options(transforms=("stftt",))


def test_rows_hold_the_schema_and_figures_that_fit_together(tmp_path):
    path = tmp_path / "rms.json"
    arguments = (
        "frontends --quick --transforms rms --peers torch --batch 2 3 --clip-s 1 --rounds 2 --memory none"
    )
    assert main([*arguments.split(), "--json", str(path)]) == 0
    report = read(path)
    assert [row["name"] for row in report.rows] == ["rms, 2 x 1 s", "rms, 3 x 1 s"]
    for row in report.rows:
        assert set(row) >= set(ROW_KEYS)
        assert row["suite"] == "frontends"
        assert row["ours_s"] > 0
        assert row["audio_s_per_s"] == pytest.approx(row["batch"] / row["ours_s"])
        assert row["fraction_of_bound"] == pytest.approx(row["bound_s"] / row["ours_s"])
        if row["peers"]:
            assert row["best_peer"] == "torch"
            assert row["speedup"] == pytest.approx(row["peers"]["torch"] / row["ours_s"])


def test_a_peer_far_from_ours_is_timed_but_never_the_best(monkeypatch):
    import mer_jax.benchmark.peers_torch as peers_torch

    if peers.available(["torch"])[1]:
        pytest.skip("torch is not installed")

    def wrong(transform, waveforms):
        return [peers_torch._contender("torch", lambda y: y[:, None, :44] * 0 + 1, waveforms)]

    monkeypatch.setattr(peers_torch, "torch_contenders", wrong)
    options = Options(("rms",), (2,), (1.0,), ("torch",), plan=TINY, memory="none")
    (row,) = run_suite(options).rows
    assert row["peers"]["torch"] > 0
    assert row["best_peer"] is None
    assert row["speedup"] is None
    assert "torch differs by" in row["note"]


def test_a_peer_that_cannot_be_built_is_named_in_the_note(monkeypatch):
    import mer_jax.benchmark.peers_torch as peers_torch

    if peers.available(["torch"])[1]:
        pytest.skip("torch is not installed")

    def broken(transform, waveforms):
        raise RuntimeError("out of kernels")

    monkeypatch.setattr(peers_torch, "torch_contenders", broken)
    options = Options(("rms",), (2,), (1.0,), ("torch",), plan=TINY, memory="none")
    (row,) = run_suite(options).rows
    assert row["note"] == "torch not measured: RuntimeError: out of kernels"


def test_cases_beyond_the_time_limit_are_named():
    options = Options(("rms", "zcr"), (1,), (1.0,), (), plan=TINY, memory="none", limit_s=0.0)
    report = run_suite(options)
    assert report.rows == []
    assert report.conditions[0]["left_out"] == ["rms, 1 x 1 s", "zcr, 1 x 1 s"]


def test_memory_of_ours_is_measured_in_a_child():
    options = Options(("rms",), (4,), (10.0,), (), plan=TINY, memory="ours")
    (row,) = run_suite(options).rows
    if row["peak_kind"] == "unknown":
        pytest.skip("this system does not tell a process's peak memory")
    assert 0 <= row["peak_mib"] < 200


def test_a_missing_folder_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(DataError, match="folder does not exist"):
        main(["frontends", "--quick", "--json", str(tmp_path / "none" / "a.json")])


# Hides every measured library, as on a machine that only computes.
HIDDEN = """
import importlib.abc, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Finder())
from mer_jax.benchmark.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_runs_with_nothing_but_the_computing_libraries(tmp_path):
    hidden = ("librosa", "librosax", "torch", "torchaudio", "nnAudio", "soundfile", "soxr", "grain")
    code = HIDDEN.format(
        hidden=(*hidden, "tyro", "tensorflow_datasets", "sklearn", "matplotlib", "jaxtyping")
    )
    arguments = "frontends --quick --transforms rms --batch 1 --clip-s 1 --rounds 1 --memory none"
    path = tmp_path / "rms.json"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split(), "--json", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    absent = json.loads(path.read_text())["conditions"][0]["absent"]
    assert set(absent) == set(peers.PEERS)
    assert "librosa (needs librosa, which is not installed)" in done.stdout


def test_a_bad_file_is_one_line_and_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mer_jax.benchmark", "table", str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "none.json: does not exist" in done.stderr


def test_a_peer_too_slow_for_a_larger_case_is_left_out_of_it_by_name():
    if peers.available(["torch"])[1]:
        pytest.skip("torch is not installed")
    options = Options(("rms",), (1, 2), (1.0,), ("torch",), plan=TINY, memory="none", longest_call_s=1e-7)
    first, second = run_suite(options).rows
    assert "torch" in first["peers"]
    assert second["peers"] == {}
    assert second["note"].startswith("torch not measured: a call would take about")

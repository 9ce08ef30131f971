"""Everything that is to be measured and verified on a machine with a GPU, in chunks that each end within nine minutes.

    python experiments/benchmark/gpu.py --list
    python experiments/benchmark/gpu.py --out DIR --chunks parity-1 models population
    python experiments/benchmark/gpu.py --out DIR                  # all chunks, one after the other
    python experiments/benchmark/gpu.py --out DIR --tiny           # the same chunks at toy sizes, on a CPU too

Needs Python 3.12 with jax (CUDA), flax, optax, numpy and scipy; the peers need torch (CUDA), torchaudio and nnAudio;
populations and the jobs need grain, scikit-learn, orbax-checkpoint, rich and matplotlib. Packages that are not installed can be
carried as wheels and unpacked beside:

    pip download --no-deps -d wheels nnAudio==0.3.4 grain array_record portpicker cloudpickle          # elsewhere
    pip install --no-deps --no-index --target site wheels/*.whl
    PYTHONPATH=site python experiments/benchmark/gpu.py --out DIR

librosa is not needed: parity is measured against the committed reference file. Each chunk writes DIR/CHUNK.json as it goes,
so that a chunk which is cut off keeps what it measured; the ablation goes on where it stopped when its chunk runs again. Peers
run in full float32; nnAudio a second time with TF32. The chunks tests-... run the test suite, whose references are librosa's:
they need pytest, pytest-xdist, jaxtyping, librosa (with numba), soundfile, soxr, tyro and flatbuffers as well.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHUNK_LIMIT_S = 540
LAST_START_S = 400  # A suite starts no new case after this, and then names the cases left out.
# JAX takes its share of the device memory at the start; the rest is for PyTorch, in the same process.
SHARE_OF_MEMORY = "0.45"
PEERS = ("nnaudio", "torchaudio", "torch")

FIRST = ["amplitude_envelope", "rms", "zcr", "stft", "mel", "mfcc"]
SECOND = ["cqt", "chroma_cqt", "tempogram", "numerical_set"]


def _suite(transforms: list[str], batches: str, clip_s: str, *more: str) -> list[str]:
    sizes = ["--batch", *batches.split(), "--clip-s", clip_s]
    limit = ["--limit-s", str(LAST_START_S)]
    return ["-m", "mer_jax.benchmark", "frontends", "--transforms", *transforms, *sizes, *limit, *more]


def chunks(tiny: bool) -> dict[str, list[str]]:
    """Arguments of the Python process that each chunk is."""
    sys.path.insert(0, str(HERE))
    from parity_cases import CASES

    names = list(CASES)
    parity = [str(HERE / "parity.py"), "--reference", "file", "--transforms"]
    many, most, long, most_long = ("1", "2", "1", "1.5") if tiny else ("32 128", "1024", "5", "30")
    memory, rounds = ("2", ["--rounds", "1"]) if tiny else ("128", [])
    bench = ["-m", "mer_jax.benchmark"]
    job = [
        "--clips",
        "150",
        "--image-size",
        "32",
        "--epochs",
        "1",
        "--cells",
        "series-rms",
        "numbers-time",
        "picture-mel",
    ]
    grid = [
        "--clips",
        "150",
        "--folds",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--frontends",
        "log_mel",
        "pcen:trainable",
    ]
    timing = ["--memory", "none", *rounds]
    both = [*FIRST, *SECOND]
    return {
        **{
            f"parity-{i + 1}": [*parity, *(names[2 * i : 2 * i + 2] if tiny else names[i::3])]
            for i in range(3)
        },
        "first": _suite(FIRST, f"{many} {most}", long, *timing),
        "second": _suite(SECOND, f"{many} {most}", long, *timing),
        "first-long": _suite(FIRST, many, most_long, *timing),
        "second-long": _suite(SECOND, many, most_long, *timing),
        "largest": _suite(both, most, most_long, *timing),
        "models": [*bench, "models", *(["--quick", "--cases", "dense_step"] if tiny else [])],
        "population": [
            *bench,
            "population",
            *(["--members", "2", "--rounds", "1"] if tiny else ["--rounds", "2"]),
        ],
        "scaling": [*bench, "scaling", *(["--quick", "--cases", "mel", "--batch", "1", "2"] if tiny else [])],
        "job": [str(HERE / "study_job.py"), "--profile", *(job if tiny else ["--again"])],
        "ablation": [str(HERE / "ablation_job.py"), "--out", "{out}/ablation", *(grid if tiny else [])],
        "memory": _suite(both, memory, most_long, "--memory", "all", "--rounds", "1"),
        "input": [*bench, "input", *(["--quick", "--cases", "input_features_dense"] if tiny else [])],
        "first-step": [*bench, "first-step", *(["--cases", "dense_step", "--rounds", "1"] if tiny else [])],
        **_tests(tiny),
    }


def _tests(tiny: bool) -> dict[str, list[str]]:
    """The fast tests in parts, and those of what only a GPU can show."""
    job = str(HERE / "tests_job.py")
    parts = {
        "signal": ["tests/signal"],
        "frontends": ["tests/frontends", "tests/features"],
        "models": ["tests/models", "tests/training"],
        "runs": ["tests/experiment", "tests/study", "tests/ablation", "tests/sweep"],
        "data": ["tests/data", "tests/evaluation", "tests/benchmark", "tests/export"],
    }
    if tiny:
        parts = {"signal": ["tests/signal/test_framing.py"]}
    return {
        "tests-gpu": [job, "--marker", "gpu", *(["--paths", "tests/signal"] if tiny else [])],
        **{f"tests-{name}": [job, "--paths", *paths] for name, paths in parts.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Everything that is to be measured and verified on a GPU.")
    parser.add_argument("--out", type=Path, help="folder for the JSON files")
    parser.add_argument("--chunks", nargs="+", metavar="NAME", help="all, unless named")
    parser.add_argument("--list", action="store_true", help="print the chunks and stop")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, to see that every chunk runs")
    parser.add_argument(
        "--allow-missing-peers", action="store_true", help="measure although a peer is missing"
    )
    args = parser.parse_args()
    known = chunks(args.tiny)
    if args.list:
        print("\n".join(known))
        return 0
    if args.out is None:
        parser.error("--out is required")
    unknown = set(args.chunks or ()) - set(known)
    if unknown:
        parser.error(f"no chunk is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH")])),
        "XLA_PYTHON_CLIENT_MEM_FRACTION": SHARE_OF_MEMORY,
    }
    if not _peers_are_here(environment) and not args.allow_missing_peers:
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    statuses = {name: _run(name, known[name], args.out, environment) for name in args.chunks or known}
    print("\n".join(f"{name}: {status}" for name, status in statuses.items()))
    return 0 if all(status == "done" for status in statuses.values()) else 1


def _peers_are_here(environment: dict[str, str]) -> bool:
    """Say before any time is spent which peers are missing."""
    code = (
        "import jax; from mer_jax.benchmark.peers import available;"
        f"absent = available({PEERS!r})[1]; print('device:', jax.devices()[0].device_kind);"
        "print(''.join(f'missing: {name} {why}\\n' for name, why in absent.items()), end='');"
        "raise SystemExit(1 if absent else 0)"
    )
    return subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def _run(name: str, arguments: list[str], out: Path, environment: dict[str, str]) -> str:
    print(f"== {name}", flush=True)
    start = time.monotonic()
    arguments = [argument.replace("{out}", str(out)) for argument in arguments]
    command = [sys.executable, *arguments, "--json", str(out / f"{name}.json")]
    try:
        done = subprocess.run(command, env=environment, timeout=CHUNK_LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"cut off after {CHUNK_LIMIT_S} s"
    print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    return "done" if done.returncode == 0 else f"exit status {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())

"""Suite ``whole-job``: from audio files on disk to the table of scores, ours against librosa and Keras.

Amplitude envelope into 1D CNN + BiLSTM, time and frequency features into dense layers, log-CQT pictures into VGG19 with seven
dense layers, on synthetic clips that are written beforehand. Each contender is a process of its own, timed from its start to
its end, imports and compilation included. The baseline is ``experiments/benchmark/keras_baseline``; where TensorFlow, librosa
or that folder are not there, it is left out by name.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mer_jax import checks
from mer_jax.benchmark import results
from mer_jax.benchmark.results import Report
from mer_jax.data import synthetic
from mer_jax.machine import load_average

SUMMARY = "the whole job: files on disk to the table of scores, against librosa and Keras"

CELLS = ("series-amplitude_envelope", "numbers-time_frequency", "picture-log_cqt")
BASELINE = Path("experiments/benchmark/keras_baseline")
_NEEDS = ("tensorflow", "keras", "librosa")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument("--clips", type=int, help="synthetic clips of 5 s: 1000 (quick: 150)")
    parser.add_argument("--epochs", type=int, help="of every model: 20 (quick: 2)")
    parser.add_argument("--image-size", type=int, default=128, help="pixels a side of VGG19's pictures: 128")
    parser.add_argument("--repeats", type=int, help="of ours; the median counts: 3 (quick: 1)")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help=f"folder of job.py: {BASELINE}")
    parser.add_argument("--music", type=Path, help="folder of clips written before; default: composed anew")


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure all contenders, one after the other."""
    clips = args.clips or (150 if args.quick else 1000)
    epochs = args.epochs or (2 if args.quick else 20)
    repeats = args.repeats or (1 if args.quick else 3)
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if not (args.baseline / "job.py").is_file():
        missing.append(str(args.baseline))
    condition: dict[str, Any] = {
        "suite": "whole-job",
        "options": {"clips": clips, "epochs": epochs, "image_size": args.image_size, "repeats": repeats},
        "skipped": {"keras": f"{', '.join(missing)} not found"} if missing else {},
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    with tempfile.TemporaryDirectory() as folder:
        music = args.music
        if music is None:
            music = synthetic.write_folder(Path(folder) / "music", clips, duration_s=5.0)
        manifest = music / "manifest.csv"
        ours = sorted(
            _ours(manifest, Path(folder) / f"study{number}", epochs, args.image_size)
            for number in range(repeats)
        )
        accuracy = _accuracies(Path(folder) / "study0")
        peers: dict[str, Any] = {}
        if not missing:
            for jit in (False, True):
                found = _keras(manifest, Path(folder) / f"keras{jit}.json", args, epochs, jit)
                peers |= {f"{'keras_xla' if jit else 'keras'}_{vgg}": found for vgg in found["total_s"]}
        report.rows.append(_row(ours, accuracy, peers, clips, epochs))
        on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _row(
    ours: list[float], accuracy: Mapping[str, float], peers: Mapping[str, Any], clips: int, epochs: int
) -> dict[str, Any]:
    seconds = {name: found["total_s"][name.rpartition("_")[2]] for name, found in peers.items()}
    median = ours[len(ours) // 2]
    notes = [f"{clips} clips of 5 s, {epochs} epochs"]
    notes += [
        f"{name}: pictures extrapolated {found['cells']['pictures_study']['extrapolated']}"
        for name, found in peers.items()
        if name.endswith("_study")
    ]
    return results.row(
        "whole-job",
        "whole_job",
        median,
        seconds,
        note="; ".join(notes),
        ours_quartiles_s=[ours[0], ours[-1]],
        accuracy=dict(accuracy),
        details={name: found for name, found in peers.items() if name.endswith("_cached")},
    )


def _ours(manifest: Path, out: Path, epochs: int, image_size: int) -> float:
    command = ["study", "--data", manifest, "--out", out, "--base-init", "he", "--cells", *CELLS]
    command += ["--training.epochs", epochs, "--training.patience", epochs, "--vgg19.image-size", image_size]
    return _timed([sys.executable, "-m", "mer_jax", *map(str, command)])


def _keras(manifest: Path, out: Path, args: argparse.Namespace, epochs: int, jit: bool) -> dict[str, Any]:
    command = [sys.executable, args.baseline / "job.py", manifest, "--json", out, "--epochs", epochs]
    command += ["--image-size", args.image_size, *(["--jit"] if jit else [])]
    _timed(list(map(str, command)))
    return json.loads(out.read_text(encoding="utf-8"))


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise checks.DataError(
            " ".join(command[1:4]), f"ended with status {done.returncode}: {done.stderr.strip()[-400:]}"
        )
    return time.perf_counter() - start


def _accuracies(study: Path) -> dict[str, float]:
    """Test accuracy by cell."""
    found = {}
    for path in sorted((study / "cells").glob("*/*/result.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        found[record["cell"]] = record["scores"]["test"]["accuracy"]
    return found

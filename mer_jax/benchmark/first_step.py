"""Suite ``first-step``: how long from the start of a process until a model has taken its first training step.

Everything counts: the interpreter, imports, building the model, compiling or reading compiled programs from disk, the step.
Each contender is a process of its own. Ours finds the programs of an earlier process on disk, which is what a second run of a
command does; the first of its processes compiles and fills the folder, and what it took beyond is ``compile_s``. Keras keeps
no compiled programs, and its process does not import JAX. Batches as in the suite ``models``, whose builders make the models.
"""

import argparse
import importlib.util
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from mer_jax import checks
from mer_jax.benchmark import models, results
from mer_jax.benchmark.results import Report
from mer_jax.compilation_cache import VARIABLE
from mer_jax.machine import load_average

SUMMARY = "first step: from the start of a process to a model's first training step"

CASES = ("vgg19_frozen_step", "cnn_bilstm_216_step", "cnn_bilstm_1292_step", "dense_step")
_KERAS = ("keras", "keras_xla")
_DONE = "took its first step"
_OURS = """
from mer_jax.compilation_cache import use_compilation_cache
from mer_jax.signal.devices import use_all_cores
use_all_cores()
use_compilation_cache()
import jax
from mer_jax.benchmark import models
with jax.default_matmul_precision("highest"):
    models.case({case!r}).ours().call()
print({done!r}, flush=True)
"""
_THEIRS = """
from mer_jax.benchmark.peers_keras_models import keras_contenders
made = {{peer.name: peer for peer in keras_contenders({case!r}, {parameters!r})}}
made[{name!r}].call()
print({done!r}, flush=True)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument(
        "--cases", nargs="+", choices=CASES, help="which rows; default: all (quick: without 1292)"
    )
    parser.add_argument("--rounds", type=int, help="processes of each: 5 (quick: 3 of ours, 1 of Keras)")


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure the chosen cases."""
    quick = [case for case in CASES if "1292" not in case]
    rounds = {"ours": args.rounds or (3 if args.quick else 5)}
    missing = [name for name in ("tensorflow", "keras") if importlib.util.find_spec(name) is None]
    if not missing:
        rounds |= dict.fromkeys(_KERAS, args.rounds or (1 if args.quick else 5))
    condition: dict[str, Any] = {
        "suite": "first-step",
        "options": {"quick": args.quick, "cases": args.cases, "rounds": rounds},
        "absent": {"keras": f"{', '.join(missing)} not installed"} if missing else {},
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    for case in args.cases or (quick if args.quick else CASES):
        report.rows.append(_row(case, rounds))
        on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _row(case: str, rounds: dict[str, int]) -> dict[str, Any]:
    samples: dict[str, list[float]] = {name: [] for name in rounds}
    with tempfile.TemporaryDirectory() as programs:
        first_s = seconds("ours", case, programs)
        turns = [name for name, count in rounds.items() for _ in range(count)]
        random.Random(0).shuffle(turns)
        for name in turns:
            samples[name].append(seconds(name, case, programs))
    medians = {name: statistics.median(found) for name, found in samples.items()}
    ours_s = medians.pop("ours")
    return results.row(
        "first-step",
        f"first_step_{case.removesuffix('_step')}",
        ours_s,
        medians,
        compile_s=max(0.0, first_s - ours_s),
        note=f"without compiled programs on disk {first_s:.1f} s",
        samples_s=samples,
        without_programs_s=first_s,
    )


def seconds(contender: str, case: str, programs: str) -> float:
    """From starting a process until it says that its first step is done.

    Args:
        contender: ``"ours"``, ``"keras"`` or ``"keras_xla"``.
        case: of :data:`CASES`.
        programs: folder of our compiled programs.

    Raises:
        DataError: the process ends without.
    """
    known = {"case": case, "name": contender, "done": _DONE, "parameters": models.case(case).parameters}
    code = (_OURS if contender == "ours" else _THEIRS).format_map(known)
    # The suite itself keeps no programs; a place that was chosen by JAX's own variable would take them.
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("JAX_COMPILATION_CACHE")
    }
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment | {VARIABLE: programs},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            assert process.stdout is not None  # it is piped
            for line in process.stdout:
                if line.strip() == _DONE:
                    taken_s = time.perf_counter() - start
                    break
            else:
                errors.seek(0)
                raise checks.DataError(
                    f"{contender}, {case}", f"took no step: {errors.read().strip()[-400:]}"
                )
    return taken_s

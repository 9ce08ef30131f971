"""Suite ``scaling``: how the time of a step grows with the batch, on one device and on all.

A row is one batch size. Ours divides the batch over all local devices (a CPU's cores, or several GPUs); the peer ``one_device``
is the same function compiled for a single one. Front-ends on clips of 5 s; their throughput is ``audio_s_per_s``.
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax

from mer_jax.benchmark import results
from mer_jax.benchmark.engine import Plan, measure
from mer_jax.benchmark.results import Report
from mer_jax.benchmark.signals import render_batch
from mer_jax.benchmark.transforms import SR, ours
from mer_jax.machine import load_average

SUMMARY = "scaling: front-ends by batch size, on all devices against one"

CLIP_S = 5.0
CASES = ("mel", "numerical_set")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""On a CPU; sixteen times these on an accelerator."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), help="which rows; default: all")
    parser.add_argument(
        "--batch", nargs="+", type=int, metavar="N", help="batch sizes; default: 1 to 64 (CPU)"
    )


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure the chosen cases at every batch size."""
    factor = 1 if jax.default_backend() == "cpu" else 16
    batches = args.batch or [factor * size for size in (BATCHES[::3] if args.quick else BATCHES)]
    plan = Plan(rounds=5 if args.quick else 15, budget_s=2.0 if args.quick else 8.0)
    condition: dict[str, Any] = {
        "suite": "scaling",
        "options": {"quick": args.quick, "cases": args.cases, "batch": batches},
        "devices": len(jax.local_devices()),
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    for name in args.cases or CASES:
        for batch in batches:
            report.rows.append(_row(name, batch, plan))
            on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _row(name: str, batch: int, plan: Plan) -> dict[str, Any]:
    clips = render_batch(batch, round(CLIP_S * SR), sr=SR)
    measured = measure([ours(name, clips), ours(name, clips, one_device=True)], plan)
    divided = measured.timings["ours"]
    one = measured.timings.get("one_device")
    return results.row(
        "scaling",
        f"{name}, {batch} x {CLIP_S:g} s",
        divided.median_s,
        {"one_device": one.median_s} if one else {},
        compile_s=divided.compile_s,
        note="; ".join(f"{peer} failed: {why}" for peer, why in measured.failed.items()),
        quartiles_s={key: timing.quartiles_s for key, timing in measured.timings.items()},
        audio_s_per_s=batch * CLIP_S / divided.median_s,
        batch=batch,
    )

"""Suite ``frontends``: each transform against the libraries people use for it, by batch and clip length."""

import argparse
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from mer_jax.benchmark.engine import Contender, Measurement, describe_error, measure
from mer_jax.benchmark.frontends_options import Case, Options, add_arguments, options_from
from mer_jax.benchmark.memory import MemoryProbe
from mer_jax.benchmark.peers import Builder, available
from mer_jax.benchmark.results import Report
from mer_jax.benchmark.roofline import Ceilings, bound, measure_ceilings
from mer_jax.benchmark.signals import render_batch
from mer_jax.benchmark.transforms import SR, TRANSFORMS, ours
from mer_jax.machine import load_average
from mer_jax.signal.devices import use_all_cores

SUMMARY = "front-end transforms against librosa, nnAudio, torchaudio, PyTorch and librosax"
# A peer whose result is further from ours (relative L2) did other work: it is timed, but it is not the best peer.
AGREEMENT = 0.05

OnRow = Callable[[Report], None]
Row = dict[str, Any]

__all__ = ["SUMMARY", "Options", "add_arguments", "run", "run_suite"]


def run(args: argparse.Namespace, on_row: OnRow) -> Report:
    """The suite's entry on the command line; ``on_row`` sees the report after each case."""
    return run_suite(options_from(args), on_row)


def run_suite(options: Options, on_row: OnRow = lambda report: None) -> Report:
    """Measure every combination of transform, batch and clip length.

    Returns:
        A report with one row a case. Cases that ``limit_s`` left out, and peers that are not installed, are named in its
        conditions.
    """
    begin = time.perf_counter()
    builders, absent = available(options.peers)
    ceilings = measure_ceilings()
    condition: dict[str, Any] = {
        "suite": "frontends",
        "options": asdict(options),
        "ceilings": asdict(ceilings),
        "devices": jax.local_device_count(),
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
        "absent": absent,
        "left_out": [],
        "load_average_before": load_average(),
        "load_average_after": None,
        "wall_s": None,
    }
    report = Report(conditions=[condition])
    waveforms = np.empty((0, 0), np.float32)
    with MemoryProbe() as probe:
        suite = _Suite(options, builders, ceilings, probe)
        for case in options.cases():
            if options.limit_s is not None and time.perf_counter() - begin > options.limit_s:
                condition["left_out"].append(case.name)
                continue
            if waveforms.shape != (case.batch, case.num_samples):
                waveforms = render_batch(case.batch, case.num_samples, sr=SR, seed=options.seed)
            report.rows.append(suite.row(case, waveforms))
            condition["wall_s"] = round(time.perf_counter() - begin, 1)
            condition["load_average_after"] = load_average()
            on_row(report)
    return report


class _Suite:
    """What all cases of a run share."""

    def __init__(
        self, options: Options, builders: dict[str, Builder], ceilings: Ceilings, probe: MemoryProbe
    ) -> None:
        self._options = options
        self._builders = builders
        self._ceilings = ceilings
        self._probe = probe
        # Seconds a second of audio took, by transform and contender: tells what a larger case would take.
        self._pace: dict[tuple[str, str], float] = {}

    def row(self, case: Case, waveforms: np.ndarray) -> Row:
        """Measure one case."""
        contenders, left_out = self._contenders(case, waveforms)
        try:
            measured = measure(contenders, self._options.plan)
        finally:
            for contender in contenders:
                contender.close()
        for name, timing in measured.timings.items():
            self._pace[case.transform, name] = timing.median_s / case.audio_s
        lower = {contender.name for contender in contenders if not contender.same_precision}
        row = _timing_fields(case, measured, lower, left_out | measured.failed)
        return row | self._bound_fields(case, waveforms, measured) | self._memory_fields(case, measured)

    def _contenders(self, case: Case, waveforms: np.ndarray) -> tuple[list[Contender], dict[str, str]]:
        """Ours first, then the peers; and why some are left out."""
        chosen, left_out = [ours(case.transform, waveforms)], {}
        for peer, build in self._builders.items():
            try:
                built = build(case.transform, waveforms)
            except Exception as error:
                left_out[peer] = describe_error(error)
                continue
            for contender in built:
                expected_s = self._pace.get((case.transform, contender.name), 0.0) * case.audio_s
                if expected_s > self._options.longest_call_s:
                    left_out[contender.name] = f"a call would take about {expected_s:.0f} s"
                    contender.close()
                else:
                    chosen.append(contender)
        return chosen, left_out

    def _bound_fields(self, case: Case, waveforms: np.ndarray, measured: Measurement) -> Row:
        """The least time of this case, and the part of our time that it is."""
        result = measured.outputs["ours"]
        needed = TRANSFORMS[case.transform].ffts(result.shape[-1])
        ffts = [(length, case.batch * count) for length, count in needed]
        limit = bound(waveforms.nbytes + case.batch * result.nbytes, ffts, self._ceilings)
        return {
            "bound_s": limit.seconds,
            "bound_kind": limit.kind,
            "fraction_of_bound": limit.seconds / measured.timings["ours"].median_s,
        }

    def _memory_fields(self, case: Case, measured: Measurement) -> Row:
        asked = {"none": [], "ours": ["ours"], "all": list(measured.timings)}[self._options.memory]
        peaks = {name: self._peak(name, case) for name in asked}
        mib, kind = peaks.pop("ours", (None, None))
        return {
            "peak_mib": mib,
            "peak_kind": kind,
            "peer_peaks_mib": {name: mib for name, (mib, _) in peaks.items()},
        }

    def _peak(self, name: str, case: Case) -> tuple[float | None, str]:
        if name == "librosa_pool":
            return None, "unknown"  # Its memory is that of its workers, which the probe does not see.
        return self._probe.peak(build_contender, name, case, tuple(self._builders), self._options.seed)


def build_contender(name: str, case: Case, peers: tuple[str, ...], seed: int) -> Contender:
    """One contender by name, built anew in the process that measures its memory."""
    use_all_cores()
    waveforms = render_batch(case.batch, case.num_samples, sr=SR, seed=seed)
    if name == "ours":
        return ours(case.transform, waveforms)
    owner = next(peer for peer in peers if name.split("_")[0] == peer)
    builders, _ = available([owner])
    return next(peer for peer in builders[owner](case.transform, waveforms) if peer.name == name)


def _timing_fields(case: Case, measured: Measurement, lower: set[str], left_out: dict[str, str]) -> Row:
    timing = measured.timings["ours"]
    medians = {name: t.median_s for name, t in measured.timings.items() if name != "ours"}
    deviations = {name: _deviation(measured.outputs[name], measured.outputs["ours"]) for name in medians}
    counted, notes = _who_counts(list(medians), deviations, lower)
    notes += [f"{name} not measured: {reason}" for name, reason in left_out.items()]
    best = min(counted, key=lambda name: medians[name]) if counted else None
    return {
        "suite": "frontends",
        "name": case.name,
        "ours_s": timing.median_s,
        "peers": medians,
        "best_peer": best,
        "speedup": None if best is None else medians[best] / timing.median_s,
        "compile_s": timing.compile_s,
        "note": "; ".join(notes),
        "transform": case.transform,
        "batch": case.batch,
        "clip_s": case.clip_s,
        "audio_s_per_s": case.audio_s / timing.median_s,
        "quartiles_s": {name: list(t.quartiles_s) for name, t in measured.timings.items()},
        "rounds": {name: len(t.samples_s) for name, t in measured.timings.items()},
        "calls_a_sample": {name: t.calls for name, t in measured.timings.items()},
        "deviation": deviations,
        "not_measured": left_out,
    }


def _who_counts(
    names: Sequence[str], deviations: dict[str, float | None], lower: set[str]
) -> tuple[list[str], list[str]]:
    """The peers that did the same work in the same precision, and a note on each of the others."""
    counted, notes = [], []
    for name in names:
        deviation = deviations[name]
        if deviation is None:
            notes.append(f"{name} gives another shape or no finite values: not counted")
        elif deviation > AGREEMENT:
            notes.append(f"{name} differs by {deviation:.2g}: not counted")
        elif name in lower:
            notes.append(f"{name} is of lower precision: not counted")
        else:
            counted.append(name)
    return counted, notes


def _deviation(output: np.ndarray, reference: np.ndarray) -> float | None:
    """Relative L2 distance of a peer's first clip from ours; None where the shapes differ or a value is not finite."""
    if output.shape != reference.shape:
        return None
    a, b = np.asarray(output, np.float64), np.asarray(reference, np.float64)
    distance, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    return distance / size if math.isfinite(distance) and size > 0 else None

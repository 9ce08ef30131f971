"""What a profiler's trace says of an accelerator: the share of time in which nothing ran on it, and what took longest."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mer_jax.checks import DataError

_LISTED = 15


def of_trace(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what ``jax.profiler.trace(folder)`` wrote.

    Returns:
        By device: ``span_s`` from the first event on it to the end of the last, ``idle_share`` of it in which no stream had
        one, and ``longest``, the seconds of the kernels and copies that took most in all. Empty for a CPU, which has no plane
        of a device.

    Raises:
        DataError: the folder holds no trace.
    """
    from jax.profiler import ProfileData

    files = sorted(folder.rglob("*.xplane.pb"))
    if not files:
        raise DataError(folder, "holds no trace", expected="a file *.xplane.pb")
    planes = [plane for file in files for plane in ProfileData.from_file(str(file)).planes]
    return of_planes(planes)


def of_planes(planes: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """:func:`of_trace` of planes of ``jax.profiler.ProfileData``."""
    found = {}
    for plane in planes:
        if not plane.name.startswith("/device:"):
            continue
        events = list(_events(plane))
        if not events:
            continue
        seconds: defaultdict[str, float] = defaultdict(float)
        for name, start, end in events:
            seconds[name] += (end - start) / 1e9
        spans = [(start, end) for _, start, end in events]
        whole = max(end for _, end in spans) - min(start for start, _ in spans)
        found[plane.name] = {
            "span_s": whole / 1e9,
            "idle_share": 1 - covered(spans) / whole,
            "longest": dict(sorted(seconds.items(), key=lambda item: -item[1])[:_LISTED]),
        }
    return found


def _events(plane: Any) -> Iterator[tuple[str, float, float]]:
    """(name, start, end) in nanoseconds of what ran on a device.

    A GPU's plane has a line for each stream and others that sum these up (modules, steps); those would hide the gaps.
    """
    lines = list(plane.lines)
    streams = [line for line in lines if line.name.startswith("Stream")]
    for line in streams or lines:
        for event in line.events:
            if event.duration_ns > 0:
                yield event.name, event.start_ns, event.start_ns + event.duration_ns


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals (start, end).

    >>> covered([(0, 2), (1, 3), (5, 6)])
    4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total

"""Timing: contenders take turns in one process, so that a busy moment hits all of them.

A *round* times one sample of every contender, in an order shuffled anew each round; a *sample* is as many calls as it takes
to last ``Plan.sample_s``, so that a call of microseconds is not measured by the clock's and the caches' first touch. A call
ends when its result is ready. The figure is the median over rounds, with the quartiles beside it.
"""

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


def _nothing() -> None:
    """What is released where nothing was acquired."""


@dataclass(frozen=True)
class Contender:
    """One implementation of a case, ready to run.

    Attributes:
        name: as printed; ``"ours"`` for this package.
        call: computes the case once, and returns when the result is ready.
        to_numpy: turns a result into a NumPy array of the part that is compared (of one clip).
        close: releases what ``call`` holds (worker processes, device memory).
        same_precision: False where it computes in a lower precision than ours: timed, never the best peer.
        scale: a call is one part of so many that make up the case (an epoch told from a step): its seconds are multiplied.
        note: what the row says beside the figures.
        device_peak: given ``call``, the bytes of accelerator memory it takes at its peak; None on a CPU.
    """

    name: str
    call: Callable[[], Any]
    to_numpy: Callable[[Any], Any]
    close: Callable[[], None] = _nothing
    same_precision: bool = True
    scale: float = 1.0
    note: str = ""
    device_peak: Callable[[Callable[[], Any]], float] | None = None


@dataclass(frozen=True)
class Plan:
    """How often to measure.

    Attributes:
        rounds: at most so many.
        min_rounds: at least so many of a contender, unless one of its calls takes longer than the budget: then once.
        budget_s: what a contender's rounds may take in all.
        sample_s: a sample lasts at least this long.
        pause_s: idle time before each sample, for the previous contender's threads to go to sleep (those of OpenBLAS spin for
            about 0.1 s; what came after librosa took a third longer with 5 ms).
        seed: of the order in each round.
    """

    rounds: int = 15
    min_rounds: int = 3
    budget_s: float = 10.0
    sample_s: float = 0.02
    pause_s: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        # Not above: a peer whose process is timed from its start must not import JAX, as checks does.
        from mer_jax import checks

        checks.positive_int("rounds", self.rounds)
        checks.positive_int("min_rounds", self.min_rounds)
        checks.positive("budget_s", self.budget_s)

    def rounds_of(self, call_s: float, calls: int) -> int:
        """In how many rounds a contender takes part whose call takes ``call_s``, ``calls`` of them a sample."""
        if call_s > self.budget_s:
            return 1
        affordable = int(self.budget_s / max(call_s * calls, 1e-9))
        return min(self.rounds, max(self.min_rounds, affordable))


@dataclass(frozen=True)
class Timing:
    """What was measured of one contender.

    Attributes:
        first_s: the first call: constants, tracing, compilation and one computation.
        samples_s: seconds a call, one a round.
        calls: calls in a sample.
    """

    first_s: float
    samples_s: tuple[float, ...]
    calls: int

    @property
    def median_s(self) -> float:
        """Median seconds a call."""
        return statistics.median(self.samples_s)

    @property
    def quartiles_s(self) -> tuple[float, float]:
        """First and third quartile of the seconds a call."""
        if len(self.samples_s) == 1:
            return self.samples_s[0], self.samples_s[0]
        low, _, high = statistics.quantiles(self.samples_s, n=4, method="inclusive")
        return low, high

    @property
    def compile_s(self) -> float:
        """What the first call took beyond a usual one; never below 0."""
        return max(0.0, self.first_s - self.median_s)


@dataclass
class Measurement:
    """One case: the timings by contender, the compared outputs, and who failed why."""

    timings: dict[str, Timing] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Entry:
    """A warm contender: what its first call took, calls a sample, and rounds it takes part in."""

    contender: Contender
    first_s: float
    calls: int
    rounds: int


def measure(contenders: Sequence[Contender], plan: Plan) -> Measurement:
    """Time the contenders against each other.

    The first contender is ours: what it raises is raised. A peer that raises is left out, and named in ``failed``.
    """
    result = Measurement()
    entries: list[_Entry] = []
    ours = contenders[0]
    for contender in contenders:
        try:
            entry, output = _warm_up(contender, plan)
        except Exception as error:
            if contender is ours:
                raise
            result.failed[contender.name] = describe_error(error)
            continue
        entries.append(entry)
        result.outputs[contender.name] = output
    samples = _rounds(entries, plan, ours, result.failed)
    for entry in entries:
        name = entry.contender.name
        if name in samples:
            scale = entry.contender.scale
            each = tuple(scale * seconds for seconds in samples[name])
            # What was compiled once does not grow with the number of calls.
            first_s = entry.first_s + (scale - 1) * statistics.median(samples[name])
            result.timings[name] = Timing(first_s, each, entry.calls)
    return result


def describe_error(error: BaseException) -> str:
    """One short line for a result file: the kind of error and the start of its message."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message[:160]}" if message else type(error).__name__


def _warm_up(contender: Contender, plan: Plan) -> tuple[_Entry, Any]:
    """First calls: what they tell of the contender, and the compared part of its result."""
    start = time.perf_counter()
    value = contender.call()
    first_s = time.perf_counter() - start
    output = contender.to_numpy(value)
    del value
    call_s = _sample(contender.call, 1, pause_s=0.0)
    if call_s < 1.0:
        # The second call still warms up (caches, thread pools, allocators); the third tells how long one takes.
        call_s = _sample(contender.call, 1, pause_s=0.0)
    calls = max(1, math.ceil(plan.sample_s / max(call_s, 1e-7)))
    return _Entry(contender, first_s, calls, plan.rounds_of(call_s, calls)), output


def _rounds(
    entries: Sequence[_Entry], plan: Plan, ours: Contender, failed: dict[str, str]
) -> dict[str, list[float]]:
    """Seconds a call by contender, one a round; a peer that raises leaves, and is named in ``failed``."""
    samples: dict[str, list[float]] = {entry.contender.name: [] for entry in entries}
    shuffled, order = list(entries), random.Random(plan.seed)
    total = max(entry.rounds for entry in entries)
    for done in range(total):
        order.shuffle(shuffled)
        for entry in tuple(shuffled):
            if done * entry.rounds % total >= entry.rounds:
                continue  # A slow contender sits out some rounds, evenly spread.
            contender = entry.contender
            try:
                samples[contender.name].append(_sample(contender.call, entry.calls, plan.pause_s))
            except Exception as error:
                if contender is ours:
                    raise
                failed[contender.name] = describe_error(error)
                del samples[contender.name]
                shuffled.remove(entry)
    return samples


def _sample(call: Callable[[], Any], calls: int, pause_s: float) -> float:
    """Seconds a call, over ``calls`` calls in a row, without the collector of garbage in between."""
    time.sleep(pause_s)
    gc.collect(0)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - start) / calls
    finally:
        if was_enabled:
            gc.enable()

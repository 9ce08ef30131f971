"""What is wrong with single clips: silence, clipping, offset, odd durations, files that cannot be decoded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mer_jax.data.audit.findings import Finding, Log, Severity
from mer_jax.data.audit.levels import CLIPPED_RUN, SILENCE_DB, Levels
from mer_jax.data.audit.listening import Heard
from mer_jax.data.catalog import Catalog

LONG_SILENCE_S = 2.0
"""Silence at one end of a clip that is worth knowing."""
MAX_CLIPPED_SHARE = 1e-3
"""Above one sample in a thousand, loudness and brightness tell of the mastering as much as of the music."""
MAX_OFFSET = 0.01
"""Of full scale: at -40 dB it shifts zero crossings and the energy of soft music."""
MIN_DURATION_S = 1.0
ODD_DEVIATIONS = 6.0
"""Robust standard deviations (1.4826 median absolute deviations) from the median that make a duration odd."""
ODD_SHARE = 0.2
"""And the share of the median that it must differ by: where all clips last 30.0 s, 29.9 s is not odd."""


@dataclass(frozen=True)
class _Rule:
    """A measure of a clip, and the limit above which it is a finding."""

    severity: Severity
    what: str
    measure: Callable[[Levels], float]
    limit: float
    unit: str
    expected: str
    remedy: str


_CUT = "cut the silence off, or leave the clips out"
_RULES = (
    _Rule(
        "error",
        "are silent throughout",
        lambda levels: levels.duration_s if levels.silent else 0.0,
        0.0,
        "s of silence",
        f"some sound above {SILENCE_DB:g} dB",
        "leave them out, or fetch them again",
    ),
    _Rule(
        "note",
        "begin with a long silence",
        lambda levels: 0.0 if levels.silent else levels.silent_start_s,
        LONG_SILENCE_S,
        "s of silence",
        f"at most {LONG_SILENCE_S:g} s",
        _CUT,
    ),
    _Rule(
        "note",
        "end with a long silence",
        lambda levels: 0.0 if levels.silent else levels.silent_end_s,
        LONG_SILENCE_S,
        "s of silence",
        f"at most {LONG_SILENCE_S:g} s",
        _CUT,
    ),
    _Rule(
        "warning",
        "are clipped",
        lambda levels: 100 * levels.clipped_share,
        100 * MAX_CLIPPED_SHARE,
        f"% of samples in runs of {CLIPPED_RUN} or more at full scale",
        f"at most {100 * MAX_CLIPPED_SHARE:g} %",
        "take them from a source that is not clipped, or make sure that clipping does not go with the labels",
    ),
    _Rule(
        "warning",
        "have a DC offset",
        lambda levels: abs(levels.offset),
        MAX_OFFSET,
        "of full scale",
        f"at most {MAX_OFFSET:g}",
        "subtract each clip's mean",
    ),
    _Rule(
        "warning",
        f"are shorter than {MIN_DURATION_S:g} s",
        lambda levels: MIN_DURATION_S / max(levels.duration_s, 1e-9),
        1.0,
        "times too short",
        f"at least {MIN_DURATION_S:g} s",
        "leave them out, or fetch them again",
    ),
)


def check_signal(catalog: Catalog, heard: Sequence[Heard | str], log: Log) -> None:
    """Check every clip of a data set.

    Args:
        catalog: the data set.
        heard: what :func:`.listening.listen` returned for it.
        log: where findings go.
    """
    items = dict(zip(catalog.ids, heard, strict=True))
    faults = {id_: item for id_, item in items.items() if isinstance(item, str)}
    levels = {id_: item.levels for id_, item in items.items() if isinstance(item, Heard)}
    log.looked("files", catalog.name, f"{len(items)} clips, {len(faults)} of them cannot be decoded")
    log.looked("signal", catalog.name, f"silence, clipping, offset and duration of {len(levels)} clips")
    if faults:
        log.add(
            Finding(
                check="files",
                severity="error",
                data=catalog.name,
                what=f"{len(faults)} of {len(items)} clips cannot be decoded",
                measure=next(iter(faults.values())),
                expected="files that decode to their end",
                remedy="fetch them again, or leave them out: prepare does so, and lists them",
                ids=tuple(faults),
                each=faults,
            )
        )
    for rule in _RULES:
        values = {id_: rule.measure(measured) for id_, measured in levels.items()}
        beyond = {id_: value for id_, value in values.items() if value > rule.limit}
        if beyond:
            log.add(_finding(catalog, rule, beyond, len(levels)))
    _check_durations(catalog, {id_: measured.duration_s for id_, measured in levels.items()}, log)


def _finding(catalog: Catalog, rule: _Rule, beyond: Mapping[str, float], number: int) -> Finding:
    worst = sorted(beyond, key=lambda id_: -beyond[id_])
    return Finding(
        check="signal",
        severity=rule.severity,
        data=catalog.name,
        what=f"{len(beyond)} of {number} clips {rule.what}",
        measure=f"up to {beyond[worst[0]]:.3g} {rule.unit}",
        expected=rule.expected,
        remedy=rule.remedy,
        ids=tuple(worst),
        each={id_: beyond[id_] for id_ in worst},
    )


def _check_durations(catalog: Catalog, durations_s: Mapping[str, float], log: Log) -> None:
    """Report clips whose length is far from the others'."""
    seconds = np.asarray(list(durations_s.values()))
    if len(seconds) < 3:
        return
    median = float(np.median(seconds))
    deviation = 1.4826 * float(np.median(np.abs(seconds - median)))
    allowed = max(ODD_DEVIATIONS * deviation, ODD_SHARE * median)
    odd = {id_: value for id_, value in durations_s.items() if abs(value - median) > allowed}
    if odd:
        worst = sorted(odd, key=lambda id_: -abs(odd[id_] - median))
        log.add(
            Finding(
                check="signal",
                severity="note",
                data=catalog.name,
                what=f"{len(odd)} of {len(durations_s)} clips are much shorter or longer than the rest",
                measure=f"{min(odd.values()):.2f} to {max(odd.values()):.2f} s",
                expected=f"{max(0.0, median - allowed):.2f} to {median + allowed:.2f} s around a median of {median:.2f} s",
                remedy="look at them; crop or window clips to one length before the network",
                ids=tuple(worst),
                each={id_: odd[id_] for id_ in worst},
            )
        )

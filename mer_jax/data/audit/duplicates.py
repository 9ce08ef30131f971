"""The same recording twice, and what follows from it for splits."""

from collections.abc import Sequence

from mer_jax.data.audit.findings import Finding, Log, Severity
from mer_jax.data.audit.index import SHORTEST_S
from mer_jax.data.audit.listening import Heard
from mer_jax.data.audit.names import Rows
from mer_jax.data.audit.pairing import MIN_CORRELATION, Match, is_comparable


def check_duplicates(
    rows: Rows,
    heard: Sequence[Sequence[Heard | str]],
    matches: Sequence[Match],
    copies: Sequence[tuple[int, ...]],
    log: Log,
) -> None:
    """Report recordings that are there twice, and music that is there again in another rendering.

    Args:
        rows: the clips of all data sets.
        heard: what was heard of them.
        matches: what :func:`.pairing.matches` found.
        copies: what :func:`.pairing.groups_of_copies` made of that.
        log: where findings go.
    """
    everything = [item for of_one in heard for item in of_one]
    compared = sum(map(is_comparable, everything))
    passed_over = sum(isinstance(item, Heard) for item in everything) - compared
    names = ", ".join(catalog.name for catalog in rows.catalogs)
    log.looked(
        "duplicates",
        names,
        f"{compared} clips, each with each; passages of {SHORTEST_S:g} s or more"
        + (f" ({passed_over} clips are too short or silent)" if passed_over else ""),
    )
    for clips in copies:
        _report_copies(rows, clips, [m for m in matches if m.same_recording and m.first in clips], log)
    alike = [m for m in matches if not m.same_recording]
    for match in alike:
        if rows.group(match.first) != rows.group(match.second):
            _report_alike(rows, match, log)
    within = [m for m in alike if rows.group(m.first) == rows.group(m.second)]
    if within:
        each = {f"{rows.name(m.first)} = {rows.name(m.second)}": m.correlation for m in within}
        log.add(
            Finding(
                check="duplicates",
                severity="note",
                data=rows.data([n for m in within for n in (m.first, m.second)]),
                what="clips of one group repeat a passage, in other renderings",
                measure=f"pairs: {len(within)}, correlation of the waveforms up to {max(map(abs, each.values())):.2f}",
                expected=f"the same recording from {MIN_CORRELATION:g} on",
                remedy="nothing, as long as splits do not cut groups",
                ids=tuple(dict.fromkeys(rows.name(n) for m in within for n in (m.first, m.second))),
                each=each,
            )
        )


def _report_copies(rows: Rows, clips: tuple[int, ...], found: Sequence[Match], log: Log) -> None:
    sets = {rows.place(n)[0] for n in clips}
    groups = {rows.group(n) for n in clips}
    severity: Severity = "warning"
    if len(groups) > len(sets):
        severity = "error"
        remedy = "leave all but one out, or give them one group: a grouped split can train on one and test on another"
    elif len(sets) == 1:
        remedy = "leave all but one out: the recording counts twice"
    else:
        remedy = "leave them out of one set before you train on it and test on the other"
    log.add(
        Finding(
            check="duplicates",
            severity=severity,
            data=rows.data(clips),
            what=f"the same recording {len(clips)} times" if len(clips) > 2 else "the same recording twice",
            measure=(
                f"{max(m.duration_s for m in found):.1f} s in common, waveforms correlate at "
                f"{min(abs(m.correlation) for m in found):.3f}, {max(m.bit_error_rate for m in found):.3f} of the bits differ"
            ),
            expected="every recording once",
            remedy=remedy,
            ids=tuple(rows.name(n) for n in clips),
            each={f"{rows.name(m.first)} = {rows.name(m.second)}": _where(m) for m in found},
        )
    )


def _report_alike(rows: Rows, match: Match, log: Log) -> None:
    pair = (match.first, match.second)
    log.add(
        Finding(
            check="duplicates",
            severity="warning",
            data=rows.data(pair),
            what="the same passage in another rendering, in two groups",
            measure=(
                f"{match.duration_s:.1f} s, {match.bit_error_rate:.3f} of the bits differ, waveforms correlate at "
                f"{match.correlation:.2f}"
            ),
            expected="music of its own in every group",
            remedy="listen to both: if it is one piece, give them one group",
            ids=tuple(map(rows.name, pair)),
            each={" = ".join(map(rows.name, pair)): _where(match)},
        )
    )


def _where(match: Match) -> str:
    return (
        f"{match.duration_s:.1f} s from {match.first_s:.2f} s and {max(0.0, match.second_s):.2f} s, "
        f"correlation {match.correlation:.3f}, bit error rate {match.bit_error_rate:.3f}"
    )

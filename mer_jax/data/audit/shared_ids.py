"""Clips that two data sets call by one name."""

from collections.abc import Iterable, Sequence

from mer_jax.data.audit.findings import Finding, Log, Severity
from mer_jax.data.audit.listening import Heard
from mer_jax.data.audit.names import Rows, plain_ids
from mer_jax.data.audit.pairing import Match, is_comparable
from mer_jax.data.catalog import numerical


def shared_ids(rows: Rows) -> dict[str, tuple[int, int]]:
    """Of two data sets, the ids that both have (see :func:`.names.plain_ids`), and the clip of each."""
    first, second = rows.catalogs
    after = {id_: row + len(first) for row, id_ in enumerate(plain_ids(second))}
    return {id_: (row, after[id_]) for row, id_ in enumerate(plain_ids(first)) if id_ in after}


def check_ids(rows: Rows, heard: Sequence[Sequence[Heard | str]], matches: Sequence[Match], log: Log) -> None:
    """Report ids that two data sets share, and whether the recordings are the same.

    Args:
        rows: the clips of two data sets.
        heard: what was heard of them.
        matches: what :func:`.pairing.matches` found.
        log: where findings go.
    """
    shared = shared_ids(rows)
    first, second = (catalog.name for catalog in rows.catalogs)
    log.looked("ids", f"{first}, {second}", f"ids without folder, extension and case: {len(shared)} in both")
    same = {(m.first, m.second) for m in matches if m.same_recording}
    everything = [item for of_one in heard for item in of_one]
    kinds: dict[str, dict[str, tuple[int, int]]] = {"same": {}, "unknown": {}, "other": {}}
    for id_, pair in shared.items():
        known = all(is_comparable(everything[number]) for number in pair)
        kinds["same" if pair in same else "other" if known else "unknown"][id_] = pair
    leave_out = f"leave these ids out of {first} or of {second} before you train on one and test on the other"
    _report(rows, kinds["same"], "warning", "the same recording", "no clip in both data sets", leave_out, log)
    _report(
        rows,
        kinds["unknown"],
        "warning",
        "recordings that are too short, or cannot be decoded, to be compared",
        "no clip in both data sets",
        f"find out whether they are the same clips; if so, {leave_out}",
        log,
    )
    _report(
        rows,
        kinds["other"],
        "note",
        "different recordings",
        "one id for one clip, where data sets are joined",
        "put the data set's name before the id when you join them",
        log,
    )


def _report(
    rows: Rows,
    found: dict[str, tuple[int, int]],
    severity: Severity,
    what: str,
    expected: str,
    remedy: str,
    log: Log,
) -> None:
    if found:
        log.add(
            Finding(
                check="ids",
                severity=severity,
                data=", ".join(catalog.name for catalog in rows.catalogs),
                what=f"ids that both data sets have, {what}: {_range(found)}",
                measure=f"ids: {len(found)}",
                expected=expected,
                remedy=remedy,
                ids=tuple(rows.name(pair[0]) for pair in found.values()),
            )
        )


def _range(ids: Iterable[str]) -> str:
    """The lowest and the highest, as numbers where they are."""
    ordered = sorted(ids, key=numerical)
    return f"{ordered[0]} to {ordered[-1]}" if len(ordered) > 1 else ordered[0]

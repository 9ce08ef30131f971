"""Clips that two data sets call by one name."""

from collections.abc import Sequence

from mer_jax.data.audit.findings import Finding, Log
from mer_jax.data.audit.names import Rows, plain_ids
from mer_jax.data.audit.pairing import Match


def shared_ids(rows: Rows) -> dict[str, tuple[int, int]]:
    """Of two data sets, the ids that both have (see :func:`.names.plain_ids`), and the clip of each."""
    first, second = rows.catalogs
    after = {id_: row + len(first) for row, id_ in enumerate(plain_ids(second))}
    return {id_: (row, after[id_]) for row, id_ in enumerate(plain_ids(first)) if id_ in after}


def check_ids(rows: Rows, matches: Sequence[Match], log: Log) -> None:
    """Report ids that two data sets share, and whether the recordings are the same.

    Args:
        rows: the clips of two data sets.
        matches: what :func:`.pairing.matches` found.
        log: where findings go.
    """
    shared = shared_ids(rows)
    data = ", ".join(catalog.name for catalog in rows.catalogs)
    log.looked("ids", data, f"ids without folder, extension and case: {len(shared)} in both")
    same = {(m.first, m.second) for m in matches if m.same_recording}
    confirmed = {id_: pair for id_, pair in shared.items() if pair in same}
    others = {id_: pair for id_, pair in shared.items() if pair not in same}
    if confirmed:
        log.add(
            Finding(
                check="ids",
                severity="warning",
                data=data,
                what=f"{len(confirmed)} clips are in both data sets under one id: {_range(confirmed)}",
                measure=f"{len(confirmed)} of {len(shared)} shared ids are the same recording",
                expected="no clip in both, where one set is to test what was trained on the other",
                remedy=f"leave these ids out of {rows.catalogs[0].name} or of {rows.catalogs[1].name}",
                ids=tuple(rows.name(pair[0]) for pair in confirmed.values()),
            )
        )
    if others:
        log.add(
            Finding(
                check="ids",
                severity="note",
                data=data,
                what=f"{len(others)} ids are in both data sets, but not as the same recording: {_range(others)}",
                measure=f"{len(others)} of {len(shared)} shared ids",
                expected="one id for one clip, where data sets are joined",
                remedy="put the data set's name before the id when you join them",
                ids=tuple(rows.name(pair[0]) for pair in others.values()),
            )
        )


def _range(ids: Sequence[str] | dict[str, tuple[int, int]]) -> str:
    """The lowest and the highest, as numbers where they are."""
    ordered = sorted(ids, key=lambda id_: (not id_.isdecimal(), int(id_) if id_.isdecimal() else 0, id_))
    return f"{ordered[0]} to {ordered[-1]}" if len(ordered) > 1 else ordered[0]

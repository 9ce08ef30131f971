"""Whether a split keeps apart what it must: groups, and copies of a recording."""

from collections.abc import Iterable, Sequence

from mer_jax.checks import DataError
from mer_jax.data import splits
from mer_jax.data.audit.findings import Finding, Log
from mer_jax.data.audit.names import Rows
from mer_jax.data.catalog import PARTS, Catalog

DEFAULT_SPLIT = "the default grouped split"

Members = tuple[str, Sequence[int]]
"""A group or a recording: its name, and the rows that belong to it."""


def check_splits(rows: Rows, copies: Sequence[tuple[int, ...]], log: Log) -> None:
    """Check each published split of each data set, and fold 0 of the default one.

    Args:
        rows: the clips of all data sets.
        copies: groups of clips that are one recording.
        log: where findings go.
    """
    for which, catalog in enumerate(rows.catalogs):
        own = [[row for c, row in map(rows.place, clips) if c == which] for clips in copies]
        recordings = [(catalog.ids[members[0]], members) for members in own if members]
        for name, parts in catalog.official.items():
            _check_split(catalog, f"the published split {name!r}", parts, recordings, log)
        _check_default(catalog, recordings, log)


def _check_default(catalog: Catalog, recordings: Sequence[Members], log: Log) -> None:
    try:
        split = splits.grouped_split(catalog.labels, catalog.groups, classes=catalog.classes)
    except DataError as error:
        log.looked("splits", catalog.name, f"{DEFAULT_SPLIT}: cannot be made")
        log.add(
            Finding(
                check="splits",
                severity="warning",
                data=catalog.name,
                what=f"{DEFAULT_SPLIT} cannot be made",
                measure=error.problem,
                expected=error.expected or "every class in every part",
                remedy=error.remedy or "use fewer folds",
            )
        )
        return
    part_of = {row: part for part in PARTS for row in getattr(split, part).tolist()}
    _check_split(
        catalog, DEFAULT_SPLIT, [part_of.get(row, "") for row in range(len(catalog))], recordings, log
    )


def _check_split(
    catalog: Catalog, named: str, parts: Sequence[str], recordings: Sequence[Members], log: Log
) -> None:
    """Check one split, given the part of each row."""
    sizes = {part: parts.count(part) for part in PARTS}
    counted = ", ".join(f"{part} {number}" for part, number in sizes.items())
    left_out = [id_ for id_, part in zip(catalog.ids, parts, strict=True) if not part]
    log.looked(
        "splits", catalog.name, f"{named}: {counted}" + (f", left out {len(left_out)}" if left_out else "")
    )
    for part, number in sizes.items():
        if not number:
            inner = part == "validation"
            log.add(
                Finding(
                    check="splits",
                    severity="note" if inner else "error",
                    data=catalog.name,
                    what=f"{named} has no {part} part",
                    measure=counted,
                    expected="clips in every part",
                    remedy=(
                        "take one from the training part, by group"
                        if inner
                        else "compare it with the split's files"
                    ),
                )
            )
    if left_out:
        log.add(
            Finding(
                check="splits",
                severity="note",
                data=catalog.name,
                what=f"{named} leaves clips out",
                measure=f"{len(left_out)} of {len(catalog)} clips",
                expected="every clip in a part, unless the split's authors left some out",
                remedy="say so where you report results on it",
                ids=tuple(left_out),
            )
        )
    groups: dict[str, list[int]] = {}
    for row, group in enumerate(catalog.groups):
        groups.setdefault(group, []).append(row)
    _check_apart(catalog, named, parts, "groups", groups.items(), log)
    _check_apart(catalog, named, parts, "recordings", recordings, log)


def _check_apart(
    catalog: Catalog, named: str, parts: Sequence[str], kind: str, kinds: Iterable[Members], log: Log
) -> None:
    """Report groups, or recordings, that are in two parts: an error where the test part is one of them."""
    cut = [(name, members, {parts[row] for row in members} - {""}) for name, members in kinds]
    cut = [item for item in cut if len(item[2]) > 1]
    for leaks in (True, False):
        found = [item for item in cut if ("test" in item[2]) == leaks]
        if not found:
            continue
        rows = sorted({row for _, members, _ in found for row in members if parts[row]})
        inside = sum(parts[row] == "test" for row in rows)
        where = "the test part and another" if leaks else "the training and the validation part"
        log.add(
            Finding(
                check="splits",
                severity="error" if leaks else "warning",
                data=catalog.name,
                what=f"{named} has {kind} in {where}",
                measure=f"{kind}: {len(found)}, clips: {len(rows)}"
                + (f", {inside} of them in test" if leaks else ""),
                expected=f"{kind} uncut",
                remedy="use a grouped split"
                if kind == "groups"
                else "leave copies out, or give them one group and split by group",
                ids=tuple(catalog.ids[row] for row in rows),
                each={name: ", ".join(p for p in PARTS if p in where_) for name, _, where_ in found},
            )
        )

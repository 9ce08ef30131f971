"""Copies of a recording that are labelled differently."""

from collections.abc import Sequence

import numpy as np

from mer_jax.data.audit.findings import Finding, Log
from mer_jax.data.audit.names import Rows
from mer_jax.data.audit.pairing import Match

MAX_RATING_DIFFERENCE = 0.35
"""Of valence or arousal in [-1, 1]. Two means of ten raters with a standard deviation of 1.6 on a scale of 1 to 9 (as in DEAM)
differ by 0.18 on this scale (one standard error) if they agree: this is two of those."""


def check_labels(rows: Rows, matches: Sequence[Match], log: Log) -> None:
    """Report copies of a recording with different classes, or valence and arousal too far apart.

    Args:
        rows: the clips of all data sets.
        matches: what :func:`.pairing.matches` found; those of one recording count.
        log: where findings go.
    """
    pairs = [(m.first, m.second) for m in matches if m.same_recording]
    names = ", ".join(catalog.name for catalog in rows.catalogs)
    log.looked("labels", names, f"{len(pairs)} pairs of copies")
    for first, second in pairs:
        classes = [_class(rows, number) for number in (first, second)]
        comparable = rows.catalog(first) is rows.catalog(second) or _vocabularies_meet(rows, first, second)
        if comparable and None not in classes and classes[0] != classes[1]:
            _report(rows, (first, second), "class", [str(name) for name in classes], "", log)
        ratings = [r for r in (_ratings(rows, first), _ratings(rows, second)) if r is not None]
        if len(ratings) == 2:
            difference = float(np.abs(ratings[0] - ratings[1]).max())
            if difference > MAX_RATING_DIFFERENCE:
                said = [f"valence {v:.2f}, arousal {a:.2f}" for v, a in ratings]
                _report(rows, (first, second), "valence or arousal", said, f", {difference:.2f} apart", log)


def _report(rows: Rows, pair: tuple[int, int], what: str, said: Sequence[str], by: str, log: Log) -> None:
    one_set = rows.catalog(pair[0]) is rows.catalog(pair[1])
    names = [rows.name(number) for number in pair]
    log.add(
        Finding(
            check="labels",
            severity="error" if one_set else "warning",
            data=rows.data(pair),
            what=f"copies of a recording differ in {what}",
            measure=f"{said[0]} against {said[1]}{by}",
            expected="one class"
            if what == "class"
            else f"at most {MAX_RATING_DIFFERENCE:g} apart on the scale from -1 to 1",
            remedy="decide for one, or leave both out",
            ids=tuple(names),
            each=dict(zip(names, said, strict=True)),
        )
    )


def _vocabularies_meet(rows: Rows, first: int, second: int) -> bool:
    """Whether two data sets sort into the same classes, so that different names contradict each other."""
    one, other = ({name.casefold() for name in rows.catalog(n).classes} for n in (first, second))
    return one == other


def _class(rows: Rows, number: int) -> str | None:
    which, row = rows.place(number)
    label = int(rows.catalogs[which].labels[row])
    return None if label < 0 else rows.catalogs[which].classes[label].casefold()


def _ratings(rows: Rows, number: int) -> np.ndarray | None:
    which, row = rows.place(number)
    ratings = rows.catalogs[which].valence_arousal
    return None if ratings is None else ratings[row]

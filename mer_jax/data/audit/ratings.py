"""Whether ratings of a whole clip agree with ratings over time, and those of one data set with those of another.

Made for a defect that is easily missed: in DEAM as shipped, valence and arousal of the whole clip are exchanged for ids up to
1000. There the valence of a clip follows its arousal over time (r = 0.95), not its valence (r = 0.57).
"""

from collections.abc import Sequence

import numpy as np

from mer_jax._shapes import Float, Int
from mer_jax.checks import ArgumentError
from mer_jax.data.audit.agreement import FEWEST, Agreement, agreement, boundaries
from mer_jax.data.audit.findings import Finding, Log
from mer_jax.data.audit.names import Rows, plain_ids
from mer_jax.data.audit.pairing import Match
from mer_jax.data.catalog import Catalog

MIN_CORRELATION = 0.5
"""Of a rating of the whole clip with the mean of that over time; data sets in order have 0.9 and more."""


def check_over_time(catalog: Catalog, log: Log, *, id_ranges: Sequence[int] = ()) -> None:
    """Compare the ratings of whole clips with the means of those over time, overall and by range of ids.

    Args:
        catalog: the data set; nothing is done unless it has both.
        log: where findings go.
        id_ranges: last id of each range but the last, where ids are numbers; () looks for the boundaries.

    Raises:
        ArgumentError: ``id_ranges`` are given, but the ids are not numbers.
    """
    if catalog.dynamic is None or catalog.valence_arousal is None:
        return
    means = np.full((len(catalog), 2), np.nan)
    for row, series in enumerate(catalog.dynamic.valence_arousal):
        if len(series):
            means[row] = series.mean(axis=0, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(means).all(axis=1))
    static, over_time = catalog.valence_arousal[rows].astype(np.float64), means[rows]
    if len(rows) < FEWEST:
        log.looked("ratings", catalog.name, f"only {len(rows)} clips have ratings over time: not compared")
        return
    ids = plain_ids(catalog)
    numbers = np.array([int(ids[row]) for row in rows]) if all(ids[row].isdecimal() for row in rows) else None
    if id_ranges and numbers is None:
        raise ArgumentError(
            "--id-ranges", f"the ids of {catalog.name} are not numbers", expected="numeric ids"
        )
    ranges = [("all clips", np.arange(len(rows)))]
    if numbers is not None:
        parts = _ranges(numbers, static, over_time, id_ranges)
        ranges += parts if len(parts) > 1 else []
    for name, members in ranges:
        found = agreement(static[members], over_time[members])
        log.looked("ratings", catalog.name, f"whole clip against mean over time, {name}: {_words(found)}")
        # Where ranges differ, they tell what is wrong, and the whole would only repeat it in a blur.
        if name == "all clips" and len(ranges) > 1:
            continue
        _judge(catalog, found, name, tuple(catalog.ids[row] for row in rows[members]), log)


def check_between_sets(rows: Rows, matches: Sequence[Match], log: Log) -> None:
    """Compare the ratings of clips that are in two data sets.

    Args:
        rows: the clips of two data sets, both rated; else nothing is done.
        matches: which are the same recording (those that only share an id do not count).
        log: where findings go.
    """
    first, second = rows.catalogs
    if first.valence_arousal is None or second.valence_arousal is None:
        return
    pairs = {(m.first, m.second - len(first)) for m in matches if m.same_recording}
    own = sorted((a, b) for a, b in pairs if a < len(first) and b >= 0)
    data = f"{first.name}, {second.name}"
    if len(own) < FEWEST:
        log.looked("ratings", data, f"{len(own)} clips in both: not compared")
        return
    a, b = np.array(own).T
    found = agreement(
        first.valence_arousal[a].astype(np.float64), second.valence_arousal[b].astype(np.float64)
    )
    log.looked("ratings", data, f"clips in both: {_words(found)}")
    if found.exchanged:
        log.add(
            Finding(
                check="ratings",
                severity="error",
                data=data,
                what="valence and arousal are exchanged in one of the two data sets",
                measure=_words(found),
                expected="valence to go with valence, arousal with arousal",
                remedy="compare each with its ratings over time, or its paper, and exchange the columns of the wrong one",
                ids=tuple(rows.name(int(row)) for row in a),
            )
        )


def _judge(catalog: Catalog, found: Agreement, name: str, ids: tuple[str, ...], log: Log) -> None:
    if found.exchanged:
        log.add(
            Finding(
                check="ratings",
                severity="error",
                data=catalog.name,
                what=f"valence and arousal of whole clips are exchanged for {name}",
                measure=_words(found),
                expected="valence to go with valence over time, arousal with arousal",
                remedy="exchange the two columns for these clips",
                ids=ids,
            )
        )
    elif found.direct < MIN_CORRELATION:
        log.add(
            Finding(
                check="ratings",
                severity="warning",
                data=catalog.name,
                what=f"ratings of whole clips hardly follow those over time for {name}",
                measure=_words(found),
                expected=f"correlations above {MIN_CORRELATION:g}",
                remedy="look for shifted rows, mixed ids or an inverted scale",
                ids=ids,
            )
        )


def _ranges(
    numbers: Int[np.ndarray, "n"],
    static: Float[np.ndarray, "n 2"],
    over_time: Float[np.ndarray, "n 2"],
    id_ranges: Sequence[int],
) -> list[tuple[str, Int[np.ndarray, "members"]]]:
    """Ranges of ids by name, with the positions that belong to each."""
    order = np.argsort(numbers, kind="stable")
    if id_ranges:
        cuts = np.searchsorted(numbers[order], sorted(id_ranges), side="right").tolist()
    else:
        cuts = boundaries(static, over_time, order)
    parts = [part for part in np.split(order, cuts) if len(part) >= FEWEST]
    return [(f"ids {numbers[part[0]]} to {numbers[part[-1]]}", part) for part in parts]


def _words(found: Agreement) -> str:
    return (
        f"valence r {found.valence:.2f}, arousal r {found.arousal:.2f}; crossed: valence with arousal "
        f"{found.valence_arousal:.2f}, arousal with valence {found.arousal_valence:.2f} ({found.clips} clips)"
    )

"""Valence and arousal as data sets ship them: on a scale of their own, once a clip or over time."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mer_jax._shapes import Float
from mer_jax.checks import DataError
from mer_jax.data.builders.tables import Table, read_table

QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
"""Positive valence and high arousal; negative and high; negative and low; positive and low."""

Series = tuple[float, Float[np.ndarray, "times 2"]]
"""Seconds from the start of a clip to its first rating, and valence and arousal from there on."""


def quadrant(valence: float, arousal: float, scale: tuple[float, float]) -> str:
    """The quadrant of a rating; the centre of the scale itself counts as low (common, but not universal).

    >>> quadrant(8, 7, (1, 9)), quadrant(5, 7, (1, 9)), quadrant(5, 5, (1, 9)), quadrant(6, 5, (1, 9))
    ('Q1', 'Q2', 'Q3', 'Q4')
    """
    centre = sum(scale) / 2
    if arousal > centre:
        return "Q1" if valence > centre else "Q2"
    return "Q4" if valence > centre else "Q3"


def wide_series(valence: Path, arousal: Path, *, rate_hz: float) -> dict[str, Series]:
    """Ratings over time from two tables with a row a song and a column a moment (``sample_15000ms``, ``sample_15500ms``, ...).

    The tables may end at different moments; songs end where their cells become empty. Where cells are empty in between, the
    longest stretch without a gap is kept.

    Args:
        valence: the table of valence.
        arousal: that of arousal.
        rate_hz: moments a second that the columns must have.

    Returns:
        The series by song id.

    Raises:
        DataError: a table cannot be read, a cell is not a number, or the moments have another distance.
    """
    tables = [read_table(path, needs=["song_id"]) for path in (valence, arousal)]
    times = [
        {int(match[1]): name for name in table.columns if (match := re.fullmatch(r"sample_(\d+)ms", name))}
        for table in tables
    ]
    shared = sorted(times[0].keys() & times[1].keys())
    if len(shared) < 2 or set(np.diff(shared).tolist()) != {round(1000 / rate_hz)}:
        raise DataError(
            valence, f"its columns and those of {arousal.name} are not {rate_hz:g} a second side by side"
        )
    rows = [{row["song_id"]: row for row in table.rows} for table in tables]
    found = {}
    for song in rows[0].keys() & rows[1].keys():
        values = np.stack(
            [
                _cells(table, by_id[song], [names[time] for time in shared])
                for table, by_id, names in zip(tables, rows, times, strict=True)
            ],
            axis=1,
        )
        found[song] = series(np.array(shared) / 1000, values)
    return found


def series(times_s: Float[np.ndarray, "all"], values: Float[np.ndarray, "all 2"]) -> Series:
    """The longest stretch of ``values`` without NaN, and when it begins."""
    rated = np.isfinite(values).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rated, [False]]).astype(int)))
    begins, ends = edges[::2], edges[1::2]
    if not begins.size:
        return 0.0, np.zeros((0, 2), np.float32)
    longest = int(np.argmax(ends - begins))
    begin, end = begins[longest], ends[longest]
    return float(times_s[begin]), values[begin:end].astype(np.float32)


def _cells(table: Table, row: Mapping[str, str], columns: list[str]) -> Float[np.ndarray, "times"]:
    return np.array([table.number(row, name) if row[name] else np.nan for name in columns], np.float64)

"""Tables of plain text, for a terminal."""

import unicodedata
from collections.abc import Sequence

from mer_jax.evaluation.html import printable


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Lines of a table with the first ``left`` columns to the left and the others to the right.

    >>> columns(["class", "clips"], [["Sad", "7"], ["Happy", "12"]])
    ['class  clips', 'Sad        7', 'Happy     12']
    """
    table = [[printable(cell) for cell in row] for row in [header, *rows]]
    widths = [max(_width(row[k]) for row in table) for k in range(len(header))]
    return ["  ".join(_padded(row, widths, left)).rstrip() for row in table]


def _padded(row: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    fill = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    return [
        cell + space if k < left else space + cell
        for k, (cell, space) in enumerate(zip(row, fill, strict=True))
    ]


def _width(name: str) -> int:
    """Columns a terminal needs: East Asian wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name
    )

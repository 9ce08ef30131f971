"""Reading the tables of published data sets, which are seldom quite what their extension says.

Seen in the wild: blanks after the commas of the header, tabs inside the cells, CRLF, a byte-order mark, latin-1, semicolons,
rows with fewer or more cells than the header, names that differ in case. All of that is taken in stride; a missing column or a
word where a number belongs is an error that names file and row.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mer_jax.checks import DataError

_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """A table with named columns.

    Attributes:
        path: its file.
        columns: names as :func:`column_name` writes them.
        rows: cells by column, stripped; "" where a row ended early. Cells beyond the header are dropped.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def number(self, row: Mapping[str, str], column: str) -> float:
        """A cell as a number.

        Raises:
            DataError: it is not one.
        """
        try:
            return float(row[column])
        except ValueError:
            first = self.columns[0]
            raise DataError(
                self.path,
                f"in the row of {first} {row[first]!r}, {column} is {row[column]!r}",
                expected="a number",
            ) from None


def read_table(path: Path, *, needs: Sequence[str] = ()) -> Table:
    """Read a table whose first row names its columns.

    Args:
        path: the file.
        needs: columns that have to be there, as :func:`column_name` writes them.

    Raises:
        DataError: the file cannot be read, has no rows, or lacks a column.
    """
    header, *body = read_rows(path)
    columns = tuple(column_name(cell) for cell in header)
    for name in needs:
        if name not in columns:
            near = get_close_matches(name, columns, n=1)
            raise DataError(
                path,
                f"has no column {name!r} (columns: {', '.join(columns)})",
                remedy=f"did they rename it to {near[0]!r}? fetch the published file" if near else "",
            )
    if not body:
        raise DataError(path, "has a header but no rows")
    padded = (row + [""] * (len(columns) - len(row)) for row in body)
    rows = tuple(dict(zip(columns, row, strict=False)) for row in padded)
    return Table(path, columns, rows)


def read_rows(path: Path) -> list[list[str]]:
    """All rows that hold anything, cells stripped; the delimiter is what the first line has most of.

    Raises:
        DataError: the file cannot be read, or holds nothing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(path, f"is not a table ({error})") from error
    rows = [[cell.strip() for cell in row] for row in found]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(path, "is empty")
    return rows


def column_name(text: str) -> str:
    """A column's name in lower case, without blanks around it or around underscores.

    >>> column_name(" valence_ max_mean"), column_name("Song title")
    ('valence_max_mean', 'song title')
    """
    return re.sub(r"\s*_\s*", "_", " ".join(text.lower().split()))

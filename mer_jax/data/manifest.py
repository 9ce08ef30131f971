"""A CSV file that lists clips: ``path,label,group[,valence,arousal][,id][,target_...]``.

Comma-separated, UTF-8, with a header row; columns in any order, further ones are passed over. Paths are relative to the CSV
file. ``group`` is what a split must not cut: the song that clips were cut from, the artist, the actor. ``label`` may be left
out, or empty, where ``valence`` and ``arousal`` (both in [-1, 1]), or columns named ``target_...`` are given: numbers to
predict, such as ``target_calmness``, the share of listeners who voted for it, or 1 and 0 for a tag that a clip has or not.
"""

import csv
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from mer_jax.checks import DataError
from mer_jax.data import files
from mer_jax.data.atomic import atomic_path
from mer_jax.data.catalog import Catalog

COLUMNS = ("path", "label", "group", "valence", "arousal", "id")
TARGET = "target_"
"""Prefix of the columns that hold numbers to predict."""
_SHOWN = 20


@dataclass(frozen=True)
class _Row:
    path: Path
    label: str
    group: str
    ratings: tuple[float, float] | None
    id: str
    targets: dict[str, float]


def catalog(csv_file: str | Path, *, sr: int = 22050, read_headers: bool = True) -> Catalog:
    """List the clips of a manifest.

    Args:
        csv_file: the manifest.
        sr: rate to deliver, in Hz.
        read_headers: open each file to learn its duration; without it ``durations_s`` is None, and a bad file shows later.

    Raises:
        DataError: the file cannot be read, a column is missing, rows cannot be used (each is named by its line), some rows have
            a label (or ratings) and others do not, or audio files cannot be opened.
    """
    csv_file = Path(csv_file)
    rows = _read(csv_file)
    for what, given in (
        ("label", [bool(r.label) for r in rows]),
        ("rating", [r.ratings is not None for r in rows]),
    ):
        if any(given) and not all(given):
            raise DataError(
                csv_file,
                f"{given.count(False)} of {len(rows)} rows have no {what}",
                expected=f"a {what} in all or none",
            )
    classes = tuple(sorted({row.label for row in rows if row.label}))
    index = {name: i for i, name in enumerate(classes)} | {"": -1}
    paths = [row.path for row in rows]
    ratings = [row.ratings for row in rows if row.ratings is not None]
    targets = rows[0].targets
    return Catalog(
        name=csv_file.stem,
        classes=classes,
        ids=tuple(row.id for row in rows),
        groups=tuple(row.group for row in rows),
        labels=np.asarray([index[row.label] for row in rows], dtype=np.int32),
        valence_arousal=np.asarray(ratings, dtype=np.float32) if ratings else None,
        sr=sr,
        durations_s=files.durations(paths, sr=sr, where=csv_file) if read_headers else None,
        source=files.FileSource(paths, sr=sr),
        targets=np.asarray([list(row.targets.values()) for row in rows], np.float32) if targets else None,
        target_names=tuple(targets),
    )


def write(csv_file: str | Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a manifest; what it holds can be read back by :func:`catalog`.

    Args:
        csv_file: where to. Paths are written relative to its folder.
        rows: one mapping a clip, keys from :data:`COLUMNS` or beginning with :data:`TARGET`; all rows have the same keys,
            ``path`` and ``group`` among them.

    Raises:
        DataError: there are no rows, or their keys differ or are unknown.
    """
    csv_file = Path(csv_file)
    listed = [dict(row) for row in rows]
    if not listed:
        raise DataError(csv_file, "there are no rows to write")
    columns = [name for name in COLUMNS if name in listed[0]]
    columns += [name for name in listed[0] if name.startswith(TARGET)]
    for number, row in enumerate(listed):
        if set(row) != set(columns) or not {"path", "group"} <= set(row):
            raise DataError(
                csv_file,
                f"row {number} has the keys {sorted(row)}",
                expected=f"some of {', '.join(COLUMNS)}, equal in all rows",
            )
        path = Path(str(row["path"])).absolute()
        row["path"] = Path(os.path.relpath(path, csv_file.parent.absolute())).as_posix()
    with atomic_path(csv_file) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(listed)


def _read(csv_file: Path) -> list[_Row]:
    try:
        with open(csv_file, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            reader.fieldnames = _header(csv_file, reader.fieldnames)
            numbered = [(reader.line_num, cells) for cells in reader]
    except OSError as error:
        raise DataError(csv_file, f"cannot be read ({error.strerror})", expected="a manifest CSV") from error
    except UnicodeDecodeError as error:
        raise DataError(
            csv_file, f"is not UTF-8 ({error.reason} at byte {error.start})", remedy="save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(
            csv_file, f"is not a CSV file ({error})", expected="comma-separated values"
        ) from error
    rows, faults = _parse(csv_file, numbered)
    if faults:
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise DataError(
            csv_file,
            f"{len(faults)} of {len(numbered)} rows cannot be used: {' | '.join(faults[:_SHOWN] + more)}",
        )
    if not rows:
        raise DataError(csv_file, "lists no clips", expected="a header row and one row a clip")
    return rows


def _header(csv_file: Path, names: Iterable[str] | None) -> list[str]:
    """Column names, stripped and in lower case; raises where one that is needed is missing."""
    found = [name.strip().lower() for name in names or ()]
    unlabelled = {"valence", "arousal"} <= set(found) or any(name.startswith(TARGET) for name in found)
    needed = ["path", "group"] + ([] if unlabelled else ["label"])
    for name in needed:
        if name in found:
            continue
        if len(found) == 1 and any(mark in found[0] for mark in ";\t|"):
            raise DataError(csv_file, "its columns are not separated by commas", remedy="save it with commas")
        near = get_close_matches(name, found, n=1)
        why = {"group": "; where every file is a song of its own, repeat the file's name"}.get(name, "")
        raise DataError(
            csv_file,
            f"has no column {name!r} (columns: {', '.join(found) or 'none'})",
            expected="path,label,group[,valence,arousal][,id]",
            remedy=f"rename {near[0]!r} to {name!r}" if near else f"add it{why}",
        )
    repeated = {
        name for name in found if found.count(name) > 1 and (name in COLUMNS or name.startswith(TARGET))
    }
    if repeated:
        raise DataError(
            csv_file, f"has two columns named {sorted(repeated)[0]!r}", remedy="rename one of them"
        )
    return found


def _parse(csv_file: Path, numbered: list[tuple[int, dict]]) -> tuple[list[_Row], list[str]]:
    """Rows that can be used, and for every other one what is wrong with it, by line."""
    rows: list[_Row] = []
    faults: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in numbered:
        try:
            row = _row(csv_file.parent, cells)
            for what, value in (("path", os.path.normpath(row.path)), ("id", row.id)):
                first = seen.setdefault((what, value), line)
                if first != line:
                    raise ValueError(f"the {what} {value!r} is already in line {first}")
        except ValueError as error:
            faults.append(f"line {line}: {error}")
        else:
            rows.append(row)
    return rows, faults


def _row(folder: Path, cells: dict) -> _Row:
    """Read one row; raises ValueError with the words for the message."""
    if None in cells or None in cells.values():
        raise ValueError("has more or fewer cells than the header")
    cell = {name: value.strip() for name, value in cells.items()}
    for name in ("path", "group"):
        if not cell[name]:
            raise ValueError(f"{name} is empty")
    path = folder / cell["path"]
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    ratings = _ratings(cell.get("valence", ""), cell.get("arousal", ""))
    targets = {
        name.removeprefix(TARGET): _number(name, text)
        for name, text in cell.items()
        if name.startswith(TARGET)
    }
    if not cell.get("label") and ratings is None and not targets:
        raise ValueError("label is empty, and there is no valence and arousal")
    return _Row(path, cell.get("label", ""), cell["group"], ratings, cell.get("id") or cell["path"], targets)


def _ratings(valence: str, arousal: str) -> tuple[float, float] | None:
    if not valence and not arousal:
        return None
    values = []
    for name, text in (("valence", valence), ("arousal", arousal)):
        value = _number(name, text)
        if not -1 <= value <= 1:
            raise ValueError(f"{name} is {text}, outside [-1, 1]: scale it")
        values.append(value)
    return values[0], values[1]


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text}, not a finite number")
    return value

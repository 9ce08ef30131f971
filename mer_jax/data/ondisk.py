"""Prepared data sets: a TFDS ArrayRecord folder with an index beside it.

The audio is read through ``tfds.data_source`` by record number, without TensorFlow. The index (``catalog.json``) repeats what
is not audio, so that opening a data set reads no records.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax._shapes import Float, Num
from mer_jax.checks import DataError
from mer_jax.data.atomic import atomic_path
from mer_jax.data.catalog import Catalog, Dynamic
from mer_jax.data.memory import to_float32

INDEX_NAME = "catalog.json"
REFUSED_NAME = "refused.csv"
"""The clips that were left out: ``id,problem``."""
DTYPES = ("int16", "float32")
SPLIT = "train"  # TFDS wants a name; dividing the clips is left to mer_jax.data.splits.
_FORMAT = 1
_AGAIN = "prepare the data set again"


@dataclass(frozen=True)
class Refusal:
    """A clip that was left out, and why."""

    id: str
    problem: str


def write_index(
    folder: Path,
    catalog: Catalog,
    rows: Sequence[int],
    lengths: Sequence[int],
    refused: Sequence[Refusal],
    *,
    dtype: str = "int16",
) -> None:
    """Write the index of a prepared data set, and the list of what it lacks.

    Args:
        folder: where its records are.
        catalog: what was prepared.
        rows: the rows of ``catalog`` that were written, in the order of the records.
        lengths: samples in each of them.
        refused: the rest.
        dtype: of the stored samples, one of :data:`DTYPES`.
    """
    index = {"format": _FORMAT, **describe(catalog, rows)}
    index |= {
        "dtype": dtype,
        "lengths": list(lengths),
        "refused": [{"id": r.id, "problem": r.problem} for r in refused],
    }
    with (
        atomic_path(folder / REFUSED_NAME) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([("id", "problem"), *((r.id, r.problem) for r in refused)])
    with atomic_path(folder / INDEX_NAME) as temporary:
        temporary.write_text(json.dumps(index, ensure_ascii=False, indent=0), encoding="utf-8")


def describe(catalog: Catalog, rows: Sequence[int]) -> dict[str, Any]:
    """Everything about some rows of a catalog but their audio, as what JSON can hold."""
    ratings = catalog.valence_arousal
    return {
        "name": catalog.name,
        "classes": catalog.classes,
        "sr": catalog.sr,
        "facts": dict(catalog.facts),
        "ids": [catalog.ids[row] for row in rows],
        "groups": [catalog.groups[row] for row in rows],
        "labels": [int(catalog.labels[row]) for row in rows],
        "valence_arousal": None if ratings is None else [ratings[row].tolist() for row in rows],
        "targets": None if catalog.targets is None else [catalog.targets[row].tolist() for row in rows],
        "target_names": catalog.target_names,
        "rating_range": catalog.rating_range,
        "dynamic": _dynamic_to_json(catalog.dynamic, rows),
        "official": {name: [parts[row] for row in rows] for name, parts in catalog.official.items()},
        "extra": {name: [values[row] for row in rows] for name, values in catalog.extra.items()},
    }


def _dynamic_to_json(dynamic: Dynamic | None, rows: Sequence[int]) -> dict[str, Any] | None:
    if dynamic is None:
        return None
    return {
        "rate_hz": dynamic.rate_hz,
        "rating_range": dynamic.rating_range,
        "start_s": [float(dynamic.start_s[row]) for row in rows],
        "valence_arousal": [dynamic.valence_arousal[row].tolist() for row in rows],
    }


def _dynamic_from_json(found: Mapping[str, Any] | None) -> Dynamic | None:
    if found is None:
        return None
    series = (np.asarray(values, dtype=np.float32).reshape(-1, 2) for values in found["valence_arousal"])
    scale = found.get("rating_range")  # absent where it was prepared before scales were kept
    return Dynamic(
        found["rate_hz"],
        np.asarray(found["start_s"], dtype=np.float64),
        tuple(series),
        None if scale is None else tuple(scale),
    )


def is_prepared(folder: Path) -> bool:
    """Whether ``folder`` looks like a prepared data set."""
    return (folder / INDEX_NAME).is_file()


def summary(folder: Path) -> tuple[str, int]:
    """Name and number of clips of a prepared data set, without opening its records.

    Raises:
        DataError: it is none.
    """
    index = _read_index(folder)
    try:
        return index["name"], len(index["ids"])
    except KeyError as error:
        raise DataError(folder / INDEX_NAME, f"is damaged ({error!r})", remedy=_AGAIN) from error


def catalog(folder: str | Path, *, sr: int | None = None) -> Catalog:
    """Open a prepared data set.

    Args:
        folder: where it is.
        sr: the rate that is wanted, in Hz; None takes what was prepared.

    Raises:
        DataError: the index or the records are missing or do not belong together, or another rate was prepared.
    """
    folder = Path(folder)
    index = _read_index(folder)
    try:
        source = RecordSource(folder, index["lengths"])
        ratings, targets = index["valence_arousal"], index.get("targets")
        opened = Catalog(
            name=index["name"],
            classes=tuple(index["classes"]),
            ids=tuple(index["ids"]),
            groups=tuple(index["groups"]),
            labels=np.asarray(index["labels"], dtype=np.int32),
            valence_arousal=None if ratings is None else np.asarray(ratings, dtype=np.float32).reshape(-1, 2),
            sr=index["sr"],
            durations_s=np.asarray(index["lengths"], dtype=np.float64) / index["sr"],
            source=source,
            facts=dict(index["facts"]),
            targets=None if targets is None else np.asarray(targets, dtype=np.float32),
            target_names=tuple(index.get("target_names", ())),
            rating_range=tuple(scale) if (scale := index.get("rating_range")) else None,
            dynamic=_dynamic_from_json(index.get("dynamic")),
            official={name: tuple(parts) for name, parts in index.get("official", {}).items()},
            extra={name: tuple(values) for name, values in index.get("extra", {}).items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(folder / INDEX_NAME, f"is damaged ({error!r})", remedy=_AGAIN) from error
    if sr is not None and sr != opened.sr:
        raise DataError(
            folder,
            f"was prepared at {opened.sr} Hz, not {sr} Hz",
            remedy=f"ask for {opened.sr} Hz, or {_AGAIN} at {sr} Hz",
        )
    return opened


def _read_index(folder: Path) -> Mapping[str, Any]:
    path = folder / INDEX_NAME
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})", expected="a prepared data set") from error
    except ValueError as error:
        raise DataError(path, f"is damaged ({error})", remedy=_AGAIN) from error
    if not isinstance(index, dict) or index.get("format") != _FORMAT:
        raise DataError(
            path, "is of another version, or not an index", expected=f"format {_FORMAT}", remedy=_AGAIN
        )
    return index


class RecordSource:
    """Clips from ArrayRecord files, by record number.

    Args:
        folder: a prepared data set.
        lengths: samples of each clip, from the index.

    Raises:
        DataError: record files are missing, cut, or do not belong to the index.
    """

    def __init__(self, folder: Path, lengths: Sequence[int]) -> None:
        import tensorflow_datasets as tfds

        self._folder = folder
        self._lengths = lengths
        try:
            self._records = tfds.builder_from_directory(folder).as_data_source(split=SPLIT)
            number = len(self._records)
            if number:
                self._records.data_source[number - 1]  # opens the last file, so that a missing one shows now
        except Exception as error:  # TFDS and its parsers each raise their own
            raise DataError(
                folder, f"its records cannot be opened ({_first_line(error)})", remedy=_AGAIN
            ) from error
        if number != len(lengths):
            raise DataError(folder, f"has {number} records but {len(lengths)} in its index", remedy=_AGAIN)

    def __len__(self) -> int:
        return len(self._lengths)

    def clip(self, row: int) -> Num[np.ndarray, "samples"]:
        """A clip as it is stored: int16, or float32 if it was prepared so."""
        try:
            y = self._records[row]["waveform"]
        except RuntimeError as error:
            raise DataError(
                self._folder, f"record {row} is damaged ({_first_line(error)})", remedy=_AGAIN
            ) from error
        if y.size != self._lengths[row]:
            raise DataError(
                self._folder,
                f"record {row} has {y.size} samples, {self._lengths[row]} in its index",
                remedy=_AGAIN,
            )
        return y

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]:
        y = self.clip(row)
        return to_float32(y) if y.dtype == np.int16 else y


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]

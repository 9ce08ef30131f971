"""Dividing a data set so that no group is cut and two people get the same parts.

By default (:func:`grouped_split`): the test part is fold ``fold`` of scikit-learn's
``StratifiedGroupKFold(folds, shuffle=True, random_state=seed)``; the validation part is the first fold of
``StratifiedGroupKFold(8, shuffle=True, random_state=seed)`` on what remains. :func:`hash_split` depends on the names of the
groups alone; :func:`official_split` is what was published with a data set.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Int
from mer_jax.checks import DataError
from mer_jax.data.catalog import PARTS, Catalog

FOLDS = 10
"""Of the protocol."""
VALIDATION_FOLDS = 8


@dataclass(frozen=True)
class Split:
    """Row numbers of three parts without a row, or a group, in common; each in ascending order."""

    train: Int[np.ndarray, "train"]
    validation: Int[np.ndarray, "validation"]
    test: Int[np.ndarray, "test"]


def grouped_split(
    labels: Int[np.ndarray, "n"],
    groups: Sequence[str],
    *,
    fold: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> Split:
    """Divide rows into training, validation and test parts, stratified by label, without cutting a group.

    Args:
        labels: class of each row; rows without one (-1) are a stratum of their own.
        groups: group of each row.
        fold: which fold is the test part, 0..folds-1.
        folds: number of folds.
        seed: seeds both divisions.
        classes: names of the classes, for messages.

    Raises:
        DataError: a class has fewer groups (or rows) than the divisions need.
        ArgumentError: ``fold``, ``folds`` or ``seed`` are out of range.

    >>> labels, groups = np.arange(200) % 2, [f"song {i // 4}" for i in range(200)]
    >>> split = grouped_split(labels, groups)
    >>> len(split.train), len(split.validation), len(split.test)
    (156, 24, 20)
    """
    checks.positive_int("folds", folds, minimum=2)
    checks.positive_int("seed", seed, minimum=0)
    checks.one_of("fold", fold, range(folds))
    if len(labels) != len(groups):
        raise DataError(
            "split", f"there are {len(labels)} labels but {len(groups)} groups", expected="one each a row"
        )
    group_ids = _numbered(groups)
    _check_size(labels, group_ids, folds, classes, "folds", "add songs, or lower the number of folds")
    rest, test = _folds(labels, group_ids, folds, seed)[fold]
    _check_size(labels[rest], group_ids[rest], VALIDATION_FOLDS, classes, "validation folds", "add songs")
    train, validation = _folds(labels[rest], group_ids[rest], VALIDATION_FOLDS, seed)[0]
    split = Split(train=rest[train], validation=rest[validation], test=test.copy())
    absent = sorted(set(np.unique(labels)) - set(labels[split.train]))
    if absent:
        raise DataError(
            "split",
            f"{_name(absent[0], classes)} is not in the training part (most of its rows are in one group)",
            remedy="use another seed, or smaller groups",
        )
    return split


def split_of(catalog: Catalog, name: str, *, fold: int = 0, folds: int = FOLDS, seed: int = 0) -> Split:
    """Divide a catalog in the way that ``name`` says: "grouped", "hash", or the name of a published split.

    Args:
        catalog: what to divide.
        name: which way.
        fold: of "grouped": which fold is the test part.
        folds: of "grouped": number of folds.
        seed: of "grouped", and of the validation part of a published split that has none.

    Raises:
        DataError: it cannot be divided so, or has no published split of that name (those it has are named).
        ArgumentError: a number is out of range.
    """
    if name == "grouped":
        return grouped_split(
            catalog.labels, catalog.groups, fold=fold, folds=folds, seed=seed, classes=catalog.classes
        )
    return hash_split(catalog) if name == "hash" else official_split(catalog, name, seed=seed)


def official_split(catalog: Catalog, name: str, *, seed: int = 0) -> Split:
    """The published split of a name, as it was published: it may cut groups, and leave clips out.

    Where it has no validation part, the first fold of ``StratifiedGroupKFold(8, shuffle=True, random_state=seed)`` of its
    training part is taken.

    Args:
        catalog: a data set with such a split.
        name: of the split.
        seed: of the validation part, where there is none.

    Raises:
        DataError: there is no such split, or its training or test part is empty.
    """
    if name not in catalog.official:
        known = ", ".join(repr(other) for other in catalog.official)
        raise DataError(
            catalog.name,
            f"has no published split {name!r}",
            expected=f"one of 'grouped', 'hash'{', ' + known if known else ' (it has no published ones)'}",
        )
    parts = np.asarray(catalog.official[name])
    train, validation, test = (np.flatnonzero(parts == part) for part in PARTS)
    for part, rows in (("train", train), ("test", test)):
        if not rows.size:
            raise DataError(
                catalog.name, f"its published split {name!r} has no clips in the {part} part here"
            )
    if not validation.size:
        labels, groups = catalog.labels[train], _numbered([catalog.groups[row] for row in train])
        _check_size(
            labels, groups, VALIDATION_FOLDS, catalog.classes, "validation folds", "use another split"
        )
        kept, held = _folds(labels, groups, VALIDATION_FOLDS, seed)[0]
        train, validation = train[kept], train[held]
    return Split(train=train, validation=validation, test=test)


def hash_split(catalog: Catalog) -> Split:
    """A split that depends on the names of the groups alone: SHA-1 of :func:`normalised_group`, as an integer, modulo 10.

    0 to 7 are the training part, 8 the validation part, 9 the test part: about 80, 10 and 10 % of the groups. It stays the same
    when clips are added, and puts an artist in the same part of every data set.

    Raises:
        DataError: a part is empty, for want of groups.
    """
    hashed = np.array(
        [
            int.from_bytes(hashlib.sha1(normalised_group(group).encode()).digest(), "big") % 10
            for group in catalog.groups
        ]
    )
    split = Split(*(np.flatnonzero(part) for part in (hashed < 8, hashed == 8, hashed == 9)))
    for part in PARTS:
        if not len(getattr(split, part)):
            raise DataError(
                catalog.name,
                f"its {len(set(catalog.groups))} groups leave the {part} part of the hash split empty",
                remedy="use the split 'grouped'",
            )
    return split


def normalised_group(name: str) -> str:
    r"""A group's name without what varies in its spelling: compatible characters (NFKC), case, blanks.

    >>> normalised_group("  Mädchen\tAmick ") == normalised_group("mädchen amick")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_no_group_cut(split: Split, groups: Sequence[str]) -> None:
    """Raise :class:`DataError`, naming a group, if one is in two parts of ``split``; likewise for a row."""
    names = np.asarray(groups, dtype=str)
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    home: dict[str, str] = {}
    rows: dict[int, str] = {}
    for part, members in parts.items():
        for row in members.tolist():
            if rows.setdefault(row, part) != part:
                raise DataError("split", f"row {row} is in {rows[row]} and in {part}")
        for group in set(names[members].tolist()):
            if home.setdefault(group, part) != part:
                raise DataError(
                    "split", f"group {group!r} is in {home[group]} and in {part}", expected="groups uncut"
                )


def _numbered(groups: Sequence[str]) -> Int[np.ndarray, "n"]:
    return np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]


def _folds(
    labels: np.ndarray, groups: np.ndarray, folds: int, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Rows outside and inside of each fold, not to be written to."""
    as_bytes = [np.ascontiguousarray(x, np.int64).tobytes() for x in (labels, groups)]
    return _folds_of_bytes(as_bytes[0], as_bytes[1], folds, seed)


# Kept, because the cells, folds and seeds of a study ask for the same ones, and 10,000 clips take seconds.
@lru_cache(maxsize=64)
def _folds_of_bytes(
    labels: bytes, groups: bytes, folds: int, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    from sklearn.model_selection import StratifiedGroupKFold

    y = np.frombuffer(labels, np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    found = tuple(splitter.split(np.zeros(len(y)), y, np.frombuffer(groups, np.int64)))
    for rows in found:
        for part in rows:
            part.flags.writeable = False
    return found


def _check_size(
    labels: np.ndarray, groups: np.ndarray, folds: int, classes: Sequence[str], what: str, remedy: str
) -> None:
    """Every class needs a group, and so a row, for each fold; scikit-learn would only warn, or divide oddly."""
    for label in np.unique(labels).tolist():
        members = labels == label
        rows, distinct = int(members.sum()), len(np.unique(groups[members]))
        if distinct < folds:
            found = f"{distinct} groups ({rows} clips)" if rows >= folds else f"{rows} clips"
            raise DataError(
                "split",
                f"{_name(label, classes)} has {found} to divide into {folds} {what}",
                expected=f"at least {folds} groups in every class",
                remedy=remedy,
            )


def _name(label: int, classes: Sequence[str]) -> str:
    if label < 0:
        return "the part without labels"
    return f"class {classes[label]!r}" if label < len(classes) else f"class {label}"

"""What every data set becomes: a table of clips, and their audio on request."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float, Int
from mer_jax.checks import DataError


@runtime_checkable
class AudioSource(Protocol):
    """Clips by row number: float32 mono, full scale 1, at the catalog's rate."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]: ...


@runtime_checkable
class ExcerptSource(Protocol):
    """An :class:`AudioSource` that reads part of a clip for less than the whole costs."""

    def excerpt(self, row: int, start: int, num_samples: int) -> Float[np.ndarray, "samples"]:
        """Samples ``start`` to ``start + num_samples`` of a clip, fewer where it ends sooner."""
        ...


PARTS = ("train", "validation", "test")
"""Parts of a split."""


Rating = TypeVar("Rating", float, np.ndarray)


def scaled(rating: Rating, scale: tuple[float, float]) -> Rating:
    """Map a rating, or an array of them, from ``scale`` = (lowest, highest) to [-1, 1]; :meth:`Catalog.native` undoes it.

    >>> scaled(5.0, (1, 9)), scaled(0.75, (0, 1))
    (0.0, 0.5)
    """
    low, high = scale
    return 2 * (rating - low) / (high - low) - 1


def unscaled(rating: Rating, scale: tuple[float, float] | None) -> Rating:
    """Map a rating, or an array of them, from [-1, 1] to ``scale`` = (lowest, highest), None being [-1, 1] itself.

    >>> unscaled(0.0, (1, 9)), unscaled(0.5, (0, 1)), unscaled(0.5, None)
    (5.0, 0.75, 0.5)
    """
    low, high = scale or (-1.0, 1.0)
    return low + (rating + 1) * ((high - low) / 2)


def numerical(name: str) -> tuple[float, str]:
    """Sorting key of ids by which "2" comes before "10", and numbers before words.

    >>> sorted(["10", "b", "2"], key=numerical)
    ['2', '10', 'b']
    """
    return (int(name), "") if name.isdecimal() else (float("inf"), name)


@dataclass(frozen=True)
class Dynamic:
    """Ratings over time, a series for each clip.

    Attributes:
        rate_hz: ratings a second.
        start_s: shape (n,), float64: seconds from the start of each clip to its first rating.
        valence_arousal: for each clip shape (times, 2), float32 in [-1, 1]; no rows where it was not rated.
        rating_range: lowest and highest value of the scale that listeners rated on; None is [-1, 1] itself. It may differ
            from that of the ratings of whole clips: DEAM has 1..9 for clips and -1..1 over time.
    """

    rate_hz: float
    start_s: Float[np.ndarray, "n"]
    valence_arousal: tuple[Float[np.ndarray, "_ 2"], ...]
    rating_range: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.valence_arousal)

    def times_s(self, row: int) -> Float[np.ndarray, "times"]:
        """Seconds from the start of a clip to each of its ratings."""
        return self.start_s[row] + np.arange(len(self.valence_arousal[row])) / self.rate_hz

    def native(self, row: int) -> Float[np.ndarray, "times 2"]:
        """The ratings of a clip on the scale that listeners used, float32."""
        return unscaled(self.valence_arousal[row], self.rating_range).astype(np.float32)


@dataclass(frozen=True)
class Catalog:
    """A data set without its audio in memory.

    Attributes:
        name: what tables and reports call it.
        classes: class names; empty where there are only ratings.
        ids: one unique name a clip.
        groups: what a split must not cut (song, artist, actor); one a clip, never empty.
        labels: shape (n,), int32 index into ``classes``; -1 where there is none.
        valence_arousal: shape (n, 2), float32 in [-1, 1]; None where the set has no ratings.
        sr: rate at which ``source`` delivers, in Hz.
        durations_s: shape (n,), seconds; None where that is not known beforehand.
        source: the audio.
        facts: licence, citation, "synthetic": "yes" and other words for reports.
        targets: shape (n, k), float32: numbers to predict, such as shares of votes, or 1 and 0 for tags; None where there are
            none.
        target_names: one a column of ``targets``.
        rating_range: lowest and highest value of the scale that listeners rated on, which ``valence_arousal`` maps to
            [-1, 1]; None where that is its own scale.
        dynamic: ratings over time; None where there are none.
        official: published splits by name, such as "tvt_70_15_15": for each clip one of :data:`PARTS`, or "" where the split
            leaves it out.
        extra: further columns by name, one string or number a clip: artist, genre, ratings as they were shipped.

    Raises:
        DataError: the columns disagree in length, or hold what they must not.
    """

    name: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    labels: Int[np.ndarray, "n"]
    valence_arousal: Float[np.ndarray, "n 2"] | None
    sr: int
    durations_s: Float[np.ndarray, "n"] | None
    source: AudioSource
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    targets: Float[np.ndarray, "n k"] | None = None
    target_names: tuple[str, ...] = ()
    rating_range: tuple[float, float] | None = None
    dynamic: Dynamic | None = None
    official: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    extra: Mapping[str, tuple[str, ...] | tuple[float, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __post_init__(self) -> None:
        checks.positive_int("sr", self.sr)
        n = len(self.ids)
        names = ("groups", "labels", "valence_arousal", "durations_s", "source", "targets", "dynamic")
        columns = {name: getattr(self, name) for name in names}
        columns |= {f"{name!r} (official)": parts for name, parts in self.official.items()}
        columns |= {f"{name!r} (extra)": values for name, values in self.extra.items()}
        for column, value in columns.items():
            if value is not None and len(value) != n:
                raise DataError(
                    self.name, f"has {n} ids but {len(value)} {column}", expected="one each a clip"
                )
        if n == 0:
            raise DataError(self.name, "holds no clips")
        self._check_names()
        self._check_targets()
        self._check_ratings()

    def __len__(self) -> int:
        return len(self.ids)

    def native(self, ratings: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Ratings in [-1, 1] on the scale that listeners used."""
        return unscaled(ratings, self.rating_range)

    def counts(self, rows: Sequence[int] | Int[np.ndarray, "m"] | None = None) -> dict[str, int]:
        """Number of clips in each class, among ``rows`` or all; clips without a label count under ""."""
        labels = self.labels if rows is None else self.labels[np.asarray(rows, dtype=np.int64)]
        found = Counter(labels.tolist())
        counted = {name: found.get(index, 0) for index, name in enumerate(self.classes)}
        return counted | ({"": found[-1]} if found.get(-1) else {})

    def _check_names(self) -> None:
        repeated = [name for name, times in Counter(self.ids).items() if times > 1]
        if repeated:
            raise DataError(
                self.name, f"the id {repeated[0]!r} stands for several clips", expected="unique ids"
            )
        for column in ("ids", "groups", "classes"):
            if not all(getattr(self, column)):
                raise DataError(self.name, f"one of its {column} is empty", expected="a name each")
        if len(set(self.classes)) != len(self.classes):
            raise DataError(self.name, "two of its classes have the same name")

    def _check_targets(self) -> None:
        if not ((self.labels >= -1) & (self.labels < len(self.classes))).all():
            raise DataError(
                self.name, "has labels outside its classes", expected=f"-1..{len(self.classes) - 1}"
            )
        wide = 0 if self.targets is None else self.targets.shape[1]
        if wide != len(self.target_names) or len(set(self.target_names)) != len(self.target_names):
            raise DataError(
                self.name,
                f"has {wide} targets named {self.target_names}",
                expected="a different name for each",
            )
        if self.targets is not None and not np.isfinite(self.targets).all():
            raise DataError(self.name, "has targets that are not finite numbers")
        if self.durations_s is not None and not (self.durations_s > 0).all():
            raise DataError(self.name, "has clips without a duration", expected="seconds above 0")

    def _check_ratings(self) -> None:
        rated = [] if self.valence_arousal is None else [self.valence_arousal]
        rated += [] if self.dynamic is None else self.dynamic.valence_arousal
        if not all((np.abs(ratings) <= 1).all() for ratings in rated):
            raise DataError(
                self.name,
                "has valence or arousal outside [-1, 1], or NaN",
                remedy="scale the ratings to [-1, 1]",
            )
        for name, parts in self.official.items():
            if strange := set(parts) - {*PARTS, ""}:
                raise DataError(
                    self.name,
                    f"its split {name!r} has a part {sorted(strange)[0]!r}",
                    expected=f'{", ".join(PARTS)} or ""',
                )

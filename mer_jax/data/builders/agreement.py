"""Whether ratings of whole clips agree with the ratings over time of the same clips: it shows an exchange of the two scales."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mer_jax._shapes import Float
from mer_jax.checks import DataError
from mer_jax.data.catalog import Catalog

DEAM_RANGES = ((1, 1000), (1001, 2000), (2001, 2058))
"""Song ids of the campaigns that DEAM was made from."""
_FEWEST = 3


@dataclass(frozen=True)
class Agreement:
    """Pearson correlations between the static ratings and the mean dynamic ratings of some clips.

    Attributes:
        first_id: lowest id.
        last_id: highest id.
        num_clips: clips that have both.
        same: static valence with dynamic valence, and static arousal with dynamic arousal.
        crossed: static valence with dynamic arousal, and static arousal with dynamic valence.
    """

    first_id: int
    last_id: int
    num_clips: int
    same: tuple[float, float]
    crossed: tuple[float, float]

    @property
    def exchanged(self) -> bool:
        """Whether each static rating follows the dynamic ratings of the other scale more closely than those of its own."""
        return self.crossed[0] > self.same[0] and self.crossed[1] > self.same[1]


def static_with_dynamic(catalog: Catalog, ranges: Sequence[tuple[int, int]] = DEAM_RANGES) -> list[Agreement]:
    """Compare static ratings with the means of the dynamic ones, for ranges of ids.

    On DEAM as it is shipped the first range is exchanged (r of static arousal: .57 with dynamic arousal, .95 with dynamic
    valence), the others are not; with ``fix_va_swap`` none is.

    Args:
        catalog: a data set with both, whose ids are numbers.
        ranges: first and last id of each; those with fewer than three clips are passed over.

    Raises:
        DataError: the data set has no ratings, or none over time.
    """
    ratings, dynamic = catalog.valence_arousal, catalog.dynamic
    if ratings is None or dynamic is None:
        raise DataError(catalog.name, "has no ratings of both kinds", expected="static and dynamic ones")
    numbers = np.array([int(name) for name in catalog.ids])
    has_series = np.array([len(series) > 0 for series in dynamic.valence_arousal])
    found = []
    for first, last in ranges:
        rows = np.flatnonzero(has_series & (first <= numbers) & (numbers <= last))
        if len(rows) < _FEWEST:
            continue
        means = np.array([dynamic.valence_arousal[row].mean(axis=0) for row in rows])
        r = _correlations(ratings[rows].astype(np.float64), means.astype(np.float64))
        found.append(
            Agreement(
                first, last, len(rows), (float(r[0, 0]), float(r[1, 1])), (float(r[0, 1]), float(r[1, 0]))
            )
        )
    return found


def _correlations(
    static: Float[np.ndarray, "n 2"], means: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 2"]:
    """Pearson correlation of each static column (rows) with each dynamic one (columns); NaN where one is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        static, means = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (static, means))
        return static.T @ means / len(static)

"""How two pairs of valence and arousal series agree, directly and exchanged."""

from dataclasses import dataclass

import numpy as np

from mer_jax._shapes import Float, Int

FEWEST = 10
"""Clips below which a correlation is not reported."""
EXCHANGE_MARGIN = 0.1
"""By which the exchanged correlations must exceed the direct ones, on average."""
_SIGMA = (
    4.0  # standard errors for an exchange, and for a boundary; a set has few candidates, 4 is 1 in 30,000
)
_SHORTEST_RANGE = 20


@dataclass(frozen=True)
class Agreement:
    """Pearson correlations between two ratings of the same clips.

    Attributes:
        clips: how many.
        valence: valence with valence.
        arousal: arousal with arousal.
        valence_arousal: the first's valence with the second's arousal.
        arousal_valence: the first's arousal with the second's valence.
        evidence: for an exchange, in standard errors; see :func:`agreement`.
    """

    clips: int
    valence: float
    arousal: float
    valence_arousal: float
    arousal_valence: float
    evidence: float

    @property
    def direct(self) -> float:
        """Mean of the correlations that should be high."""
        return (self.valence + self.arousal) / 2

    @property
    def exchanged(self) -> bool:
        """Whether valence and arousal are exchanged in one of the two."""
        crossed = (self.valence_arousal + self.arousal_valence) / 2
        return crossed > self.direct + EXCHANGE_MARGIN and self.evidence > _SIGMA


def agreement(one: Float[np.ndarray, "n 2"], other: Float[np.ndarray, "n 2"]) -> Agreement:
    """Correlate two ratings, columns valence and arousal, of the same clips.

    The evidence for an exchange is -mean(s) / (std(s) / sqrt(n)) with s = (v1 - a1)(v2 - a2), each difference less its mean:
    s is positive on average where both call valence what the other calls valence, negative where one calls it arousal.
    """
    standard = [_standardised(ratings) for ratings in (one, other)]
    crossed = standard[0].T @ standard[1] / len(one)
    products = _products(one, other)
    spread = float(products.std())
    return Agreement(
        clips=len(one),
        valence=float(crossed[0, 0]),
        arousal=float(crossed[1, 1]),
        valence_arousal=float(crossed[0, 1]),
        arousal_valence=float(crossed[1, 0]),
        evidence=-float(products.mean()) * len(one) ** 0.5 / spread if spread else 0.0,
    )


def boundaries(
    one: Float[np.ndarray, "n 2"], other: Float[np.ndarray, "n 2"], order: Int[np.ndarray, "n"]
) -> list[int]:
    """Where, along ``order``, an exchange begins or ends: positions in ``order``, ascending.

    Binary segmentation of the products s of :func:`agreement`: a range is cut where the means of the two sides differ most, if
    that is by more than four standard errors. What remains are the cuts at which the sign of the mean changes.

    Source: Scott and Knott, "A cluster analysis method for grouping means in the analysis of variance", Biometrics 30(3), 1974.
    """
    products = _products(one, other)[order]
    cuts = sorted(_cuts(products, 0))
    positive = [part.mean() > 0 for part in np.split(products, cuts)]
    return [cut for cut, before, after in zip(cuts, positive, positive[1:], strict=False) if before != after]


def _cuts(products: np.ndarray, begin: int) -> list[int]:
    n = len(products)
    if n < 2 * _SHORTEST_RANGE:
        return []
    left = np.arange(_SHORTEST_RANGE, n - _SHORTEST_RANGE + 1)
    sums = np.concatenate([[0], np.cumsum(products)])
    before, after = sums[left] / left, (sums[n] - sums[left]) / (n - left)
    gain = (before - after) ** 2 * left * (n - left) / n
    at = int(gain.argmax())
    cut = int(left[at])
    spread = np.concatenate([products[:cut] - before[at], products[cut:] - after[at]]).std()
    if gain[at] <= (_SIGMA * spread) ** 2:
        return []
    inner = _cuts(products[:cut], begin) + _cuts(products[cut:], begin + cut)
    return [*inner, begin + cut]


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    differences = [ratings[:, 0] - ratings[:, 1] for ratings in (one, other)]
    return (differences[0] - differences[0].mean()) * (differences[1] - differences[1].mean())


def _standardised(ratings: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1; a constant column is 0, so that it correlates with nothing."""
    centred = ratings - ratings.mean(axis=0)
    spread = centred.std(axis=0)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)

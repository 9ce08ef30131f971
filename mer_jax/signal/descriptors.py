"""Statistics of single magnitude spectra, the building blocks of the spectral features.

Each is a small hashable object that is called with spectra (rows, bins) and gives (rows, values), so that one transform can feed
any number of them, and a program compiled for one is found again.
"""

import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax.signal.normalization import normalize


def fft_frequencies(*, sr: float = 22050, n_fft: int = 2048) -> np.ndarray:
    """Centre frequencies of the bins of a transform, ``k * sr / n_fft`` in hertz, shape (1 + n_fft // 2,).

    >>> fft_frequencies(sr=8000, n_fft=4).tolist()
    [0.0, 2000.0, 4000.0]
    """
    return np.arange(1 + n_fft // 2) * (sr / n_fft)


@dataclass(frozen=True)
class Frequencies:
    """What the bins of a spectrum stand for: multiples of ``sr / n_fft``, or explicit ``values`` in hertz."""

    sr: float
    n_fft: int
    values: tuple[float, ...] | None = None

    def hertz(self, bins: int) -> np.ndarray:
        """Frequencies of ``bins`` bins, float64."""
        hz = fft_frequencies(sr=self.sr, n_fft=self.n_fft) if self.values is None else np.array(self.values)
        if len(hz) != bins:
            raise checks.ArgumentError(
                "freq", f"has {len(hz)} frequencies", expected=f"{bins}, one for each bin of the spectrum"
            )
        return hz


@dataclass(frozen=True)
class Centroid:
    """``sum_f f S[f] / sum_f S[f]`` in hertz."""

    frequencies: Frequencies

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, 1)."""
        hz = jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)
        share = normalize(S, norm=1, axis=-1)
        return jnp.matmul(share, hz[:, None], precision=lax.Precision.HIGHEST)


@dataclass(frozen=True)
class Bandwidth:
    """``(sum_f S[f] |f - centroid|^p)^(1/p)`` in hertz, ``S`` scaled to sum 1 unless ``norm`` is False."""

    frequencies: Frequencies
    norm: bool = True
    p: float = 2.0

    def __call__(self, S: jax.Array, centroid: jax.Array | None = None) -> jax.Array:
        """(rows, bins), and (rows, 1) centroids if they are known, to (rows, 1)."""
        hz = jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)
        centroid = Centroid(self.frequencies)(S) if centroid is None else centroid
        weights = normalize(S, norm=1, axis=-1) if self.norm else S
        spread = (weights * jnp.abs(hz[None, :] - centroid) ** self.p).sum(axis=-1, keepdims=True)
        # The root has an infinite slope at 0, which silence and a pure tone reach.
        positive = spread > 0
        return jnp.where(positive, jnp.where(positive, spread, 1) ** (1 / self.p), 0)


@dataclass(frozen=True)
class Rolloff:
    """The lowest frequency in hertz at or below which lies ``roll_percent`` of the sum of ``S``: a step function, gradient 0."""

    frequencies: Frequencies
    roll_percent: float = 0.85

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, 1)."""
        hz = jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)
        cumulative = jnp.cumsum(lax.stop_gradient(S), axis=-1)
        below = (cumulative < self.roll_percent * cumulative[:, -1:]).sum(axis=-1, keepdims=True)
        return hz[below]


@dataclass(frozen=True)
class Flatness:
    """Geometric over arithmetic mean of ``max(amin, S^power)``, 0 (a tone) to 1 (white)."""

    amin: float = 1e-10
    power: float = 2.0

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, 1)."""
        raised = S * S if self.power == 2 else S**self.power
        raised = jnp.maximum(raised, self.amin)
        return jnp.exp(jnp.log(raised).mean(axis=-1, keepdims=True)) / raised.mean(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Extremes:
    """Mean of the smallest and of the largest values in octave bands: what spectral contrast is the difference of.

    Band 0 ends at ``fmin``, each further one an octave higher; the last takes in all that is left. A quantile of a band's bins,
    at least one, counts as its valley and its peak.
    """

    frequencies: Frequencies
    fmin: float = 200.0
    n_bands: int = 6
    quantile: float = 0.02

    def bands(self, bins: int) -> list[tuple[int, int, int]]:
        """First bin, last bin + 1, and number of extreme bins of each band."""
        hz = self.frequencies.hertz(bins)
        edges = np.concatenate([[0.0], self.fmin * 2.0 ** np.arange(self.n_bands + 1)])
        found = []
        for k, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = np.flatnonzero((hz >= low) & (hz <= high))
            if len(inside) == 0:
                raise checks.ArgumentError(
                    "fmin",
                    f"is {self.fmin}: no bin lies between {low:.0f} and {high:.0f} Hz",
                    expected="bands at least as wide as the distance of two bins",
                    remedy="take a higher fmin, fewer bands or a longer n_fft",
                )
            first = inside[0] - (1 if k > 0 else 0)
            stop = bins if k == self.n_bands else inside[-1] + 1
            count = max(1, int(np.rint(self.quantile * (stop - first))))
            # Neighbouring bands share an edge; all but the last leave theirs to the next.
            found.append((int(first), int(stop - (1 if k < self.n_bands else 0)), count))
        return found

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, 2 * (n_bands + 1)): valleys, then peaks."""
        valleys, peaks = [], []
        for first, stop, count in self.bands(S.shape[-1]):
            band = S[:, first:stop]
            valleys.append(-_mean_of_largest(-band, count))
            peaks.append(_mean_of_largest(band, count))
        return jnp.concatenate(valleys + peaks, axis=-1)


def _mean_of_largest(x: jax.Array, count: int) -> jax.Array:
    """Mean of the ``count`` largest values of each row, (rows, 1)."""
    if count == 1:
        return x.max(axis=-1, keepdims=True)
    # A partial sort: a few of some hundred values are wanted.
    return lax.top_k(x, min(count, x.shape[-1]))[0].mean(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Polynomial:
    """Coefficients of the least-squares polynomial over frequency, highest power first."""

    frequencies: Frequencies
    order: int = 1

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, order + 1)."""
        hz = self.frequencies.hertz(S.shape[-1])
        # The fit is linear in S: its matrix is made once, in float64, over a unit range of frequency.
        scale = max(1e-12, np.abs(hz).max())
        solve = np.linalg.pinv(np.vander(hz / scale, self.order + 1))
        solve /= scale ** np.arange(self.order, -1, -1)[:, None]
        return jnp.matmul(S, jnp.asarray(solve.T, S.dtype), precision=lax.Precision.HIGHEST)

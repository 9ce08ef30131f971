"""Spectral contrast: how far the peaks of a spectrum stand above its valleys, in octave bands.

Works on the magnitudes of whole clips, (..., bins, frames): the few largest and smallest values of a band are then found for
all frames at a time.
"""

import itertools
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.descriptors import Frequencies
from mer_jax.signal.platform import platform


@dataclass(frozen=True)
class Contrast:
    """Difference between the means of the largest and of the smallest bins of each octave band.

    Band 0 ends at ``fmin`` hertz, each further one an octave higher; the last takes in all that is left. A ``quantile`` of a
    band's bins, at least one, counts as its valley and its peak. In decibels unless ``linear``.
    """

    frequencies: Frequencies
    fmin: float = 200.0
    n_bands: int = 6
    quantile: float = 0.02
    linear: bool = False

    def bands(self, bins: int) -> list[tuple[int, int, int]]:
        """First bin, last bin + 1, and number of extreme bins of each band."""
        hz = self.frequencies.hertz(bins)
        edges = np.concatenate([[0.0], self.fmin * 2.0 ** np.arange(self.n_bands + 1)])
        found = []
        for k, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = np.flatnonzero((hz >= low) & (hz <= high))
            first = max(0, inside[0] - (k > 0)) if len(inside) else 0
            stop = bins if k == self.n_bands else inside[-1] + 1 if len(inside) else 0
            # Neighbouring bands share an edge; all but the last leave theirs to the next.
            last = stop - (1 if k < self.n_bands else 0)
            if last <= first:
                raise checks.ArgumentError(
                    "fmin",
                    f"is {self.fmin}: no bin is left between {low:.0f} and {high:.0f} Hz",
                    expected="bands wider than the distance of two bins",
                    remedy="take a higher fmin, fewer bands or a longer n_fft",
                )
            found.append((int(first), int(last), max(1, int(np.rint(self.quantile * (stop - first))))))
        return found

    def __call__(self, S: jax.Array) -> jax.Array:
        """Magnitudes (..., bins, frames) to (..., n_bands + 1, frames)."""
        bands = [(S[..., first:stop, :], count) for first, stop, count in self.bands(S.shape[-2])]
        peak = jnp.stack([mean_of_extremes(band, count) for band, count in bands], axis=-2)
        valley = jnp.stack([mean_of_extremes(band, count, True) for band, count in bands], axis=-2)
        return peak - valley if self.linear else power_to_db(peak) - power_to_db(valley)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def mean_of_extremes(x: jax.Array, count: int, smallest: bool = False) -> jax.Array:
    """Mean of the ``count`` largest (or smallest) values over the second-last axis.

    Values equal to the last one counted share its part of the gradient.

    >>> mean_of_extremes(jnp.array([[1.0], [4.0], [2.0]]), 2).tolist()
    [3.0]
    """
    return _extremes(x, count, smallest).mean(axis=-2)


@mean_of_extremes.defjvp
def _mean_of_extremes_jvp(count: int, smallest: bool, primals: tuple, tangents: tuple) -> tuple:
    (x,), (dx,) = primals, tangents
    found = _extremes(x, count, smallest)
    last = found[..., -1:, :]
    beyond = x < last if smallest else x > last
    level = x == last
    room = count - beyond.sum(axis=-2, keepdims=True)
    share = (room / jnp.maximum(1, level.sum(axis=-2, keepdims=True))).astype(x.dtype)
    weights = jnp.where(beyond, jnp.ones_like(share), jnp.where(level, share, 0))
    return found.mean(axis=-2), (weights * dx).sum(axis=-2) / count


def _extremes(x: jax.Array, count: int, smallest: bool) -> jax.Array:
    """The ``count`` largest (or smallest) values over the second-last axis, the most extreme first.

    A handful of some hundred values is wanted, so sorting them all would be waste (on a CPU sixty times the time).
    """
    count = min(count, x.shape[-2])
    if count == 1:
        return x.min(axis=-2, keepdims=True) if smallest else x.max(axis=-2, keepdims=True)
    if platform() == "cpu":
        return _insert_rows(x, count, smallest)
    columns = jnp.swapaxes(x, -1, -2)
    found = lax.top_k(-columns if smallest else columns, count)[0]
    return jnp.swapaxes(-found if smallest else found, -1, -2)


def _insert_rows(x: jax.Array, count: int, smallest: bool) -> jax.Array:
    """Insert row after row into a sorted list of the ``count`` best, for all frames at once in vector registers.

    Of three neighbours ``best[j - 1] >= best[j]`` and a new value, ``max(best[j], min(best[j - 1], new))`` is what belongs at
    place ``j``.
    """
    better, worse = (jnp.minimum, jnp.maximum) if smallest else (jnp.maximum, jnp.minimum)
    bound = np.inf if smallest else -np.inf
    lead, frames = x.shape[:-2], x.shape[-1:]

    def insert(best: jax.Array, new: jax.Array) -> tuple[jax.Array, None]:
        above = jnp.concatenate([jnp.full((*lead, 1, *frames), -bound, x.dtype), best[..., :-1, :]], axis=-2)
        return better(best, worse(above, new[..., None, :])), None

    nothing = jnp.full((*lead, count, *frames), bound, x.dtype)
    return lax.scan(insert, nothing, jnp.moveaxis(x, -2, 0))[0]

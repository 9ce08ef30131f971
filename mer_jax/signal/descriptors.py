"""Statistics of single magnitude spectra, the building blocks of the spectral features.

Each is a small hashable object that is called with spectra (rows, bins) and gives (rows, values), so that one transform can
feed any number of them, and a program compiled for one is found again. Flux, which compares frames, is in
:mod:`mer_jax.signal.spectral`; contrast, which wants all frames of a clip at a time, in :mod:`mer_jax.signal.contrast`.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular

from mer_jax import checks

# A spectrum whose magnitudes sum to less than this, 300 dB below full scale, has its statistics but no gradient: those of
# quotients grow as 1 / sum and would overflow.
_SILENT = 1e-15


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


def magnitude(z: jax.Array) -> jax.Array:
    """``|z|`` of spectra (rows, bins), constant where a spectrum is silent."""
    S = jnp.abs(z)
    audible = S.sum(axis=-1, keepdims=True) > _SILENT
    return jnp.where(audible, S, lax.stop_gradient(S))


@dataclass(frozen=True)
class Centroid:
    """``sum_f f S[f] / sum_f S[f]`` in hertz; 0 for silence."""

    frequencies: Frequencies

    def __call__(self, S: jax.Array, hz: jax.Array | None = None) -> jax.Array:
        """(rows, bins), and their frequencies (rows, bins) if these differ from row to row, to (rows, 1)."""
        if hz is None:
            hz = jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)
            moment = jnp.matmul(S, hz[:, None], precision=lax.Precision.HIGHEST)
        else:
            moment = (S * hz).sum(axis=-1, keepdims=True)
        return moment / _positive_sum(S)


@dataclass(frozen=True)
class Bandwidth:
    """``(sum_f S[f] |f - centroid|^p)^(1/p)`` in hertz, ``S`` scaled to sum 1 unless ``norm`` is False."""

    frequencies: Frequencies
    norm: bool = True
    p: float = 2.0

    def __call__(
        self, S: jax.Array, hz: jax.Array | None = None, centroid: jax.Array | None = None
    ) -> jax.Array:
        """(rows, bins), the frequencies (rows, bins) and centroids (rows, 1) if they are not the usual ones, to (rows, 1)."""
        centroid = Centroid(self.frequencies)(S, hz) if centroid is None else centroid
        if hz is None:
            hz = jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)[None, :]
        spread = (S * power(jnp.abs(hz - centroid), self.p)).sum(axis=-1, keepdims=True)
        return power(spread / _positive_sum(S) if self.norm else spread, 1 / self.p)


def power(x: jax.Array, exponent: float) -> jax.Array:
    """``x ** exponent`` for ``x >= 0`` and ``exponent > 0``, with gradient 0 at 0, where a root has an infinite slope."""
    if exponent == 1:
        return x
    if exponent == 2:
        return jnp.square(x)
    positive = x > 0
    safe = jnp.where(positive, x, 1)
    return jnp.where(positive, jnp.sqrt(safe) if exponent == 0.5 else safe**exponent, 0)


def _positive_sum(S: jax.Array) -> jax.Array:
    """Sum of each row, (rows, 1); 1 where it vanishes (librosa leaves such frames unscaled)."""
    total = S.sum(axis=-1, keepdims=True)
    return jnp.where(total < jnp.finfo(S.dtype).tiny, 1, total)


# Bins whose sum Rolloff takes as one: a running sum over all bins costs twenty times as much on a CPU.
_ROLLOFF_BLOCK = 32


@dataclass(frozen=True)
class Rolloff:
    """The lowest frequency in hertz at or below which lies ``roll_percent`` of the sum of ``S``: a step function, gradient 0.

    First the block of bins in which the running sum crosses the threshold is found, then the bin in that block.
    """

    frequencies: Frequencies
    roll_percent: float = 0.85

    def __call__(self, S: jax.Array, hz: jax.Array | None = None) -> jax.Array:
        """(rows, bins), and their frequencies (rows, bins) if these differ from row to row, to (rows, 1)."""
        found = self._bin(lax.stop_gradient(S))
        if hz is not None:
            return jnp.take_along_axis(hz, found, axis=-1)
        return jnp.asarray(self.frequencies.hertz(S.shape[-1]), S.dtype)[found]

    def _bin(self, S: jax.Array) -> jax.Array:
        bins = S.shape[-1]
        size = min(_ROLLOFF_BLOCK, bins)
        count = -(-bins // size)
        blocks = jnp.pad(S, ((0, 0), (0, count * size - bins))).reshape(-1, count, size)
        upto = _running_sum(blocks.sum(axis=-1))
        threshold = self.roll_percent * upto[:, -1:]
        block = (upto[:, :-1] < threshold).sum(axis=-1, keepdims=True)
        before = jnp.where(jnp.arange(1, count + 1)[None, :] == block, upto, 0).sum(axis=-1, keepdims=True)
        # Read from S: the padded copy then never exists. The last block starts early and skips what is not its own.
        start = jnp.minimum(block * size, bins - size)
        inside = jax.vmap(lambda row, at: lax.dynamic_slice(row, (at,), (size,)))(S, start[:, 0])
        own = start + jnp.arange(size)[None, :] >= block * size
        below = before + _running_sum(jnp.where(own, inside, 0)) < threshold
        # The last bin has crossed, even if rounding says otherwise.
        return jnp.minimum(start + below.sum(axis=-1, keepdims=True), bins - 1)


def _running_sum(x: jax.Array) -> jax.Array:
    """Cumulative sum over the last axis, as a product with a triangle of ones: for a few dozen values the fastest."""
    ones = jnp.asarray(np.triu(np.ones((x.shape[-1], x.shape[-1]))), x.dtype)
    return jnp.matmul(x, ones, precision=lax.Precision.HIGHEST)


@dataclass(frozen=True)
class Flatness:
    """Geometric over arithmetic mean of ``max(amin, S^power)``, 0 (a tone) to 1 (white)."""

    amin: float = 1e-10
    power: float = 2.0

    def __call__(self, S: jax.Array) -> jax.Array:
        """(rows, bins) to (rows, 1)."""
        raised = jnp.maximum(power(S, self.power), self.amin)
        return jnp.exp(jnp.log(raised).mean(axis=-1, keepdims=True)) / raised.mean(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Polynomial:
    """Coefficients of the least-squares polynomial over frequency, highest power first."""

    frequencies: Frequencies
    order: int = 1

    def __call__(self, S: jax.Array, hz: jax.Array | None = None) -> jax.Array:
        """(rows, bins), and their frequencies (rows, bins) if these differ from row to row, to (rows, order + 1)."""
        if hz is not None:
            return self._fit_each(S, hz)
        values = self.frequencies.hertz(S.shape[-1])
        # The fit is linear in S: its matrix is made once, in float64, over a unit range of frequency.
        scale = max(1e-12, np.abs(values).max())
        solve = np.linalg.pinv(np.vander(values / scale, self.order + 1))
        solve /= scale ** np.arange(self.order, -1, -1)[:, None]
        return jnp.matmul(S, jnp.asarray(solve.T, S.dtype), precision=lax.Precision.HIGHEST)

    def _fit_each(self, S: jax.Array, hz: jax.Array) -> jax.Array:
        powers = np.arange(self.order, -1, -1)
        scale = jnp.maximum(1e-12, jnp.abs(hz).max(axis=-1, keepdims=True))
        # Whole exponents as integers: as floats they would have an undefined slope at 0 Hz.
        q, r = jnp.linalg.qr(jnp.stack([(hz / scale) ** int(k) for k in powers], axis=-1))
        projected = jnp.einsum("rbk,rb->rk", q, S, precision=lax.Precision.HIGHEST)
        return solve_triangular(r, projected[..., None])[..., 0] / scale ** powers[None, :]

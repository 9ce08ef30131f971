"""Mel filters and cosine transforms as matrices, built once in NumPy float64 and kept by their arguments; how to apply them."""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, Float
from mer_jax.signal.platform import platform

# Slaney's mel scale: linear below 1 kHz (3 mel per 200 Hz), logarithmic above (27 mel per factor of 6.4).
_HZ_PER_MEL = 200.0 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequencies_hz: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Hertz to mel: Slaney's scale, or ``2595 log10(1 + f / 700)`` with ``htk``.

    >>> hz_to_mel(np.array([0.0, 200.0, 1000.0, 6400.0])).round(6).tolist()
    [0.0, 3.0, 15.0, 42.0]
    """
    hz = np.asarray(frequencies_hz, np.float64)
    if htk:
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    logarithmic = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, logarithmic)


def mel_to_hz(mels: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Mel to hertz, the inverse of :func:`hz_to_mel`.

    >>> mel_to_hz(hz_to_mel(np.array([440.0, 4400.0]))).round(6).tolist()
    [440.0, 4400.0]
    """
    mel = np.asarray(mels, np.float64)
    if htk:
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, logarithmic)


def mel_frequencies(
    n_mels: int, *, fmin: float, fmax: float, htk: bool = False
) -> Float[np.ndarray, "n_mels"]:
    """``n_mels`` frequencies in hertz from ``fmin`` to ``fmax``, evenly spaced in mel."""
    low, high = hz_to_mel(fmin, htk=htk), hz_to_mel(fmax, htk=htk)
    return mel_to_hz(np.linspace(low, high, n_mels), htk=htk)


@lru_cache(maxsize=32)
def mel(
    *,
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
) -> Float[np.ndarray, "n_mels bins"]:
    """Triangular filters, evenly spaced in mel, over the bins of a transform.

    Filter ``m`` rises from mel frequency ``m`` to ``m + 1`` and falls to ``m + 2`` of ``n_mels + 2`` frequencies.

    Args:
        sr: sampling rate in hertz.
        n_fft: length of the transform.
        n_mels: number of filters.
        fmin: lowest frequency in hertz.
        fmax: highest frequency in hertz; None is ``sr / 2``.
        htk: HTK's mel scale instead of Slaney's.
        norm: ``"slaney"`` divides each triangle by half its width in hertz (equal area), a number by its norm of that order,
            None leaves peaks of 1.

    Returns:
        Weights, float64, shape (n_mels, 1 + n_fft // 2); read-only, shared by all callers.

    Raises:
        ArgumentError: if a number is out of range.

    Source:
        Slaney, *Auditory Toolbox* (1998); Young et al., *The HTK Book*; as in librosa 0.11, ``librosa.filters.mel``.

    >>> mel(sr=8000, n_fft=8, n_mels=1, norm=None).round(3).tolist()
    [[0.0, 0.837, 0.713, 0.356, 0.0]]
    """
    checks.positive("sr", sr)
    checks.positive_int("n_fft", n_fft)
    checks.positive_int("n_mels", n_mels)
    fmax = sr / 2 if fmax is None else fmax
    checks.in_range("fmin", fmin, 0.0, np.inf)
    if not fmin < fmax:
        raise checks.ArgumentError("fmax", f"is {fmax}", expected=f"above fmin={fmin}")
    if isinstance(norm, str):
        checks.one_of("norm", norm, ["slaney"])
    bins_hz = np.fft.rfftfreq(n_fft, 1.0 / sr)
    corners_hz = mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax, htk=htk)
    low, peak, high = (corners_hz[k : k + n_mels, None] for k in range(3))
    rising = (bins_hz - low) / (peak - low)
    falling = (high - bins_hz) / (high - peak)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= 2.0 / (high - low)
    elif norm is not None:
        lengths = np.linalg.norm(weights, ord=float(norm), axis=1, keepdims=True)
        weights /= np.where(lengths < np.finfo(np.float64).tiny, 1.0, lengths)
    if not np.all((low[:, 0] == 0) | (weights.max(axis=1) > 0)):
        warnings.warn(
            f"{n_mels} mel filters over {n_fft // 2 + 1} bins: some lie between two bins and always give 0; "
            "raise n_fft or sr, or lower n_mels",
            stacklevel=2,
        )
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=32)
def dct(
    n_mfcc: int, n_mels: int, *, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0
) -> Float[np.ndarray, "n_mfcc n_mels"]:
    """The first ``n_mfcc`` rows of a discrete cosine transform, scaled by a sinusoidal lifter.

    Row ``k`` is multiplied by ``1 + lifter / 2 * sin(pi * (k + 1) / lifter)`` when ``lifter > 0``.

    Args:
        n_mfcc: rows kept.
        n_mels: length of the transform.
        dct_type: 1, 2 or 3, as ``scipy.fft.dct`` defines them.
        norm: ``"ortho"`` for an orthonormal transform, or None.
        lifter: length of the lifter; 0 for none.

    Returns:
        Float64 matrix; read-only, shared by all callers.

    >>> dct(2, 2).round(4).tolist()
    [[0.7071, 0.7071], [0.7071, -0.7071]]
    """
    rows = scipy.fft.dct(np.eye(n_mels), type=dct_type, norm=norm, axis=0)[:n_mfcc]
    if lifter > 0:
        rows *= 1 + lifter / 2 * np.sin(np.pi * np.arange(1, 1 + n_mfcc) / lifter)[:, None]
    rows.setflags(write=False)
    return rows


# Measured on a CPU with 128 filters of 2048 points: 4 groups; 2 and 8 were 10 % slower, 16 and one dense product 70 %.
_FILTERS_PER_GROUP = 32


@dataclass(frozen=True)
class FilterBank:
    """A filter matrix, ready to be applied to the bins of a few frames or of a whole batch.

    Mel filters cover a few bins each: a dense product is 98 % multiplications by 0. On a CPU the filters are applied in
    groups of neighbours, each to the bins that its group covers; a GPU or TPU does the dense product faster.

    Args:
        weights: shape (filters, bins).
    """

    weights: np.ndarray

    def on_rows(self, x: Float[Array, "rows bins"]) -> Float[Array, "rows filters"]:
        """Return ``x @ weights.T`` at full precision."""
        parts = [_product(x[:, first:last], group.T) for first, last, group in self._groups()]
        return jnp.concatenate(parts, axis=1)

    def on_columns(self, x: Float[Array, "bins columns"]) -> Float[Array, "filters columns"]:
        """Return ``weights @ x`` at full precision."""
        parts = [_product(group, x[first:last]) for first, last, group in self._groups()]
        return jnp.concatenate(parts, axis=0)

    def _groups(self) -> list[tuple[int, int, np.ndarray]]:
        """Filters in groups: the first bin that a group covers, the one after the last, and the weights of those bins."""
        if platform() != "cpu":
            return [(0, self.weights.shape[1], self.weights)]
        groups = []
        for start in range(0, self.weights.shape[0], _FILTERS_PER_GROUP):
            group = self.weights[start : start + _FILTERS_PER_GROUP]
            (covered,) = np.nonzero(group.any(axis=0))
            first, last = (int(covered[0]), int(covered[-1]) + 1) if covered.size else (0, 1)
            groups.append((first, last, group[:, first:last]))
        return groups


def _product(a: jax.Array | np.ndarray, b: jax.Array | np.ndarray) -> jax.Array:
    dtype = a.dtype if isinstance(a, jax.Array) else b.dtype  # that of the values, not of the float64 weights
    return jnp.matmul(jnp.asarray(a, dtype), jnp.asarray(b, dtype), precision=lax.Precision.HIGHEST)

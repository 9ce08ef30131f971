"""Filters that learnable front-ends are made of (Gabor, sinc, Gaussian), and the mel-spaced bands that they start from.

All are functions of their parameters, differentiable in them, and sampled at ``n = -(taps // 2) .. taps // 2`` (odd ``taps``):
they are centred, so that a filter delays nothing. Frequencies are in hertz, durations in samples.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, Complex, Float
from mer_jax.signal.filterbanks import mel_frequencies


class Bands(NamedTuple):
    """Mel-spaced bands: float64, hertz, shape (bands,) each.

    Attributes:
        low: where a triangle of the mel scale begins.
        centre: where it peaks.
        high: where it ends.
    """

    low: np.ndarray
    centre: np.ndarray
    high: np.ndarray

    @property
    def half_widths(self) -> np.ndarray:
        """Full width at half maximum of the square root of the triangle: 3/4 of its base."""
        return 0.75 * (self.high - self.low)


def mel_bands(num_bands: int, *, sr: float, fmin: float, fmax: float | None) -> Bands:
    """Bands of the (Slaney) mel scale, those of :func:`mer_jax.signal.filterbanks.mel`.

    Args:
        num_bands: how many.
        sr: sampling rate, Hz.
        fmin: where the first begins, Hz.
        fmax: where the last ends, Hz; None is half the sampling rate.

    Raises:
        mer_jax.checks.ArgumentError: unless ``0 <= fmin < fmax <= sr / 2``.
    """
    fmax = sr / 2 if fmax is None else fmax
    if not 0 <= fmin < fmax <= sr / 2:
        raise checks.ArgumentError(
            "fmin_hz / fmax_hz", f"are {fmin} and {fmax}", expected=f"0 <= fmin_hz < fmax_hz <= {sr / 2}"
        )
    corners = mel_frequencies(num_bands + 2, fmin=fmin, fmax=fmax)
    return Bands(corners[:-2], corners[1:-1], corners[2:])


def odd_taps(duration_s: float, sr: float) -> int:
    """Samples of ``duration_s`` seconds, rounded down to an even number, and the one in the middle.

    >>> odd_taps(0.025, 16000)
    401
    """
    return 2 * int(duration_s * sr / 2) + 1


def sample_times(taps: int) -> np.ndarray:
    """The times ``-(taps // 2) .. taps // 2`` of a centred filter, in samples, shape (taps,)."""
    return np.arange(taps, dtype=np.float64) - taps // 2


def gaussian(deviations: Float[Array, "filters"], taps: int) -> Float[Array, "filters taps"]:
    """Gaussian low-pass filters ``exp(-n^2 / (2 s^2)) / (sqrt(2 pi) s)``, of gain 1.

    Args:
        deviations: ``s``, samples.
        taps: length.
    """
    n = jnp.asarray(sample_times(taps), deviations.dtype)[None, :]
    s = deviations[:, None]
    return jnp.exp(-jnp.square(n / s) / 2) / (np.sqrt(2 * np.pi) * s)


def gabor(
    centres_hz: Float[Array, "filters"], deviations: Float[Array, "filters"], taps: int, *, sr: float
) -> Complex[Array, "filters taps"]:
    """Gabor filters ``exp(2 pi i f n / sr) exp(-n^2 / (2 s^2)) / (sqrt(2 pi) s)``.

    The frequency response is a Gaussian of height 1 at ``f``, whose full width at half maximum is
    ``sqrt(2 ln 2) sr / (pi s)`` hertz (:func:`deviation_of_width`).

    Args:
        centres_hz: ``f``.
        deviations: ``s``, samples.
        taps: length.
        sr: sampling rate, Hz.

    Source:
        Zeghidour, Teboul, de Chaumont Quitry and Tagliasacchi, *LEAF: a learnable frontend for audio classification* (ICLR
        2021), equations 2 and 3.
    """
    phase = _phase(centres_hz, taps, sr)
    envelope = gaussian(deviations, taps)
    return lax.complex(envelope * jnp.cos(phase), envelope * jnp.sin(phase))


def _phase(frequencies_hz: jax.Array, taps: int, sr: float) -> jax.Array:
    """``2 pi f n / sr``."""
    n = jnp.asarray(sample_times(taps) * (2 * np.pi / sr), frequencies_hz.dtype)
    return frequencies_hz[:, None] * n[None, :]


def deviation_of_width(width_hz: np.ndarray, sr: float) -> np.ndarray:
    """Deviation, in samples, of a Gabor filter whose response is ``width_hz`` wide at half its maximum.

    >>> round(float(deviation_of_width(100.0, 16000)), 3)
    59.966
    """
    return np.asarray(np.sqrt(2 * np.log(2)) * sr / (np.pi * np.asarray(width_hz)))


def band_pass(
    low_hz: Float[Array, "filters"], high_hz: Float[Array, "filters"], taps: int, *, sr: float
) -> Float[Array, "filters taps"]:
    """Differences of two sinc low-pass filters under a Hamming window.

    ``h[n] = w[n] (2 f2 sinc(2 pi f2 n) - 2 f1 sinc(2 pi f1 n))`` with ``sinc(x) = sin(x) / x`` and frequencies in cycles a
    sample: about 1 from ``f1`` to ``f2``, about 0 elsewhere.

    Args:
        low_hz: ``f1``.
        high_hz: ``f2``.
        taps: length.
        sr: sampling rate, Hz.

    Source:
        Ravanelli and Bengio, *Speaker recognition from raw waveform with SincNet* (SLT 2018), equations 4 and 6.
    """
    n = jnp.asarray(sample_times(taps), low_hz.dtype)[None, :]

    def low_pass(cutoff_hz: jax.Array) -> jax.Array:
        twice = 2 * cutoff_hz[:, None] / sr
        return twice * jnp.sinc(twice * n)

    return (low_pass(high_hz) - low_pass(low_hz)) * jnp.asarray(np.hamming(taps), n.dtype)[None, :]


def squared_hann(taps: int) -> Float[np.ndarray, "taps"]:
    """A squared Hann window that sums to 1, float64: the low-pass filter of time-domain filterbanks."""
    window = np.square(0.5 + 0.5 * np.cos(2 * np.pi * sample_times(taps) / (taps + 1)))
    return window / window.sum()

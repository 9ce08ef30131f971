"""Downsampling by a power of two, as the soxr resampler does it at its high quality setting.

librosa's constant-Q transform lowers the sampling rate with ``soxr_hq``, by 2 from octave to octave and, where the highest
bin leaves room, by 4, 8 ... once at the start. For these ratios that resampler is a chain of linear-phase filters that
each keep every second sample: short half-band filters first, then one sharp low-pass filter. Each stage starts at sample 0
of its input, whose past counts as zero: with more than one stage this shows in the first samples.

The constants were fitted to what soxr 1.1 makes of impulses and noise (``experiments/fit_soxr.py``). In float64 the chain
agrees with soxr, which computes in float32, to 4e-7 (relative L2 of white noise), first and last samples included.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from scipy.special import i0e

from mer_jax.signal.correlation import Correlator, correlator

# Taps of the half-band filters at odd distances 1, 3, ... from their centre, which is 1/2; all others are zero. The first
# serve ratios of 4 and 8, the second larger ones.
_HALF_BAND = (
    3.11546592e-01,
    -8.73449353e-02,
    3.68144684e-02,
    -1.51892014e-02,
    5.45409737e-03,
    -1.56439028e-03,
    3.18163834e-04,
    -3.47941609e-05,
)
_LONG_HALF_BAND = (
    3.12270341e-01,
    -8.92215039e-02,
    3.91397016e-02,
    -1.72505706e-02,
    6.85896237e-03,
    -2.30450892e-03,
    6.09613852e-04,
    -1.13204599e-04,
    1.11691529e-05,
)

# Cut-off (-6 dB) of the sharp filter as a fraction of the new Nyquist frequency.
_CUTOFF = 0.95687183

# By total ratio: half-width of the sharp filter's Kaiser window, in samples after decimation, and its beta.
_KAISER = {
    2: (97.25, 13.04004),
    4: (102.25, 13.71126),
    8: (105.25, 14.10418),
    16: (107.25, 14.38325),
    32: (108.25, 14.59982),
    64: (110.25, 14.77663),
    128: (111.25, 14.92657),
    256: (112.25, 15.05593),
    512: (112.25, 15.17040),
}

#: Largest ratio.
MAX_FACTOR = max(_KAISER)

# For a ratio of 2, the one that is taken again and again, the outermost taps (2.5e-7 of the norm) are left out: what remains
# fills four rows of 128 samples, where the whole filter would take five.
_HALF_LENGTH_OF_TWO = 190


@cache
def decimation_filters(factor: int) -> tuple[np.ndarray, ...]:
    """The filters of the chain, each centred and of odd length; each is followed by taking every second sample.

    The last is ``h[n] = c sinc(c n) I0(beta sqrt(1 - (n / w)**2)) / I0(beta)`` with ``c`` = 0.957 / 2.

    Args:
        factor: a power of two from 2 to :data:`MAX_FACTOR`.

    Source:
        Kaiser, "Nonrecursive digital filter design using the I0-sinh window function" (ISCAS 1974).
    """
    one_side = _HALF_BAND if factor <= 8 else _LONG_HALF_BAND
    half_band = np.zeros(4 * len(one_side) - 1)
    center = len(half_band) // 2
    half_band[center] = 0.5
    half_band[center + 1 :: 2] = one_side
    half_band[center - 1 :: -2] = one_side

    width, beta = 2 * _KAISER[factor][0], _KAISER[factor][1]
    half = _HALF_LENGTH_OF_TWO if factor == 2 else int(width)
    n = np.arange(-half, half + 1)
    root = np.sqrt(1 - (n / width) ** 2)
    window = i0e(beta * root) / i0e(beta) * np.exp(beta * (root - 1))
    sharp = _CUTOFF / 2 * np.sinc(_CUTOFF / 2 * n) * window

    half_band_stages = factor.bit_length() - 2
    return (half_band,) * half_band_stages + (sharp,)


def decimated_length(num_samples: int, factor: int) -> int:
    """Samples after decimation: rounded up, as librosa does."""
    return -(-num_samples // factor)


def decimator(factor: int, dtype: DTypeLike) -> Callable[[jax.Array], jax.Array]:
    """Return ``decimate(x)``, which low-passes one clip, shape (samples,), and keeps every ``factor``-th sample.

    The gain is 1 (a constant stays a constant). soxr gives ``num_samples / factor`` samples, rounded to nearest; librosa
    rounds up and fills with a zero, and so does this.
    """
    filters = decimation_filters(factor)
    stages = [_halver(taps, dtype) for taps in filters]

    def decimate(x: jax.Array) -> jax.Array:
        length = decimated_length(x.shape[0], factor)
        filled = (2 * x.shape[0] + factor) // (2 * factor)
        for taps, halve in zip(filters[:-1], stages[:-1], strict=True):
            # A stage runs on past the end of its input until its response has died away.
            x = halve(x, len(taps) // 2, (x.shape[0] + len(taps)) // 2)[:, 0]
        x = stages[-1](x, len(filters[-1]) // 2, filled)[:, 0]
        return jnp.pad(x, (0, length - filled))

    return decimate


def inner_halver(margin: int, dtype: DTypeLike) -> Callable[[jax.Array], jax.Array]:
    """Return the 2:1 decimation of a clip that is known, and not zero, for ``margin`` samples beyond either end.

    It maps (margin + samples + margin,) to the samples of the clip alone, (samples / 2 rounded up,).
    """
    (taps,) = decimation_filters(2)
    halve = _halver(taps, dtype)
    return lambda x: halve(x, len(taps) // 2 - margin, decimated_length(x.shape[0] - 2 * margin, 2))[:, 0]


def _halver(taps: np.ndarray, dtype: DTypeLike) -> Correlator:
    return correlator(jnp.asarray(taps[:, None], dtype), stride=2, min_block=128, splits=1)

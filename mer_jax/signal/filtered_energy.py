"""Energy of a signal behind each of many filters, smoothed, once a frame, without computing what the filters let through.

    E[c, t] = sum_n g_c[n] |(y * h_c)[t hop + n]|^2

Computed as written, a filter costs a convolution at the full rate. But E is a quadratic form of the N samples around a frame,
and with their Fourier transform X (H and G those of ``h`` and ``g``) it is

    E = 1 / N^2  sum_d G[d]  sum_k  X[k] conj(X[k - d])  H[k] conj(H[k - d]).

``g`` is smooth: G vanishes but for a few lags ``d``. The products of X at each lag are shared by all filters, and the sum over
``k`` is one matrix product a lag, like that of a mel filterbank (which is what lag 0 alone amounts to). This is exact up to
what G holds beyond the last lag that is kept. On a CPU it is several times faster than convolving in time or block by block in
frequency (``docs/frontends.md``).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy.fft import next_fast_len

from mer_jax import checks
from mer_jax._shapes import Array, Float, Inexact
from mer_jax.signal import framing
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen


def segment_length(filter_taps: int, smoother_taps: int) -> int:
    """Samples around a frame that its energies depend on, rounded up to an even length with a quick FFT.

    >>> segment_length(551, 2459)
    3072
    """
    return 2 * next_fast_len((filter_taps + smoother_taps) // 2, real=True)


def filtered_energy(
    y: Float[Array, "*batch samples"],
    filters: Inexact[Array, "filters taps"],
    smoothers: Float[Array, "filters smoother_taps"],
    *,
    hop_length: int,
    lags: int,
    symmetric: bool = False,
) -> Float[Array, "*batch filters frames"]:
    """Smoothed energies behind filters; see the module's text.

    A reverse pass gives gradients to ``filters``, ``smoothers`` and ``y``; it computes the spectra of one clip at a time again
    instead of keeping those of all.

    Args:
        y: samples; zeros around them.
        filters: centred impulse responses of odd length, real or complex.
        smoothers: centred, symmetric low-pass filters of odd length.
        hop_length: samples between frames; frame ``t`` is centred at ``t * hop_length``.
        lags: how many of the smoothers' Fourier coefficients count, in bins of :func:`segment_length`.
        symmetric: every filter is its own conjugate mirrored at its centre (Gabor, sinc): its response is real, and half of
            the work falls away.

    Returns:
        Energies in the squared unit of ``y``, shape (..., filters, 1 + samples // hop_length), float32 (float64 for float64).

    Raises:
        mer_jax.checks.ArgumentError: a length that is even, or fewer than 0 lags.
    """
    for name, taps in (("filters", filters.shape[1]), ("smoothers", smoothers.shape[1])):
        if taps % 2 == 0:
            raise checks.ArgumentError(name, f"have {taps} taps", expected="an odd number")
    checks.positive_int("lags", lags, minimum=0)
    size = segment_length(filters.shape[1], smoothers.shape[1])
    lags = min(lags, size // 2 - 1)
    return _filtered_energy(y, filters, smoothers, size, hop_length, lags, symmetric)


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _filtered_energy(
    y: jax.Array,
    filters: jax.Array,
    smoothers: jax.Array,
    size: int,
    hop_length: int,
    lags: int,
    symmetric: bool,
) -> jax.Array:
    forms = _forms(filters, smoothers, size, lags, symmetric=symmetric)

    def of_clip(clip: jax.Array) -> jax.Array:
        return _of_clip(clip, forms, size, hop_length).T

    return per_clip(of_clip, widen(y), recompute=True)


Forms = list[tuple[jax.Array, jax.Array | None]]
"""Of each lag: the weights (filters, bins) of the real and of the imaginary part of the products."""


def _forms(filters: jax.Array, smoothers: jax.Array, size: int, lags: int, *, symmetric: bool) -> Forms:
    """``G[d] H[k] conj(H[k - d]) / N^2``, folded onto half of the pairs.

    For a real signal the pair of bins (k, k - d) and its mirror image (d - k, -k) have the same product, so each is computed
    once: those whose midpoint ``k - d / 2`` lies in 0..N/2, beginning with ``k = ceil(d / 2)``.
    """
    bins = size // 2 + 1
    response = _spectrum(filters, size)
    response = response.real if symmetric else response
    # Bins -reach .. N/2 + reach, and those of the mirror image: every lag then is a slice, whose reverse pass is quick.
    reach = lags // 2 + 1
    k = np.arange(-reach, bins + reach)
    response, mirrored = response[:, k % size], response[:, -k % size]
    gains = _spectrum(smoothers, size).real
    forms: Forms = []
    for d in range(lags + 1):
        first = reach - (-d // 2)
        here, there = slice(first, first + bins), slice(first - d, first - d + bins)
        weight = np.ones(bins)
        # Even lags: the outermost pairs are their own mirror images. Odd ones have one pair less.
        if d % 2 == 0:
            weight[[0, -1]] = 0.5
        else:
            weight[-1] = 0.0
        # Frames are transformed from their first sample on: the shift to their centre turns bin k by (-1)^k.
        weight *= (1 if d == 0 else 2) * (-1) ** d / size**2
        scale = gains[:, d, None] * jnp.asarray(weight, gains.dtype)[None, :]
        # The pair (k, k - d), and its mirror image (d - k, -k).
        form = response[:, here] * response[:, there].conj() + mirrored[:, there] * mirrored[:, here].conj()
        # At lag 0 the products are real.
        forms.append((scale * form.real, None if symmetric or d == 0 else scale * form.imag))
    return forms


def _spectrum(kernels: jax.Array, size: int) -> jax.Array:
    """Transform of centred kernels about their centre, shape (kernels, size)."""
    half = kernels.shape[1] // 2
    padded = jnp.pad(kernels, ((0, 0), (0, size - kernels.shape[1])))
    return jnp.fft.fft(jnp.roll(padded, -half, axis=1), axis=1)


def _of_clip(clip: jax.Array, forms: Forms, size: int, hop_length: int) -> jax.Array:
    """Energies (frames, filters) of one clip."""
    frames = 1 + clip.shape[0] // hop_length
    padded = framing.padded_section(
        clip, 0, size + (frames - 1) * hop_length, half=size // 2, mode="constant"
    )
    spectra = jnp.fft.rfft(framing.split_frames(padded, frame_length=size, hop_length=hop_length))
    bins = spectra.shape[1]
    reach = len(forms) // 2 + 1
    # A few bins beyond either end, where the spectrum of a real signal is its own mirror image.
    real = jnp.concatenate(
        [spectra.real[:, reach:0:-1], spectra.real, spectra.real[:, -2 : -2 - reach : -1]], axis=1
    )
    imag = jnp.concatenate(
        [-spectra.imag[:, reach:0:-1], spectra.imag, -spectra.imag[:, -2 : -2 - reach : -1]], axis=1
    )
    total = jnp.zeros((frames, forms[0][0].shape[0]), clip.dtype)
    for d, (of_real, of_imag) in enumerate(forms):
        first = reach - (-d // 2)
        here = slice(first, first + bins)
        there = slice(first - d, first - d + bins)
        product = real[:, here] * real[:, there] + imag[:, here] * imag[:, there]
        total = total + _product(product, of_real)
        if of_imag is not None:
            product = imag[:, here] * real[:, there] - real[:, here] * imag[:, there]
            total = total - _product(product, of_imag)
    return total


def _product(rows: jax.Array, weights: jax.Array) -> jax.Array:
    return jnp.dot(rows, weights.T, precision=lax.Precision.HIGHEST)

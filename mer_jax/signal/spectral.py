"""Spectral features of each frame: centroid, bandwidth, contrast, flatness, roll-off, flux, polynomial."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Inexact, Shaped
from mer_jax.signal import descriptors
from mer_jax.signal.contrast import Contrast
from mer_jax.signal.spectral_source import Hertz, frequencies_of, spectra_of
from mer_jax.signal.windows import WindowSpec

Waveform = Shaped[ArrayLike, "*batch samples"]
Spectrogram = Inexact[ArrayLike, "*batch bins frames"]

_SHARED_ARGS = """

    Args that all features of this module share: ``y`` samples, shape (..., samples), or ``S`` magnitudes, shape (..., bins,
    frames); ``sr`` in hertz; ``n_fft``, ``hop_length``, ``win_length``, ``window``, ``center`` and ``pad_mode`` as in
    :func:`mer_jax.signal.stft` (they do not apply to ``S``, whose bins tell ``n_fft``); ``freq`` frequencies of the bins in
    hertz, ascending, shape (bins,), None for those of the transform; with ``S`` also a set for each frame, of a shape that
    broadcasts to that of ``S``. Frames 300 dB below full scale have no gradient. Raises
    :class:`~mer_jax.checks.ArgumentError` unless exactly one of ``y`` and ``S`` is given and every option can be used."""


def _shared(function: Callable) -> Callable:
    """Append what all features share to a docstring."""
    function.__doc__ = (function.__doc__ or "").rstrip() + _SHARED_ARGS
    return function


@_shared
def spectral_centroid(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    freq: Hertz | None = None,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> Float[Array, "*batch 1 frames"]:
    """Centre of mass of each spectrum, ``sum_f f S[f, t] / sum_f S[f, t]``, in hertz; 0 for silence. Shape (..., 1, frames).

    Source: librosa 0.11, ``librosa.feature.spectral_centroid``; Klapuri and Davy (2006), chapter 5.

    >>> spectral_centroid(S=jnp.array([[1.0], [1.0], [0.0]]), sr=8000).tolist()
    [[1000.0]]
    """
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    frequencies, hz = frequencies_of(sr, freq, source)
    return source(descriptors.Centroid(frequencies), hz=hz)


@_shared
def spectral_bandwidth(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    freq: Hertz | None = None,
    centroid: Float[ArrayLike, "*batch 1 frames"] | None = None,
    norm: bool = True,
    p: float = 2.0,
) -> Float[Array, "*batch 1 frames"]:
    """Spread around the centroid, ``(sum_f S[f, t] |f - centroid[t]|^p)^(1/p)``, in hertz. Shape (..., 1, frames).

    ``S`` is scaled to sum 1 in each frame unless ``norm`` is False. A ``centroid`` in hertz, shape (..., 1, frames), is used
    instead of the spectrum's own and needs ``S``.

    Source: librosa 0.11, ``librosa.feature.spectral_bandwidth``; Klapuri and Davy (2006), chapter 5.

    >>> spectral_bandwidth(S=jnp.array([[1.0], [0.0], [1.0]]), sr=8000).tolist()
    [[2000.0]]
    """
    checks.positive("p", p)
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    frequencies, hz = frequencies_of(sr, freq, source)
    if centroid is not None:
        if S is None:
            raise checks.ArgumentError(
                "centroid", "is given without S", expected="S, whose frames it belongs to"
            )
        centroid = source.like_frames("centroid", centroid, bins=1)
    return source(descriptors.Bandwidth(frequencies, norm, float(p)), hz=hz, centroid=centroid)


@_shared
def spectral_contrast(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    freq: Hertz | None = None,
    fmin: float = 200.0,
    n_bands: int = 6,
    quantile: float = 0.02,
    linear: bool = False,
) -> Float[Array, "*batch bands frames"]:
    """Difference between peaks and valleys in octave bands, in decibels. Shape (..., n_bands + 1, frames).

    Peak and valley of a band are the means of the largest and smallest ``quantile`` of its bins (at least one). Both become
    decibels (:func:`mer_jax.signal.power_to_db`, each cut 80 dB below its clip's maximum) before the difference; ``linear``
    subtracts them as they are. Band 0 ends at ``fmin`` hertz, each further one an octave higher, the last at the top.

    Source: Jiang et al. (2002), as in librosa 0.11, ``librosa.feature.spectral_contrast``.

    >>> spectral_contrast(y=jnp.ones(4096)).shape
    (7, 9)
    """
    checks.positive("fmin", fmin)
    checks.positive_int("n_bands", n_bands)
    if not 0 < quantile < 1:
        raise checks.ArgumentError("quantile", f"is {quantile!r}", expected="a number between 0 and 1")
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    top_hz = fmin * 2.0 ** (n_bands - 1)
    if top_hz >= sr / 2:
        raise checks.ArgumentError(
            "fmin",
            f"is {fmin} with {n_bands} bands: the last one starts at {top_hz:.0f} Hz",
            expected=f"below half the sampling rate, {sr / 2:.0f} Hz",
            remedy="take a lower fmin or fewer bands",
        )
    frequencies, hz = frequencies_of(sr, freq, source)
    if hz is not None:
        raise checks.ArgumentError(
            "freq", f"has shape {hz.shape}", expected="(bins,), the same in every frame"
        )
    contrast = Contrast(frequencies, float(fmin), n_bands, float(quantile), linear)
    contrast.bands(source.bins)  # an empty band is named here, not while the program is traced
    return source.of_clips(contrast)


@_shared
def spectral_flatness(
    y: Waveform | None = None,
    *,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    amin: float = 1e-10,
    power: float = 2.0,
) -> Float[Array, "*batch 1 frames"]:
    """Geometric over arithmetic mean of ``max(amin, S[f, t]^power)``: 0 for a tone, 1 for white noise. Shape (..., 1, frames).

    Source: librosa 0.11, ``librosa.feature.spectral_flatness``; Dubnov (2004).

    >>> spectral_flatness(S=jnp.ones((5, 1))).tolist()
    [[1.0]]
    """
    checks.positive("amin", amin)
    checks.positive("power", power)
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return source(descriptors.Flatness(float(amin), float(power)))


@_shared
def spectral_rolloff(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    freq: Hertz | None = None,
    roll_percent: float = 0.85,
) -> Float[Array, "*batch 1 frames"]:
    """Lowest frequency at or below which lies ``roll_percent`` of the sum of magnitudes, in hertz. Shape (..., 1, frames).

    A step function of the signal: its gradient is 0.

    Source: librosa 0.11, ``librosa.feature.spectral_rolloff``.

    >>> spectral_rolloff(S=jnp.array([[0.0], [1.0], [0.1]]), sr=8000).tolist()
    [[2000.0]]
    """
    if not 0 < roll_percent < 1:
        raise checks.ArgumentError(
            "roll_percent", f"is {roll_percent!r}", expected="a number between 0 and 1"
        )
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    frequencies, hz = frequencies_of(sr, freq, source)
    return source(descriptors.Rolloff(frequencies, float(roll_percent)), hz=hz)


@_shared
def poly_features(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    order: int = 1,
    freq: Hertz | None = None,
) -> Float[Array, "*batch coefficients frames"]:
    """Coefficients of the polynomial of degree ``order`` fitted to each spectrum over hertz, highest power first.

    Shape (..., order + 1, frames). Least squares, as ``numpy.polyfit``.

    Source: librosa 0.11, ``librosa.feature.poly_features``.

    >>> poly_features(S=2.0 * jnp.ones((5, 1)), order=0).round(4).tolist()
    [[2.0]]
    """
    checks.positive_int("order", order, minimum=0)
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    frequencies, hz = frequencies_of(sr, freq, source)
    return source(descriptors.Polynomial(frequencies, order), hz=hz)


@_shared
def spectral_flux(
    y: Waveform | None = None,
    *,
    sr: float = 22050,
    S: Spectrogram | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> Float[Array, "*batch 1 frames"]:
    """Rise of the magnitudes from frame to frame, ``sum_f max(0, S[f, t] - S[f, t - 1])``; 0 in the first frame.

    Shape (..., 1, frames). ``sr`` does not enter; it is taken so that all spectral features are called alike.

    Source: Lerch, *An Introduction to Audio Content Analysis* (2nd ed., 2023), section 3.3.2, half-wave rectified.

    >>> spectral_flux(S=jnp.array([[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]])).tolist()
    [[0.0, 1.0, 2.0]]
    """
    checks.positive("sr", sr)
    source = spectra_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return source.of_clips(flux)


def flux(S: jax.Array) -> jax.Array:
    """Flux of magnitudes (..., bins, frames), shape (..., 1, frames)."""
    rise = jnp.maximum(S[..., 1:] - S[..., :-1], 0)
    # A product with ones: adding up rows that start at odd places costs three times as much on a CPU.
    total = jnp.matmul(jnp.ones((1, S.shape[-2]), S.dtype), rise, precision=lax.Precision.HIGHEST)
    return jnp.concatenate([jnp.zeros_like(total, shape=(*total.shape[:-1], 1)), total], axis=-1)

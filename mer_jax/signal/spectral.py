"""Spectral features of each frame: centroid, bandwidth, contrast, flatness, roll-off, flux, polynomial."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Inexact, Shaped
from mer_jax.signal import descriptors
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.descriptors import Frequencies
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import map_spectra
from mer_jax.signal.stft import frame_options
from mer_jax.signal.windows import WindowSpec

Descriptor = Callable[[jax.Array], jax.Array]
Waveform = Shaped[ArrayLike, "*batch samples"]
Spectrogram = Inexact[ArrayLike, "*batch bins frames"]

_SHARED_ARGS = """

    Args that all features of this module share: ``y`` samples, shape (..., samples), or ``S`` magnitudes, shape (..., bins,
    frames); ``sr`` in hertz; ``n_fft``, ``hop_length``, ``win_length``, ``window``, ``center`` and ``pad_mode`` as in
    :func:`mer_jax.signal.stft` (they do not apply to ``S``, whose bins tell ``n_fft``); ``freq`` frequencies of the bins in
    hertz, shape (bins,), None for those of the transform. Raises :class:`~mer_jax.checks.ArgumentError` unless exactly one of
    ``y`` and ``S`` is given and every option can be used."""


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
    freq: Sequence[float] | np.ndarray | None = None,
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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return source(descriptors.Centroid(_frequencies(sr, source.n_fft, freq)))


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
    freq: Sequence[float] | np.ndarray | None = None,
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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    descriptor = descriptors.Bandwidth(_frequencies(sr, source.n_fft, freq), norm, float(p))
    if centroid is None:
        return source(descriptor)
    if S is None:
        raise checks.ArgumentError("centroid", "is given without S", expected="S, whose frames it belongs to")
    S, given = checks.spectrogram(S), jnp.asarray(centroid)
    rows = widen(jnp.swapaxes(_magnitude(S), -1, -2)).reshape(-1, S.shape[-2])
    found = descriptor(rows, widen(given).reshape(-1, 1))
    return found.reshape(given.shape).astype(jnp.real(S).dtype)


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
    freq: Sequence[float] | np.ndarray | None = None,
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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    top_hz = fmin * 2.0 ** (n_bands - 1)
    if top_hz >= sr / 2:
        raise checks.ArgumentError(
            "fmin",
            f"is {fmin} with {n_bands} bands: the last one starts at {top_hz:.0f} Hz",
            expected=f"below half the sampling rate, {sr / 2:.0f} Hz",
            remedy="take a lower fmin or fewer bands",
        )
    frequencies = _frequencies(sr, source.n_fft, freq)
    both = source(
        descriptors.Extremes(frequencies, float(fmin), n_bands, float(quantile)), keep_precision=True
    )
    return contrast_of_extremes(both, linear=linear).astype(source.dtype)


@partial(jax.jit, static_argnames="linear")
def contrast_of_extremes(both: jax.Array, *, linear: bool = False) -> jax.Array:
    """Contrast from valleys and peaks (..., 2 * bands, frames)."""
    bands = both.shape[-2] // 2
    valley, peak = both[..., :bands, :], both[..., bands:, :]
    return peak - valley if linear else power_to_db(peak) - power_to_db(valley)


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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
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
    freq: Sequence[float] | np.ndarray | None = None,
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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return source(descriptors.Rolloff(_frequencies(sr, source.n_fft, freq), float(roll_percent)))


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
    freq: Sequence[float] | np.ndarray | None = None,
) -> Float[Array, "*batch coefficients frames"]:
    """Coefficients of the polynomial of degree ``order`` fitted to each spectrum over hertz, highest power first.

    Shape (..., order + 1, frames). Least squares, as ``numpy.polyfit``.

    Source: librosa 0.11, ``librosa.feature.poly_features``.

    >>> poly_features(S=2.0 * jnp.ones((5, 1)), order=0).round(4).tolist()
    [[2.0]]
    """
    checks.positive_int("order", order, minimum=0)
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return source(descriptors.Polynomial(_frequencies(sr, source.n_fft, freq), order))


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
    source = _source(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    return _flux(source.magnitude()).astype(source.dtype)


@jax.jit
def _flux(S: jax.Array) -> jax.Array:
    return flux_of_magnitude(S)


def flux_of_magnitude(S: jax.Array) -> jax.Array:
    """Flux of magnitudes (..., bins, frames), shape (..., 1, frames)."""
    rise = jnp.maximum(S[..., 1:] - S[..., :-1], 0).sum(axis=-2, keepdims=True)
    return jnp.concatenate([jnp.zeros_like(S[..., :1, :1]), rise], axis=-1)


class _Source:
    """Where spectra come from: a waveform with the options of its transform, or a spectrogram.

    Called with a descriptor, gives (..., values, frames).
    """

    def __init__(self, y: jax.Array | None, S: jax.Array | None, n_fft: int, framed: dict) -> None:
        self.y = y
        self.S = S
        self.n_fft = n_fft
        self.framed = framed
        self.dtype = jnp.real(S).dtype if y is None else y.dtype

    def __call__(self, descriptor: Descriptor, *, keep_precision: bool = False) -> jax.Array:
        if self.y is None:
            out = _from_spectrogram(self.S, descriptor=descriptor)
        else:
            out = _from_waveform(self.y, self.framed["window"], descriptor=descriptor, **self._options)
        return out if keep_precision else out.astype(self.dtype)

    def magnitude(self) -> jax.Array:
        """Magnitudes (..., bins, frames), in the precision of the computation."""
        if self.y is None:
            return widen(_magnitude(self.S))
        return _from_waveform(self.y, self.framed["window"], descriptor=_identity, **self._options)

    @property
    def _options(self) -> dict:
        return {key: value for key, value in self.framed.items() if key != "window"}


def _source(
    y: ArrayLike | None,
    S: ArrayLike | None,
    n_fft: int,
    hop_length: int,
    win_length: int | None,
    window: WindowSpec,
    center: bool,
    pad_mode: str,
) -> _Source:
    checks.exactly_one(("y", "S"), (y, S))
    if S is not None:
        S = checks.spectrogram(S)
        fits = n_fft // 2 + 1 == S.shape[-2]
        return _Source(None, S, n_fft if fits else 2 * (S.shape[-2] - 1), {})
    y = checks.waveform(y)
    return _Source(y, None, n_fft, frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode))


@partial(jax.jit, static_argnames=("descriptor", "hop_length", "center", "pad_mode"))
def _from_waveform(
    y: jax.Array, window: jax.Array, *, descriptor: Descriptor, hop_length: int, center: bool, pad_mode: str
) -> jax.Array:
    options = {"hop_length": hop_length, "center": center, "pad_mode": pad_mode}
    return map_spectra(lambda z: descriptor(jnp.abs(z)), widen(y), window, **options)


@partial(jax.jit, static_argnames=("descriptor",))
def _from_spectrogram(S: jax.Array, *, descriptor: Descriptor) -> jax.Array:
    rows = jnp.swapaxes(widen(_magnitude(S)), -1, -2)
    out = descriptor(rows.reshape(-1, rows.shape[-1]))
    return jnp.swapaxes(out.reshape(*rows.shape[:-1], -1), -1, -2)


def _identity(S: jax.Array) -> jax.Array:
    return S


def _magnitude(S: jax.Array) -> jax.Array:
    return jnp.abs(S) if jnp.iscomplexobj(S) else S


def _frequencies(sr: float, n_fft: int, freq: Sequence[float] | np.ndarray | None) -> Frequencies:
    checks.positive("sr", sr)
    if freq is None:
        return Frequencies(float(sr), n_fft)
    values = np.asarray(freq, np.float64)
    if values.ndim != 1:
        raise checks.ArgumentError(
            "freq", f"has shape {values.shape}", expected="(bins,), the same in every frame"
        )
    return Frequencies(float(sr), n_fft, tuple(values.tolist()))

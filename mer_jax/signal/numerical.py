"""The study's numerical features of each frame, from one short-time Fourier transform."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Shaped
from mer_jax.signal import descriptors, filterbanks
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.contrast import Contrast
from mer_jax.signal.delta import delta
from mer_jax.signal.descriptors import Frequencies
from mer_jax.signal.mel import mfcc
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import map_spectra
from mer_jax.signal.spectral import flux
from mer_jax.signal.stft import frame_options
from mer_jax.signal.temporal import amplitude_envelope, rms, zero_crossing_rate

#: Rows of :func:`spectral_statistics`, in order.
STATISTICS = (
    "spectral_flux",
    "spectral_rolloff",
    "spectral_centroid",
    "spectral_bandwidth",
    *(f"spectral_contrast_{band}" for band in range(Contrast.n_bands + 1)),
    "spectral_flatness",
)

_SERIES = ("amplitude_envelope", "rms", "zero_crossing_rate")


def check_sampling_rate(sr: float) -> None:
    """Raise :class:`~mer_jax.checks.ArgumentError` unless ``sr`` leaves room for the octave bands of the contrast."""
    checks.positive("sr", sr)
    lowest_hz = 2 * Contrast.fmin * 2 ** (Contrast.n_bands - 1)
    if sr <= lowest_hz:
        raise checks.ArgumentError(
            "sr",
            f"is {sr}",
            expected=f"above {lowest_hz:.0f} Hz, for the {Contrast.n_bands + 1} bands of the contrast",
        )


def time_features(
    y: Float[Array, "*batch samples"], *, frame_length: int, hop_length: int
) -> Float[Array, "*batch 3 frames"]:
    """Amplitude envelope, RMS energy and zero-crossing rate: the first rows of :func:`numerical_features`."""
    framing: dict[str, Any] = {"frame_length": frame_length, "hop_length": hop_length}
    rows = [amplitude_envelope(y, **framing), rms(y, **framing), zero_crossing_rate(y, **framing)]
    return jnp.concatenate(rows, axis=-2)


def spectral_statistics(
    clip: jax.Array,
    window: jax.Array,
    *,
    sr: float,
    hop_length: int,
    filters: filterbanks.FilterBank | None = None,
) -> tuple[jax.Array, jax.Array | None]:
    """Flux, roll-off, centroid, bandwidth, contrast and flatness of one clip, and its mel spectrogram if ``filters`` are given.

    A building block, not compiled by itself: put it in :func:`mer_jax.signal.platform.per_clip`, so that the magnitudes of a
    clip, which flux and contrast need as a whole, stay in cache and memory does not grow with the batch.

    Args:
        clip: samples, float32 or float64, shape (samples,).
        window: as long as the transform, of the dtype of ``clip``.
        sr: sampling rate in hertz.
        hop_length: samples between frames.
        filters: mel filters, applied to the power spectrum.

    Returns:
        The statistics named in :data:`STATISTICS`, (12, frames), each as the function of that name with its defaults; and the
        mel spectrogram, (filters, frames), or None.
    """
    frequencies = Frequencies(float(sr), window.shape[-1])
    describe = (
        descriptors.Rolloff(frequencies),
        descriptors.Centroid(frequencies),
        descriptors.Bandwidth(frequencies),
        descriptors.Flatness(),
    )

    def of_frames(z: jax.Array) -> dict[str, jax.Array]:
        S = descriptors.magnitude(z)
        out = {"magnitude": S, "each": jnp.concatenate([descriptor(S) for descriptor in describe], axis=-1)}
        return out if filters is None else out | {"mel": filters.on_rows(jnp.square(S))}

    found = map_spectra(of_frames, clip, window, hop_length=hop_length)
    S, each = found["magnitude"], found["each"]
    statistics = [flux(S), each[:3], Contrast(frequencies)(S), each[3:]]
    return jnp.concatenate(statistics), found.get("mel")


def frequency_features(
    clip: jax.Array,
    window: jax.Array,
    *,
    sr: float,
    hop_length: int,
    filters: filterbanks.FilterBank,
    n_mfcc: int,
) -> tuple[jax.Array, jax.Array]:
    """:func:`spectral_statistics` of one clip, its MFCC and their first and second differences; and what else they rest on.

    A building block like :func:`spectral_statistics`, with its arguments.

    Returns:
        The rows of :func:`numerical_features` from the fourth on, (12 + 3 * n_mfcc, frames), and the mel spectrogram in
        decibels, (filters, frames).
    """
    statistics, mel = spectral_statistics(clip, window, sr=sr, hop_length=hop_length, filters=filters)
    assert mel is not None  # filters are given
    log_mel = power_to_db(mel)
    cepstrum = mfcc(S=log_mel, n_mfcc=n_mfcc)
    return jnp.concatenate([statistics, cepstrum, delta(cepstrum), delta(cepstrum, order=2)]), log_mel


def numerical_features(
    y: Shaped[ArrayLike, "*batch samples"],
    *,
    sr: float = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    n_mfcc: int = 20,
) -> Float[Array, "*batch features frames"]:
    """All numerical features of each frame: the input of the study's second approach.

    In order (:func:`numerical_names`): amplitude envelope, RMS energy and zero-crossing rate; the spectral statistics
    (:data:`STATISTICS`); mel-frequency cepstral coefficients and their first and second differences. Each is what the function
    of its name gives with its defaults; the transform they share is computed once.

    Args:
        y: samples, shape (..., samples).
        sr: sampling rate in hertz, above 12,800 for the octave bands of the contrast.
        n_fft: samples in a frame.
        hop_length: samples between frames.
        n_mels: mel bands.
        n_mfcc: cepstral coefficients.

    Returns:
        Shape (..., 15 + 3 * n_mfcc, frames).

    Raises:
        ArgumentError: if an option cannot be used, or ``y`` has fewer than the nine frames that a difference spans.

    >>> numerical_features(jnp.ones(8192), n_mfcc=13).shape
    (54, 17)
    """
    y = checks.waveform(y)
    check_sampling_rate(sr)
    checks.positive_int("n_mfcc", n_mfcc)
    framed = frame_options(y, n_fft, hop_length, None, "hann", True, "constant")
    filterbanks.mel(
        sr=sr, n_fft=n_fft, n_mels=n_mels
    )  # errors in its arguments surface here, not in the program
    return _numerical_features(
        y, framed["window"], sr=float(sr), hop_length=hop_length, n_mels=n_mels, n_mfcc=n_mfcc
    )


@partial(jax.jit, static_argnames=("sr", "hop_length", "n_mels", "n_mfcc"))
def _numerical_features(
    y: jax.Array, window: jax.Array, *, sr: float, hop_length: int, n_mels: int, n_mfcc: int
) -> jax.Array:
    n_fft = window.shape[-1]
    filters = filterbanks.FilterBank(filterbanks.mel(sr=sr, n_fft=n_fft, n_mels=n_mels))
    x = widen(y)

    def of_clip(clip: jax.Array) -> jax.Array:
        return frequency_features(clip, window, sr=sr, hop_length=hop_length, filters=filters, n_mfcc=n_mfcc)[
            0
        ]

    series = time_features(x, frame_length=n_fft, hop_length=hop_length)
    return jnp.concatenate([series, per_clip(of_clip, x)], axis=-2).astype(y.dtype)


def numerical_names(n_mfcc: int = 20) -> tuple[str, ...]:
    """Names of the rows of :func:`numerical_features`.

    >>> numerical_names(2)[-4:]
    ('mfcc_delta_0', 'mfcc_delta_1', 'mfcc_delta2_0', 'mfcc_delta2_1')
    """
    cepstral = (f"{kind}_{k}" for kind in ("mfcc", "mfcc_delta", "mfcc_delta2") for k in range(n_mfcc))
    return (*_SERIES, *STATISTICS, *cepstral)

"""Chroma of a spectrogram: the energy of each pitch class, over all octaves, in each frame."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float
from mer_jax.signal.chroma_filters import chroma_scale
from mer_jax.signal.normalization import check_norm, normalize
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import magnitude_power, map_spectra
from mer_jax.signal.stft import frame_options
from mer_jax.signal.tuning import Scale, tuning_of_clip
from mer_jax.signal.windows import WindowSpec


def chroma_stft(
    y: Float[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    S: Float[ArrayLike, "*batch bins frames"] | None = None,
    norm: float | None = np.inf,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    tuning: float | None = 0.0,
    n_chroma: int = 12,
    ctroct: float = 5.0,
    octwidth: float | None = 2.0,
    base_c: bool = True,
) -> Float[Array, "*batch chroma frames"]:
    """Chroma of a power spectrogram: each FFT bin is shared out over the pitch classes nearest to it.

    ``chroma[c, t] = sum_f W[c, f] S[f, t]``, normalised over ``c``. ``W[c, f]`` is a Gaussian of the distance
    between bin and pitch class in bin widths, times one of the octave that makes the middle register count most.

    Args:
        y: samples, shape (..., samples); or give ``S``.
        sr: sampling rate in hertz.
        S: power spectrogram, shape (..., 1 + n_fft // 2, frames).
        norm: order of the norm of each frame (infinity: the maximum); None: not normalised.
        n_fft: samples in a frame of ``y``.
        hop_length: samples between frames of ``y``.
        win_length: see :func:`mer_jax.signal.stft`, as for the three that follow.
        window: window of the frames.
        center: whether frames are centred.
        pad_mode: how the signal is continued beyond its ends.
        tuning: deviation from A440 in fractions of a pitch class; None estimates it for every clip (also
            inside ``jit``).
        n_chroma: number of pitch classes.
        ctroct: octave above A0 (27.5 Hz) that counts most.
        octwidth: standard deviation of the octaves' weights in octaves; None weights all octaves alike.
        base_c: whether row 0 is C; otherwise it is A.

    Returns:
        Values of at least 0 (at most 1 with the default norm), shape (..., n_chroma, frames), in the dtype of the input.

    Raises:
        ArgumentError: if not exactly one of ``y`` and ``S`` is given, or an argument is out of range.

    Source:
        Ellis, "Chroma feature analysis and synthesis" (2007); ``librosa.feature.chroma_stft`` 0.11.

    >>> chroma_stft(jnp.zeros((2, 22050))).shape
    (2, 12, 44)
    """
    checks.exactly_one(["y", "S"], [y, S])
    checks.positive("sr", sr)
    checks.positive_int("n_chroma", n_chroma)
    check_norm(norm)
    if octwidth is not None:
        checks.positive("octwidth", octwidth)
    folding = Folding(
        sr=float(sr),
        n_fft=n_fft if S is None else 2 * (S.shape[-2] - 1),
        n_chroma=int(n_chroma),
        ctroct=float(ctroct),
        octwidth=octwidth,
        base_c=base_c,
        norm=norm,
    )
    if S is not None:
        return _chroma_of_power(checks.spectrogram(S), tuning, folding=folding)
    assert y is not None  # one of the two is given
    y = checks.waveform(y)
    frames = frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode)
    return _chroma_of_audio(y, tuning, frames.pop("window"), folding=folding, **frames)


@dataclass(frozen=True)
class Folding:
    """How a spectrum becomes chroma: the arguments of :func:`chroma_stft` by these names."""

    sr: float
    n_fft: int
    n_chroma: int
    ctroct: float
    octwidth: float | None
    base_c: bool
    norm: float | None


@partial(jax.jit, static_argnames="folding")
def _chroma_of_power(S: jax.Array, tuning: jax.Array | None, *, folding: Folding) -> jax.Array:
    def clip(power: jax.Array) -> jax.Array:
        weights = _weights(_own_tuning(power, folding) if tuning is None else tuning, power.dtype, folding)
        return _fold(power.T, weights, folding).T

    return per_clip(clip, widen(S), core_ndim=2).astype(S.dtype)


@partial(jax.jit, static_argnames=("folding", "hop_length", "center", "pad_mode"))
def _chroma_of_audio(
    y: jax.Array,
    tuning: jax.Array | None,
    window: jax.Array,
    *,
    folding: Folding,
    hop_length: int,
    center: bool,
    pad_mode: str,
) -> jax.Array:
    spectra = partial(map_spectra, window=window, hop_length=hop_length, center=center, pad_mode=pad_mode)
    wide = widen(y)
    if tuning is not None:
        weights = _weights(tuning, wide.dtype, folding)
        return spectra(lambda z: _fold(magnitude_power(z, 2), weights, folding), wide).astype(y.dtype)

    def clip(x: jax.Array) -> jax.Array:
        power = spectra(lambda z: magnitude_power(z, 2), x)
        return _fold(power.T, _weights(_own_tuning(power, folding), x.dtype, folding), folding).T

    return per_clip(clip, wide).astype(y.dtype)


def _own_tuning(power: jax.Array, folding: Folding) -> jax.Array:
    """Tuning that one clip's power spectrogram, shape (bins, frames), shows."""
    scale = Scale(sr=folding.sr, resolution=0.01, bins_per_octave=folding.n_chroma)
    return tuning_of_clip(lax.stop_gradient(power), scale, n_fft=folding.n_fft)


def _fold(rows: jax.Array, weights: jax.Array, folding: Folding) -> jax.Array:
    """Power spectra (frames, bins) to chroma (frames, n_chroma)."""
    chroma = jnp.dot(rows, weights.T, precision=lax.Precision.HIGHEST)
    return normalize(chroma, norm=folding.norm, axis=1)


def _weights(tuning: jax.Array | float, dtype: DTypeLike, folding: Folding) -> jax.Array:
    """Weights (n_chroma, bins) for a tuning that may be known only when the program runs."""
    tuning = jnp.asarray(tuning, dtype)
    scale = chroma_scale(sr=folding.sr, n_fft=folding.n_fft, n_chroma=folding.n_chroma)
    position, width, octave = (jnp.asarray(x, dtype) for x in scale)
    n_chroma = folding.n_chroma
    half = float(np.round(n_chroma / 2))
    distance = (position - tuning + half) % n_chroma - half
    weights = jnp.exp(-0.5 * (2 * distance / width) ** 2)
    weights = normalize(weights, norm=2, axis=0)
    if folding.octwidth is not None:
        weights *= jnp.exp(-0.5 * ((octave - tuning / n_chroma - folding.ctroct) / folding.octwidth) ** 2)
    return jnp.roll(weights, -3 * (n_chroma // 12), axis=0) if folding.base_c else weights

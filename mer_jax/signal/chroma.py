"""Chroma of a constant-Q transform, what is derived from it (CENS), and tonal centroids.

Chroma folds all octaves into the pitch classes C, C#, ... B: rows of the result, in this order. Every function takes one
clip or any batch of them, and normalises and tunes each clip on its own. Unlike librosa's, the default tuning is 0.0, not
an estimate: ask for that with ``tuning=None``. (Chroma of a spectrogram: :mod:`mer_jax.signal.chroma_spectrum`.)
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float
from mer_jax.signal.chroma_filters import constantq_to_chroma
from mer_jax.signal.constantq import build_bank, describe
from mer_jax.signal.correlation import correlator
from mer_jax.signal.cq_kernels import Step
from mer_jax.signal.cq_response import responder
from mer_jax.signal.hybrid_cqt import hybrid_cqt
from mer_jax.signal.normalization import check_norm, normalize
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.tuning import for_each_tuning

CQT_MODES = ("full", "hybrid")

# CENS counts how many of these parts of a frame's total a pitch class exceeds, a quarter for each.
_QUANTIZATION_STEPS = (0.4, 0.2, 0.1, 0.05)


def chroma_cqt(
    y: Float[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    C: Float[ArrayLike, "*batch bins frames"] | None = None,
    hop_length: int = 512,
    fmin: float | None = None,
    norm: float | None = np.inf,
    threshold: float | None = 0.0,
    tuning: float | None = 0.0,
    n_chroma: int = 12,
    n_octaves: int = 7,
    window: Sequence[float] | np.ndarray | None = None,
    bins_per_octave: int | None = 36,
    cqt_mode: str = "full",
) -> Float[Array, "*batch chroma frames"]:
    """Chroma of a constant-Q transform: the magnitudes of each pitch class, added over octaves and normalised.

    Args:
        y: samples, shape (..., samples); or give ``C``.
        sr: sampling rate in hertz.
        C: constant-Q magnitudes, shape (..., bins, frames), with ``bins_per_octave`` bins in an octave from ``fmin`` up.
        hop_length: samples between frames.
        fmin: frequency of the lowest bin in hertz; None is C1, 32.70 Hz.
        norm: order of the norm of each frame (infinity: the maximum); None: not normalised.
        threshold: sums below it are set to 0 before they are normalised; None leaves them.
        tuning: deviation from A440 in fractions of a constant-Q bin; None estimates it for every clip, which
            works only outside ``jit`` and ``vmap``, since the kernels then depend on the data.
        n_chroma: number of pitch classes.
        n_octaves: octaves that are analysed above ``fmin``.
        window: weights that spread each constant-Q bin over its neighbours; None: no spreading.
        bins_per_octave: constant-Q bins in an octave, a multiple of ``n_chroma``; None is ``n_chroma``.
        cqt_mode: ``"full"``, or ``"hybrid"`` for :func:`mer_jax.signal.hybrid_cqt.hybrid_cqt`.

    Returns:
        Values of at least 0 (at most 1 with the default norm), shape (..., n_chroma, frames), in the dtype of the input.

    Raises:
        ArgumentError: if not exactly one of ``y`` and ``C`` is given, an argument is out of range, or
            ``tuning=None`` is asked for where the samples are not known yet.

    Source:
        Fujishima, "Realtime chord recognition of musical sound" (ICMC 1999); ``librosa.feature.chroma_cqt`` 0.11.

    >>> chroma_cqt(jnp.zeros((2, 22050)), n_octaves=4).shape
    (2, 12, 44)
    """
    checks.exactly_one(["y", "C"], [y, C])
    checks.one_of("cqt_mode", cqt_mode, CQT_MODES)
    check_norm(norm)
    bins_per_octave = n_chroma if bins_per_octave is None else bins_per_octave
    checks.positive_int("n_octaves", n_octaves)
    fold = constantq_to_chroma(
        n_octaves * bins_per_octave if C is None else C.shape[-2],
        bins_per_octave=bins_per_octave,
        n_chroma=n_chroma,
        fmin=fmin,
        window=None if window is None else tuple(float(w) for w in window),
    )
    finish: dict[str, Any] = {"norm": norm, "threshold": threshold}
    if C is not None:
        return _fold_constantq(jnp.asarray(C), fold, **finish)
    assert y is not None  # one of the two is given
    y = checks.waveform(y)
    n_bins = n_octaves * bins_per_octave

    def transform(clips: jax.Array, tuning: float) -> jax.Array:
        bins = describe(
            sr=sr,
            hop_length=hop_length,
            fmin=fmin,
            n_bins=n_bins,
            bins_per_octave=bins_per_octave,
            tuning=tuning,
        )
        if cqt_mode == "hybrid":
            return _fold_constantq(hybrid_cqt(clips, bins), fold, **finish)
        bank = build_bank(bins, method="librosa", num_samples=clips.shape[-1])
        return _chroma_of_audio(clips, bank.kernels, fold, steps=bank.steps, **finish)

    return for_each_tuning(transform, y, tuning=tuning, sr=sr, bins_per_octave=bins_per_octave)


@partial(jax.jit, static_argnames=("steps", "norm", "threshold"))
def _chroma_of_audio(
    y: jax.Array,
    kernels: tuple[jax.Array, ...],
    fold: jax.Array,
    *,
    steps: tuple[Step, ...],
    norm: float | None,
    threshold: float | None,
) -> jax.Array:
    wide = widen(y)
    respond = responder(kernels, steps, pad_mode="constant", num_samples=y.shape[-1], dtype=wide.dtype)

    def clip(x: jax.Array) -> jax.Array:
        magnitude = jnp.abs(lax.complex(*respond(x)))
        return _pitch_classes(magnitude.T, fold, norm=norm, threshold=threshold)

    return per_clip(clip, wide).astype(y.dtype)


@partial(jax.jit, static_argnames=("norm", "threshold"))
def _fold_constantq(
    C: jax.Array, fold: jax.Array, *, norm: float | None, threshold: float | None
) -> jax.Array:
    clip = partial(_pitch_classes, fold=fold, norm=norm, threshold=threshold)
    return per_clip(clip, widen(C), core_ndim=2).astype(C.dtype)


def _pitch_classes(
    C: jax.Array, fold: jax.Array, *, norm: float | None, threshold: float | None
) -> jax.Array:
    """Magnitudes (bins, frames) of one clip to chroma (n_chroma, frames)."""
    folded = jnp.dot(fold.astype(C.dtype), C, precision=lax.Precision.HIGHEST)
    if threshold is not None:
        folded = jnp.where(folded < threshold, 0, folded)
    return normalize(folded, norm=norm, axis=0)


def chroma_cens(
    y: Float[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    C: Float[ArrayLike, "*batch bins frames"] | None = None,
    hop_length: int = 512,
    fmin: float | None = None,
    tuning: float | None = 0.0,
    n_chroma: int = 12,
    n_octaves: int = 7,
    bins_per_octave: int | None = 36,
    cqt_mode: str = "full",
    window: Sequence[float] | np.ndarray | None = None,
    norm: float | None = 2,
    win_len_smooth: int | None = 41,
    smoothing_window: str | float | tuple[object, ...] = "hann",
) -> Float[Array, "*batch chroma frames"]:
    """Chroma energy normalised statistics: :func:`chroma_cqt`, quantised, smoothed over time, normalised.

    Each frame is scaled to sum 1 and each pitch class given a quarter for each of 0.4, 0.2, 0.1, 0.05 that it exceeds. The
    result follows harmony and forgets dynamics, timbre and articulation. It is piecewise constant in the samples: its
    gradient with respect to them is zero.

    Args:
        y: samples, shape (..., samples); or give ``C``.
        sr: see :func:`chroma_cqt`, as for all up to ``window``.
        C: constant-Q magnitudes.
        hop_length: samples between frames.
        fmin: lowest frequency in hertz.
        tuning: fractions of a constant-Q bin, or None.
        n_chroma: number of pitch classes.
        n_octaves: octaves that are analysed.
        bins_per_octave: constant-Q bins in an octave.
        cqt_mode: ``"full"`` or ``"hybrid"``.
        window: spreading of the constant-Q bins.
        norm: order of the norm of each frame of the result; None: not normalised.
        win_len_smooth: length of the smoothing window in frames; None: not smoothed.
        smoothing_window: its shape, as ``scipy.signal.get_window`` takes it.

    Returns:
        Values of at least 0, shape (..., n_chroma, frames), in the dtype of the input.

    Raises:
        ArgumentError: as :func:`chroma_cqt`, and if ``win_len_smooth`` is not a positive integer.

    Source:
        Müller and Ewert, "Chroma toolbox" (ISMIR 2011); ``librosa.feature.chroma_cens`` 0.11.

    >>> chroma_cens(jnp.zeros(22050), n_octaves=4).shape
    (12, 44)
    """
    check_norm(norm)
    weights = None
    if win_len_smooth is not None:
        checks.positive_int("win_len_smooth", win_len_smooth)
        shape = scipy.signal.get_window(smoothing_window, win_len_smooth + 2, fftbins=False)
        weights = shape / np.sum(shape)
    chroma = chroma_cqt(
        y,
        sr=sr,
        C=C,
        hop_length=hop_length,
        fmin=fmin,
        norm=None,
        tuning=tuning,
        n_chroma=n_chroma,
        n_octaves=n_octaves,
        window=window,
        bins_per_octave=bins_per_octave,
        cqt_mode=cqt_mode,
    )
    return _cens(chroma, weights, norm=norm)


@partial(jax.jit, static_argnames="norm")
def _cens(chroma: jax.Array, weights: jax.Array | None, *, norm: float | None) -> jax.Array:
    parts = normalize(widen(chroma), norm=1, axis=-2)
    steps = jnp.asarray(_QUANTIZATION_STEPS, parts.dtype)
    exceeded = jnp.expand_dims(parts, -1) > jnp.expand_dims(steps, tuple(range(parts.ndim)))
    smooth = jnp.mean(exceeded, axis=-1, dtype=parts.dtype)
    if weights is not None:
        smoother = correlator(weights.astype(parts.dtype)[:, None], stride=1)
        before, frames = (len(weights) - 1) // 2, parts.shape[-1]
        rows = smooth.reshape(-1, frames)
        smooth = jax.vmap(lambda row: smoother(row, before, frames)[:, 0])(rows).reshape(parts.shape)
    return normalize(smooth, norm=norm, axis=-2).astype(chroma.dtype)


def tonnetz(
    y: Float[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    chroma: Float[ArrayLike, "*batch chroma frames"] | None = None,
    **kwargs: Any,
) -> Float[Array, "*batch 6 frames"]:
    """Tonal centroids: chroma projected on the circles of fifths, minor thirds and major thirds.

    ``T[p, t] = sum_c phi[p, c] chroma[c, t] / sum_c |chroma[c, t]|`` with the coordinates of pitch class ``c``,
    ``phi = (sin 7 pi c / 6, cos 7 pi c / 6, sin 3 pi c / 2, cos 3 pi c / 2, sin(2 pi c / 3) / 2, cos(2 pi c / 3) / 2)``.

    Args:
        y: samples, shape (..., samples); or give ``chroma``.
        sr: sampling rate in hertz.
        chroma: chroma of at least 0, shape (..., n_chroma, frames).
        **kwargs: passed on to :func:`chroma_cqt` with ``y``.

    Returns:
        Shape (..., 6, frames): fifths x and y, minor thirds x and y, major thirds x and y, in the dtype of the input.

    Raises:
        ArgumentError: if not exactly one of ``y`` and ``chroma`` is given; and as :func:`chroma_cqt`.

    Source:
        Harte, Sandler and Gasser, "Detecting harmonic change in musical audio" (AMCMM 2006).

    >>> tonnetz(chroma=jnp.eye(12)[:, :1]).ravel().round(3).tolist()  # a lone C
    [0.0, 1.0, 0.0, 1.0, 0.0, 0.5]
    """
    checks.exactly_one(["y", "chroma"], [y, chroma])
    if chroma is None:
        chroma = chroma_cqt(y, sr=sr, **kwargs)
    return _tonnetz(jnp.asarray(chroma))


@jax.jit
def _tonnetz(chroma: jax.Array) -> jax.Array:
    wide = widen(chroma)
    angle = np.pi * np.outer([7 / 6, 3 / 2, 2 / 3], np.linspace(0, 12, wide.shape[-2], endpoint=False))
    radius = np.array([1, 1, 0.5])[:, None]
    circles = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1).reshape(6, -1)
    centroid = jnp.einsum(
        "pc,...ct->...pt",
        jnp.asarray(circles, wide.dtype),
        normalize(wide, norm=1, axis=-2),
        precision=lax.Precision.HIGHEST,
    )
    return centroid.astype(chroma.dtype)

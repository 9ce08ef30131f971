"""Onset strength: how much louder each frame is than the one before, over all frequencies."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Shaped
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.mel import melspectrogram
from mer_jax.signal.precision import widen
from mer_jax.signal.reductions import traceable


def onset_strength(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    S: Float[ArrayLike, "*batch bins frames"] | None = None,
    lag: int = 1,
    max_size: int = 1,
    ref: Float[ArrayLike, "*batch bins frames"] | None = None,
    detrend: bool = False,
    center: bool = True,
    feature: Callable[..., jax.Array] | None = None,
    aggregate: Callable[..., jax.Array] | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    **kwargs: Any,
) -> Float[Array, "*batch frames"]:
    """Rise of the log-mel spectrum over ``lag`` frames, ``mean_f max(0, S[f, t] - ref[f, t - lag])``.

    Args:
        y: samples, shape (..., samples); or give ``S``.
        sr: sampling rate in hertz.
        S: log-power spectrogram, shape (..., bins, frames); None is ``feature`` in decibels.
        lag: frames between the two spectra compared.
        max_size: bins of the maximum filter over frequency that makes the reference; 1 for none.
        ref: reference spectrogram instead of the filtered ``S``.
        detrend: remove the slow trend with the filter ``(1 - z^-1) / (1 - 0.99 z^-1)``.
        center: shift by half a transform, so that frame ``t`` speaks of sample ``t * hop_length``.
        feature: power spectrogram of a waveform, called with ``y``, ``sr``, ``n_fft``, ``hop_length`` and ``kwargs``; None is
            :func:`mer_jax.signal.melspectrogram`.
        aggregate: reduces over bins, called with ``axis=-2``: ``jnp.mean`` (default), ``jnp.median``, ``jnp.max``, or NumPy's.
        n_fft: samples in a frame (of the transform behind ``S``, too).
        hop_length: samples between frames.
        **kwargs: further arguments of ``feature``, such as ``n_mels`` or ``fmax``.

    Returns:
        Shape (..., frames).

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given and every option can be used.

    Source:
        librosa 0.11, ``librosa.onset.onset_strength``; Böck and Widmer (2013) for ``max_size``.

    >>> onset_strength(S=jnp.array([[0.0, 3.0, 3.0, 5.0]]), center=False).tolist()
    [0.0, 3.0, 0.0, 2.0]
    """
    checks.exactly_one(("y", "S"), (y, S))
    checks.positive_int("lag", lag)
    checks.positive_int("max_size", max_size)
    checks.positive_int("n_fft", n_fft)
    checks.positive_int("hop_length", hop_length)
    if S is None:
        assert y is not None  # exactly one is given
        feature = melspectrogram if feature is None else feature
        S = power_to_db(feature(y=checks.waveform(y), sr=sr, n_fft=n_fft, hop_length=hop_length, **kwargs))
    S = checks.spectrogram(S)
    reference = S if ref is None else checks.spectrogram(ref, name="ref")
    if reference.shape != S.shape:
        raise checks.ArgumentError("ref", f"has shape {reference.shape}", expected=f"that of S, {S.shape}")
    shift = lag + (n_fft // (2 * hop_length) if center else 0)
    return _onset_strength(
        S,
        reference,
        lag=lag,
        max_size=max_size if ref is None else 1,
        detrend=detrend,
        shift=shift,
        trim=center,
        aggregate=jnp.mean if aggregate is None else traceable(aggregate),
    )


@partial(jax.jit, static_argnames=("lag", "max_size", "detrend", "shift", "trim", "aggregate"))
def _onset_strength(
    S: jax.Array,
    reference: jax.Array,
    *,
    lag: int,
    max_size: int,
    detrend: bool,
    shift: int,
    trim: bool,
    aggregate: Callable[..., jax.Array],
) -> jax.Array:
    x, before = widen(S), widen(reference)
    if max_size > 1:
        before = _maximum_filter(before, max_size)
    strength = aggregate(jnp.maximum(x[..., lag:] - before[..., : before.shape[-1] - lag], 0), axis=-2)
    strength = jnp.concatenate([jnp.zeros((*strength.shape[:-1], shift), strength.dtype), strength], axis=-1)
    if detrend:
        strength = _detrend(strength)
    return (strength[..., : S.shape[-1]] if trim else strength).astype(S.dtype)


def _maximum_filter(x: jax.Array, size: int) -> jax.Array:
    """Maximum over ``size`` neighbouring bins, mirrored at the edges (scipy.ndimage.maximum_filter1d)."""
    padding = [(0, 0)] * (x.ndim - 2) + [(size // 2, size - 1 - size // 2), (0, 0)]
    padded = jnp.pad(x, padding, mode="symmetric")
    bins = x.shape[-2]
    shifted = [padded[..., k : k + bins, :] for k in range(size)]
    return jnp.stack(shifted).max(axis=0)


def _detrend(x: jax.Array) -> jax.Array:
    """``y[t] = x[t] - x[t-1] + 0.99 y[t-1]``, from rest."""
    steps = jnp.diff(x, axis=-1, prepend=jnp.zeros_like(x[..., :1]))

    def combine(
        a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        return a[0] * b[0], b[0] * a[1] + b[1]

    decay = jnp.full_like(steps, 0.99)
    return lax.associative_scan(combine, (decay, steps), axis=-1)[1]

"""Time-domain descriptors of each frame: amplitude envelope, root-mean-square energy, zero-crossing rate.

All three share one framing (:mod:`mer_jax.signal.framing`) and give shape (..., 1, frames), so they stack
into one matrix.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Shaped
from mer_jax.signal import framing
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.reductions import reduce_clips


def amplitude_envelope(
    y: Shaped[ArrayLike, "*batch samples"],
    *,
    frame_length: int = 2048,
    hop_length: int = 512,
    center: bool = True,
) -> Float[Array, "*batch 1 frames"]:
    """Largest absolute sample of each frame, ``AE[t] = max_n |y[t * hop_length + n]|``.

    Args:
        y: samples, shape (..., samples).
        frame_length: samples in a frame.
        hop_length: samples between frames.
        center: frame ``t`` is centred at ``t * hop_length`` (zeros are padded); otherwise it starts there.

    Returns:
        Amplitudes in the unit of ``y``, shape (..., 1, frames).

    Raises:
        ArgumentError: if a length is not a positive integer, or no frame fits.

    Source:
        Lerch, *An Introduction to Audio Content Analysis* (2nd ed., 2023), section 3.3.3.

    >>> y = jnp.array([0.0, -0.5, 0.25, 0.0])
    >>> amplitude_envelope(y, frame_length=2, hop_length=2, center=False).tolist()
    [[0.5, 0.25]]
    """
    y = checks.waveform(y)
    framing.check_frames(y.shape[-1], frame_length=frame_length, hop_length=hop_length, center=center)
    return _amplitude_envelope(y, frame_length=frame_length, hop_length=hop_length, center=center)


@partial(jax.jit, static_argnames=("frame_length", "hop_length", "center"))
def _amplitude_envelope(y: jax.Array, *, frame_length: int, hop_length: int, center: bool) -> jax.Array:
    left, frames = _framing_of(y, frame_length, hop_length, center)

    def clip(y: jax.Array) -> jax.Array:
        return framing.reduce_frames(
            y, jnp.abs, "max", frame_length=frame_length, hop_length=hop_length, frames=frames, left=left
        )

    return per_clip(clip, widen(y))[..., None, :].astype(y.dtype)


def _framing_of(y: jax.Array, frame_length: int, hop_length: int, center: bool) -> tuple[int, int]:
    """Zeros before the first sample, and the number of frames."""
    frames = framing.count_frames(
        y.shape[-1], frame_length=frame_length, hop_length=hop_length, center=center
    )
    return (frame_length // 2 if center else 0), frames


def rms(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    S: Shaped[ArrayLike, "*batch bins frames"] | None = None,
    frame_length: int = 2048,
    hop_length: int = 512,
    center: bool = True,
    pad_mode: str = "constant",
) -> Float[Array, "*batch 1 frames"]:
    """Root-mean-square energy of each frame, ``RMS[t] = sqrt(mean_n y[t * hop_length + n]^2)``.

    From a magnitude spectrogram, by Parseval: ``sqrt(2 / frame_length^2 * sum_f w_f S[f, t]^2)`` with weight
    1/2 for the bins that stand for one frequency only (DC, and Nyquist when ``frame_length`` is even).

    Args:
        y: samples, shape (..., samples); or give ``S``.
        S: magnitudes, shape (..., 1 + frame_length // 2, frames); ``hop_length``, ``center`` and ``pad_mode``
            do not apply.
        frame_length: samples in a frame (of the transform behind ``S``).
        hop_length: samples between frames.
        center: frame ``t`` is centred at ``t * hop_length``; otherwise it starts there.
        pad_mode: how ``center`` pads, a name in :data:`mer_jax.signal.framing.PAD_MODES`.

    Returns:
        Energies in the unit of ``y``, shape (..., 1, frames).

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given, the lengths are positive integers,
            ``S`` has the bins that ``frame_length`` implies, and a frame fits.

    Source:
        librosa 0.11, ``librosa.feature.rms``.

    >>> rms(jnp.array([3.0, -3.0, 4.0, -4.0]), frame_length=2, hop_length=2, center=False).tolist()
    [[3.0, 4.0]]
    """
    checks.exactly_one(("y", "S"), (y, S))
    checks.positive_int("frame_length", frame_length)
    if S is not None:
        S = checks.spectrogram(S)
        if S.shape[-2] != 1 + frame_length // 2:
            raise checks.ArgumentError(
                "S",
                f"has {S.shape[-2]} bins",
                expected=f"{1 + frame_length // 2}, what frame_length={frame_length} implies",
                remedy="pass the frame_length of the transform behind S",
            )
        return _rms_of_spectrogram(S, frame_length=frame_length)
    assert y is not None  # exactly one is given
    y = checks.waveform(y)
    checks.one_of("pad_mode", pad_mode, framing.PAD_MODES)
    framing.check_frames(y.shape[-1], frame_length=frame_length, hop_length=hop_length, center=center)
    return _rms(y, frame_length=frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)


@partial(jax.jit, static_argnames=("frame_length", "hop_length", "center", "pad_mode"))
def _rms(y: jax.Array, *, frame_length: int, hop_length: int, center: bool, pad_mode: str) -> jax.Array:
    left, frames = _framing_of(y, frame_length, hop_length, center)

    def clip(y: jax.Array) -> jax.Array:
        zeros = left
        if center and pad_mode != "constant":
            y, zeros = framing.pad_centered(y, frame_length, mode=pad_mode), 0
        energy = framing.reduce_frames(
            y, jnp.square, "sum", frame_length=frame_length, hop_length=hop_length, frames=frames, left=zeros
        )
        return _safe_sqrt(energy / frame_length)

    return per_clip(clip, widen(y))[..., None, :].astype(y.dtype)


@partial(jax.jit, static_argnames=("frame_length",))
def _rms_of_spectrogram(S: jax.Array, *, frame_length: int) -> jax.Array:
    magnitude = widen(jnp.abs(S))
    bin_weights = np.full(magnitude.shape[-2], 2.0)
    bin_weights[0] = 1.0
    if frame_length % 2 == 0:
        bin_weights[-1] = 1.0
    weights = jnp.asarray(bin_weights / frame_length**2, magnitude.dtype)
    power = jnp.einsum("f,...ft->...t", weights, jnp.square(magnitude), precision=jax.lax.Precision.HIGHEST)
    return _safe_sqrt(power)[..., None, :].astype(jnp.real(S).dtype)


def _safe_sqrt(x: jax.Array) -> jax.Array:
    """Square root whose gradient at 0 is 0, not infinite: digital silence must not poison a batch."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


def zero_crossing_rate(
    y: Shaped[ArrayLike, "*batch samples"],
    *,
    frame_length: int = 2048,
    hop_length: int = 512,
    center: bool = True,
    threshold: float = 1e-10,
    ref_magnitude: float | Callable[[jax.Array], jax.Array] | None = None,
    pad: bool = False,
    zero_pos: bool = True,
) -> Float[Array, "*batch 1 frames"]:
    """Fraction of samples of each frame whose sign differs from the sample before.

    ``ZCR[t] = #{0 < n < frame_length : sign y[t * hop_length + n] != sign y[t * hop_length + n - 1]} /
    frame_length``. The first sample of a frame has none before it and does not count. The rate is a step
    function: its gradient is 0.

    Args:
        y: samples, shape (..., samples).
        frame_length: samples in a frame.
        hop_length: samples between frames.
        center: frame ``t`` is centred at ``t * hop_length``, padding by repeating the edge samples; otherwise
            it starts there.
        threshold: samples with ``|y| <= threshold`` count as 0.
        ref_magnitude: ``threshold`` is multiplied by this, or by this function of each clip's ``|y|``.
        pad: count the first sample of every frame as a crossing.
        zero_pos: 0 counts as positive; otherwise it is a third sign.

    Returns:
        Rates in 0..1, shape (..., 1, frames).

    Raises:
        ArgumentError: if a length is not a positive integer, ``threshold`` is negative, or no frame fits.

    Source:
        librosa 0.11, ``librosa.feature.zero_crossing_rate``. There a callable ``ref_magnitude`` sees all
        clips at once.

    >>> y = jnp.array([1.0, -1.0, 1.0, 1.0])
    >>> zero_crossing_rate(y, frame_length=4, hop_length=4, center=False).tolist()
    [[0.5]]
    """
    y = checks.waveform(y)
    framing.check_frames(y.shape[-1], frame_length=frame_length, hop_length=hop_length, center=center)
    checks.in_range("threshold", threshold, 0.0, np.inf)
    x = widen(y)
    if callable(ref_magnitude):
        scale = reduce_clips(ref_magnitude, jnp.abs(x), core_ndim=1)
    else:
        scale = jnp.full((1,) * x.ndim, 1.0 if ref_magnitude is None else ref_magnitude, x.dtype)
    rates = _zero_crossing_rate(
        x,
        threshold * scale,
        frame_length=frame_length,
        hop_length=hop_length,
        center=center,
        pad=pad,
        zero_pos=zero_pos,
    )
    return rates.astype(y.dtype)


@partial(jax.jit, static_argnames=("frame_length", "hop_length", "center", "pad", "zero_pos"))
def _zero_crossing_rate(
    x: jax.Array,
    threshold: jax.Array,
    *,
    frame_length: int,
    hop_length: int,
    center: bool,
    pad: bool,
    zero_pos: bool,
) -> jax.Array:
    left, frames = _framing_of(x, frame_length, hop_length, center)
    # Division by a constant is compiled to multiplication by its rounded inverse; a table keeps count / frame_length exact.
    rates = jnp.asarray(np.arange(frame_length + 1) / frame_length, x.dtype)

    def clip(y: jax.Array, threshold: jax.Array) -> jax.Array:
        negative = y < -threshold
        crosses = negative[1:] != negative[:-1]
        if not zero_pos:
            positive = y > threshold
            crosses |= positive[1:] != positive[:-1]
        # crosses[n] is between samples n and n + 1, so a frame has one less of them than samples. A repeated edge sample never
        # crosses: padding the signal with it is padding the crossings with zeros.
        counts = framing.reduce_frames(
            crosses,
            lambda c: c.astype(jnp.int32),
            "sum",
            frame_length=frame_length,
            hop_length=hop_length,
            frames=frames,
            left=left,
        )
        beyond = framing.fit(crosses[frame_length - 1 - left :: hop_length], frames)
        return rates[counts - beyond + int(pad)]

    threshold = jnp.broadcast_to(threshold, (*x.shape[:-1], 1))
    return per_clip(clip, x, threshold)[..., None, :]

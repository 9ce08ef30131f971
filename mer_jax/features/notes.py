"""What note features share: which pitches sound, where notes set in, and means over the frames that count."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax._shapes import Array, Bool, Float
from mer_jax.signal.descriptors import power

# A note sounds where its salience is within about 30 dB of the clip's largest; 3 dB is the width of that decision.
FLOOR_DB = -30.0
SOFTNESS_DB = 3.0
# A clip whose largest salience (1 in the unit of the clip's largest magnitude) is below this is silent.
LEAST_SALIENCE = 1e-6
# Salience is compressed as log(1 + 100 a): steep enough for soft notes, and 0 at 0.
COMPRESSION = 100.0
# A note sets in where compressed salience rises, over 70 ms, by more than 0.5 (5 dB from mezzo forte) and most within +-70 ms.
RISE_S = 0.07
LEAST_RISE = 0.5
# Peaks of the summed rise that count as onsets exceed its mean by this many standard deviations.
PEAK_HEIGHT = 0.3


class Notes(NamedTuple):
    """One clip as notes. Frames that do not count are 0 throughout.

    Attributes:
        level: salience relative to the clip's maximum, (pitches, frames), 0..1.
        active: how far each pitch counts as sounding, (pitches, frames), 0..1; a logistic function of the level in dB.
        loudness: ``log(1 + 100 level)``, (pitches, frames).
        rise: increase of loudness over 70 ms, 0 where it falls, (pitches, frames).
        onsets: the rise where a note sets in, 0 elsewhere, (pitches, frames).
        peaks: frames in which notes set in together, (frames,).
        valid: frames that count, (frames,).
        frame_rate_hz: frames a second.
    """

    level: Float[Array, "pitches frames"]
    active: Float[Array, "pitches frames"]
    loudness: Float[Array, "pitches frames"]
    rise: Float[Array, "pitches frames"]
    onsets: Float[Array, "pitches frames"]
    peaks: Bool[Array, " frames"]
    valid: Bool[Array, " frames"]
    frame_rate_hz: float

    @property
    def seconds(self) -> Array:
        """Length of what counts; one frame at least."""
        return jnp.maximum(self.valid.sum(), 1) / self.frame_rate_hz


def find_notes(
    salience: Float[Array, "pitches frames"], valid: Bool[Array, " frames"], *, frame_rate_hz: float
) -> Notes:
    """Notes of one clip, from its pitch salience and a mask of the frames that count."""
    kept = jnp.where(valid[None, :], salience, 0)
    peak = kept.max()
    sounds = peak > LEAST_SALIENCE
    level = jnp.where(sounds, kept / jnp.where(sounds, peak, 1), 0)
    decibel = 20 * jnp.log10(level + 1e-5)
    active = jnp.where(valid[None, :], jax.nn.sigmoid((decibel - FLOOR_DB) / SOFTNESS_DB), 0)
    loudness = jnp.log1p(COMPRESSION * level)
    lag = frames_in(RISE_S, frame_rate_hz)
    before = jnp.concatenate([jnp.repeat(loudness[:, :1], lag, axis=1), loudness], axis=1)[:, :-lag]
    rise = jnp.where(valid[None, :], jnp.maximum(loudness - before, 0), 0)
    onsets = jnp.where((rise == _largest_near(rise, lag)) & (rise > LEAST_RISE), rise, 0)
    total = rise.sum(axis=0)
    threshold = mean(total, valid) + PEAK_HEIGHT * std(total, valid)
    peaks = (total == _largest_near(total[None], lag)[0]) & (total > threshold) & valid
    return Notes(level, active, loudness, rise, onsets, peaks, valid, frame_rate_hz)


def frames_in(seconds: float, frame_rate_hz: float) -> int:
    """Frames nearest to a duration, one at least.

    >>> frames_in(0.07, 22050 / 512)
    3
    """
    return max(1, int(np.round(seconds * frame_rate_hz)))


def mean(x: Float[Array, "*rows frames"], valid: Bool[Array, " frames"]) -> Float[Array, "*rows"]:
    """Mean over the frames that count; 0 if none does."""
    kept = jnp.where(jnp.broadcast_to(valid, x.shape), x, 0)
    return kept.sum(axis=-1) / jnp.maximum(valid.sum(), 1)


def std(x: Float[Array, "*rows frames"], valid: Bool[Array, " frames"]) -> Float[Array, "*rows"]:
    """Standard deviation over the frames that count; 0, with gradient 0, if they are alike."""
    return root(mean(jnp.square(x - mean(x, valid)[..., None]), valid))


def root(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    return power(x, 0.5)


def unit(x: Float[Array, "..."], axis: int = 0) -> Float[Array, "..."]:
    """Scale to Euclidean norm 1 along ``axis``; zeros stay zeros."""
    return x * lax.rsqrt(jnp.square(x).sum(axis=axis, keepdims=True) + 1e-12)


def centred_unit(x: Float[Array, "..."], axis: int = 0) -> Float[Array, "..."]:
    """Subtract the mean along ``axis`` and scale to norm 1: inner products of such vectors are correlations."""
    return unit(x - x.mean(axis=axis, keepdims=True), axis)


def entropy(p: Float[Array, "..."], axis: int = 0) -> Float[Array, "..."]:
    """Entropy in nats of non-negative numbers, scaled to sum to 1 along ``axis``; 0 if all are 0."""
    p = p / (p.sum(axis=axis, keepdims=True) + 1e-9)
    return -(p * jnp.log(p + 1e-9)).sum(axis=axis)


def windows(
    x: Float[Array, "rows frames"], valid: Bool[Array, " frames"], *, frames: int
) -> tuple[Float[Array, "rows windows"], Bool[Array, " windows"]]:
    """Means over successive windows of ``frames`` frames, of those that count; and which windows have one.

    The last window holds what is left.
    """
    missing = -x.shape[-1] % frames
    weight = jnp.pad(valid, (0, missing)).reshape(-1, frames).astype(x.dtype)
    parts = jnp.pad(x, ((0, 0), (0, missing))).reshape(x.shape[0], -1, frames)
    count = weight.sum(axis=-1)
    return jnp.where(weight[None] > 0, parts, 0).sum(axis=-1) / jnp.maximum(count, 1)[None], count > 0


def mean_at_lag(
    x: Float[Array, "rows windows"], valid: Bool[Array, " windows"], lag: int
) -> Float[Array, ""]:
    """Mean inner product of columns ``lag`` apart, over the pairs that count; 0 if there is none."""
    if lag >= x.shape[1]:
        return jnp.zeros((), x.dtype)
    return mean((x[:, lag:] * x[:, :-lag]).sum(axis=0), valid[lag:] & valid[:-lag])


def _largest_near(x: jax.Array, reach: int) -> jax.Array:
    """Largest value of each row within ``reach`` frames on either side."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2 * reach + 1), (1, 1), "SAME")

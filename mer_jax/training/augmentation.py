"""Altering training clips inside the training step: gain, noise, masked times and frequencies, mixtures of two clips.

Everything is drawn from the step's random key, so a run repeats, and resumes, with the same alterations.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax._shapes import Array, Bool, Float, Int, PRNGKeyArray


@dataclass(frozen=True)
class AugmentationConfig:
    """How training clips are altered; everything is off by default."""

    gain_db: float = 0.0
    """Each waveform is made louder or softer by up to so many decibels."""
    noise_db: float = 0.0
    """White noise is added to each waveform, at least so many decibels below its own level (at most 30 more); 0 adds none."""
    time_mask: float = 0.0
    """Up to this share of consecutive frames (columns of a picture) is replaced by the clip's mean."""
    frequency_mask: float = 0.0
    """Up to this share of neighbouring features (rows of a picture) is replaced by the clip's mean."""
    mixup: float = 0.0
    """Two clips are mixed with shares from Beta(mixup, mixup); 0 mixes none."""

    def __post_init__(self) -> None:
        with checks.as_config("augmentation"):
            for name in ("gain_db", "noise_db", "mixup"):
                checks.in_range(name, getattr(self, name), 0.0, float("inf"))
            for name in ("time_mask", "frequency_mask"):
                checks.in_range(name, getattr(self, name), 0.0, 0.9)

    @property
    def on(self) -> bool:
        """Whether anything is altered."""
        return self != AugmentationConfig()

    @property
    def on_waveforms(self) -> bool:
        """Whether the waveform itself is altered, so that no feature can be computed beforehand."""
        return self.gain_db > 0 or self.noise_db > 0


def augment_waveforms(
    key: PRNGKeyArray, waveforms: Float[Array, "batch *samples"], config: AugmentationConfig
) -> Float[Array, "batch *samples"]:
    """Change the level of each clip and add white noise to it.

    The gain is uniform in ``-gain_db..gain_db``; the noise's level is that of the clip (root mean square) less a uniform
    ``noise_db..noise_db + 30`` decibels, so silence stays silent.
    """
    if not config.on_waveforms:
        return waveforms
    batch = waveforms.shape[0]
    lead = (batch,) + (1,) * (waveforms.ndim - 1)
    for_gain, for_level, for_noise = jax.random.split(key, 3)
    if config.gain_db > 0:
        gain_db = jax.random.uniform(for_gain, lead, waveforms.dtype, -config.gain_db, config.gain_db)
        waveforms = waveforms * 10.0 ** (gain_db / 20)
    if config.noise_db > 0:
        below_db = jax.random.uniform(for_level, lead, waveforms.dtype, config.noise_db, config.noise_db + 30)
        power = jnp.square(waveforms).mean(axis=tuple(range(1, waveforms.ndim)), keepdims=True)
        level = jnp.sqrt(jax.lax.stop_gradient(power)) * 10.0 ** (-below_db / 20)
        waveforms = waveforms + level * jax.random.normal(for_noise, waveforms.shape, waveforms.dtype)
    return waveforms


def augment_features(
    key: PRNGKeyArray,
    features: Float[Array, "batch *features"],
    mask: Bool[Array, "batch frames"] | None,
    config: AugmentationConfig,
) -> Float[Array, "batch *features"]:
    """Replace a stretch of frames and a band of features by the mean of the clip (SpecAugment, Park et al. 2019).

    Args:
        key: of the draws.
        features: (batch, frames, features), or pictures (batch, height, width, 3); vectors are left as they are.
        mask: which frames are valid; None if all are.
        config: how much.
    """
    if features.ndim < 3 or not (config.time_mask or config.frequency_mask):
        return features
    # A sequence lies (frames, features), a picture (rows of frequency, columns of time).
    time_axis, frequency_axis = (1, 2) if features.ndim == 3 else (2, 1)
    fill = _clip_mean(features, mask)
    for_time, for_frequency = jax.random.split(key)
    hidden = _stretch(for_time, features, time_axis, config.time_mask)
    hidden |= _stretch(for_frequency, features, frequency_axis, config.frequency_mask)
    return jnp.where(hidden, fill, features)


@dataclass(frozen=True)
class Mixture:
    """Which clips are mixed, and how: ``share * clip + (1 - share) * clip[order]`` (mixup, Zhang et al. 2018).

    Attributes:
        share: (batch,) of each clip in its own mixture.
        order: (batch,) the clip that it is mixed with.
    """

    share: Float[Array, " batch"]
    order: Int[Array, " batch"]

    @classmethod
    def draw(cls, key: PRNGKeyArray, batch: int, alpha: float) -> "Mixture":
        """Shares from ``Beta(alpha, alpha)``, and a random order; ``alpha`` 0 mixes nothing."""
        if alpha == 0:
            return cls(jnp.ones((batch,)), jnp.arange(batch))
        for_share, for_order = jax.random.split(key)
        share = jax.random.beta(for_share, alpha, alpha, (batch,))
        return cls(share, jax.random.permutation(for_order, batch))

    def blend(self, x: Float[Array, "batch *values"]) -> Float[Array, "batch *values"]:
        """Mix values: features, or targets."""
        share = self.share.astype(x.dtype).reshape((-1,) + (1,) * (x.ndim - 1))
        return share * x + (1 - share) * x[self.order]

    def both(self, mask: Bool[Array, "batch frames"] | None) -> Bool[Array, "batch frames"] | None:
        """Where both clips have a valid frame: otherwise padding would be mixed in."""
        return None if mask is None else mask & mask[self.order]


def _clip_mean(features: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Mean of each feature over the clip's valid frames; of each colour over a picture."""
    if features.ndim == 3:
        valid = jnp.ones(features.shape[:2], bool) if mask is None else mask
        total = jnp.where(valid[:, :, None], features, 0).sum(axis=1, keepdims=True)
        return total / jnp.maximum(1, valid.sum(axis=1))[:, None, None]
    return features.mean(axis=(1, 2), keepdims=True)


def _stretch(key: jax.Array, x: jax.Array, axis: int, share: float) -> jax.Array:
    """True on a stretch of up to ``share`` of ``axis``, one for each clip, broadcastable to ``x``."""
    batch, size = x.shape[0], x.shape[axis]
    for_length, for_start = jax.random.split(key)
    length = jax.random.uniform(for_length, (batch,), maxval=share) * size
    start = jax.random.uniform(for_start, (batch,)) * (size - length)
    place = jnp.arange(size)[None, :]
    inside = (place >= jnp.round(start)[:, None]) & (place < jnp.round(start + length)[:, None])
    shape = [batch] + [1] * (x.ndim - 1)
    shape[axis] = size
    return inside.reshape(shape)

"""Harmony of each frame: pitch classes and tonal centroids."""

import jax.numpy as jnp

from mer_jax import signal
from mer_jax._shapes import Array, Float
from mer_jax.frontends.chroma import PITCH_CLASSES

TONAL_NAMES = (
    *(f"chroma_{name}" for name in PITCH_CLASSES),
    *(f"tonnetz_{circle}_{axis}" for circle in ("fifth", "minor_third", "major_third") for axis in "xy"),
)


def tonal_features(
    waveforms: Float[Array, "batch samples"], *, sr: float, hop_length: int
) -> Float[Array, "batch rows frames"]:
    """Chroma of a constant-Q transform, and the tonal centroids it implies.

    Args:
        waveforms: samples in -1..1.
        sr: sampling rate in hertz.
        hop_length: samples between frames.

    Returns:
        The rows named in :data:`TONAL_NAMES`, (batch, 18, frames): :func:`mer_jax.signal.chroma_cqt`, 0 to 1, and
        :func:`mer_jax.signal.tonnetz` of it, -1 to 1; both 0 in silence.
    """
    chroma = signal.chroma_cqt(waveforms, sr=sr, hop_length=hop_length)
    return jnp.concatenate([chroma, signal.tonnetz(chroma=chroma)], axis=1)

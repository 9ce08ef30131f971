"""From a time-frequency matrix to an RGB picture, differentiable and inside the program: low frequencies at the bottom.

The steps of the study's pictures: decibels below the clip's maximum (where the feature is a magnitude or power), 0..1, a colour
map, a resize to a square. ``coolwarm`` is K. Moreland's diverging map (2009), ``inferno`` is S. van der Walt's and N. Smith's
perceptually uniform one; both tables have 256 entries, read between entries by linear interpolation.
"""

from functools import lru_cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks, signal
from mer_jax._shapes import Array, ArrayLike, Float
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen

COLOUR_MAPS = ("inferno", "coolwarm", "gray")
TOP_DB = 80.0

# How each kind of value is brought to 0..1; "picture_scale" of a front-end names one of these.
SCALES = ("power", "magnitude", "decibel", "unit", "range", "series")


def render(
    values: Float[ArrayLike, "batch frames features"],
    *,
    scale: str,
    colour_map: str = "inferno",
    size: tuple[int, int] | None = (224, 224),
) -> Float[Array, "batch height width 3"]:
    """Pictures of a batch of features.

    Args:
        values: what a front-end gave.
        scale: ``power`` and ``magnitude`` become decibels below the clip's maximum, cut at 80 dB; ``decibel`` is taken as
            such; ``unit`` values lie in 0..1 already; ``range`` runs from the clip's minimum to its maximum, ``series`` does
            so for each feature by itself. Where all values are the same (a silent clip), these and decibels are 0.
        colour_map: ``inferno``, ``coolwarm`` or ``gray`` (the value three times).
        size: height and width in pixels; None keeps one pixel per bin and frame.

    Returns:
        RGB in 0..255, first row = highest frequency.

    Raises:
        mer_jax.checks.ArgumentError: an unknown scale or colour map.
    """
    checks.one_of("scale", scale, SCALES)
    checks.one_of("colour_map", colour_map, COLOUR_MAPS)
    return _render(jnp.asarray(values), scale=scale, colour_map=colour_map, size=size)


@partial(jax.jit, static_argnames=("scale", "colour_map", "size"))
def _render(values: jax.Array, *, scale: str, colour_map: str, size: tuple[int, int] | None) -> jax.Array:
    def of_clip(clip: jax.Array) -> jax.Array:
        rows = jnp.flip(_to_unit(clip, scale).T, axis=0)
        rgb = 255.0 * _colour(rows, colour_map)
        if size is None:
            return rgb
        # A linear filter whose weights are positive and sum to one stays within 0..255.
        return jax.image.resize(rgb, (*size, 3), "linear", antialias=True)

    # Clip by clip on a CPU: in colour and before it is resized, a spectrogram is six times the size of the waveform.
    return per_clip(of_clip, widen(values), core_ndim=2).astype(values.dtype)


def _to_unit(values: jax.Array, scale: str) -> jax.Array:
    """(frames, features) of one clip to 0..1."""
    if scale == "unit":
        return jnp.clip(values, 0.0, 1.0)
    if scale == "power":
        values = signal.power_to_db(values, top_db=None)
    elif scale == "magnitude":
        values = signal.amplitude_to_db(values, top_db=None)
    axis = 0 if scale == "series" else (0, 1)
    low, high = values.min(axis=axis, keepdims=True), values.max(axis=axis, keepdims=True)
    span = high - low
    if scale in ("range", "series"):
        return (values - low) / jnp.where(span > 0, span, 1.0)
    return jnp.where(span > 0, jnp.clip(1.0 + (values - high) / TOP_DB, 0.0, 1.0), 0.0)


def _colour(unit: jax.Array, name: str) -> jax.Array:
    """(...) in 0..1 to (..., 3) in 0..1."""
    if name == "gray":
        return jnp.stack([unit] * 3, axis=-1)
    table = jnp.asarray(_table(name), unit.dtype)
    position = unit * (table.shape[0] - 1)
    below = jnp.clip(position.astype(jnp.int32), 0, table.shape[0] - 2)
    fraction = (position - below)[..., None]
    return table[below] * (1 - fraction) + table[below + 1] * fraction


@lru_cache
def _table(name: str) -> np.ndarray:
    with np.load(Path(__file__).with_name("colour_maps.npz")) as tables:
        return tables[name] / 255.0

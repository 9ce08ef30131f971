"""Structure over time: how alike the notes of a clip are some time apart."""

import jax.numpy as jnp

from mer_jax._shapes import Array
from mer_jax.features.notes import Notes, frames_in, mean, root, std, unit, windows

# Windows of about a beat, and how many of them apart the clip is compared with itself: 0.4 s to 9 s.
WINDOW_S = 0.37
LAGS = (1, 2, 4, 6, 8, 12, 16, 24)


def structure_features(notes: Notes) -> dict[str, Array]:
    """Self-similarity of the pitches in windows of 0.37 s.

    Windows are the square roots of their mean levels, scaled to norm 1; ``similarity_<n>_mean`` and ``_std`` are of the inner
    products of windows ``n`` apart (0 in a clip that has none so far apart), ``similarity_mean`` is over all pairs.

    Source:
        Foote, "Visualizing music and audio using self-similarity" (ACM Multimedia 1999).
    """
    frames = frames_in(WINDOW_S, notes.frame_rate_hz)
    level, valid = windows(notes.level, notes.valid, frames=frames)
    shape = jnp.where(valid[None], unit(root(level)), 0)
    out: dict[str, Array] = {}
    for lag in LAGS:
        if lag < shape.shape[1]:
            products = (shape[:, lag:] * shape[:, :-lag]).sum(axis=0)
            pairs = valid[lag:] & valid[:-lag]
        else:
            products, pairs = jnp.zeros(1, shape.dtype), jnp.zeros(1, bool)
        out[f"similarity_{lag}_mean"], out[f"similarity_{lag}_std"] = (
            mean(products, pairs),
            std(products, pairs),
        )
    # The mean over all pairs is the squared length of the mean window.
    out["similarity_mean"] = jnp.square(mean(shape, valid)).sum()
    return out

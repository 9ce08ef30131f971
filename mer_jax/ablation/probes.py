"""What a front-end responds to, measured from outside, so that any two can be set side by side.

Two questions are put to it, before training and after: which frequencies each feature answers to (pure tones), and how a
feature follows the level of the sound (noise from -80 dB to 0 dB full scale). A filter, a mel matrix, a window and a
compression all show in the answers, however the front-end is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax._shapes import Float
from mer_jax.frontends.base import Frontend

NUM_TONES = 96
TONE_S = 0.25
TONE_LEVEL = 0.1
LEVELS_DB = np.arange(-80.0, 1.0, 4.0)
_AT_A_TIME = 16


@dataclass(frozen=True)
class Response:
    """The answers of a front-end.

    Attributes:
        tones_hz: (tones,) frequencies, equally spaced in their logarithm.
        tones: (tones, features) mean over the frames of each tone.
        levels_db: (levels,) levels of the noise, dB full scale.
        levels: (levels, features) mean over the frames at each level.
    """

    tones_hz: np.ndarray
    tones: np.ndarray
    levels_db: np.ndarray
    levels: np.ndarray


def probe(frontend: Frontend) -> Response:
    """Put both questions to a front-end."""
    sr = frontend.sr
    tones_hz = np.geomspace(40.0, 0.48 * sr, NUM_TONES)
    t = np.arange(round(TONE_S * sr)) / sr
    tones = TONE_LEVEL * np.sin(2 * np.pi * tones_hz[:, None] * t)
    noise = np.random.default_rng(0).normal(size=t.size)
    noise /= np.sqrt(np.mean(noise**2))
    levels = 10 ** (LEVELS_DB[:, None] / 20) * noise
    graph, state = nnx.split(frontend)
    mean = _mean_over_frames(graph)

    def answers(waveforms: np.ndarray) -> np.ndarray:
        padded = np.resize(waveforms, (-(-len(waveforms) // _AT_A_TIME) * _AT_A_TIME, waveforms.shape[1]))
        found = [
            mean(state, jnp.asarray(part, jnp.float32))
            for part in np.split(padded, len(padded) // _AT_A_TIME)
        ]
        return np.concatenate(found)[: len(waveforms)]

    return Response(tones_hz, answers(tones), LEVELS_DB, answers(levels))


@lru_cache(maxsize=4)
def _mean_over_frames(graph: Any) -> Callable[[Any, Any], jax.Array]:
    """Compiled once for all splits and seeds of a front-end."""
    return jax.jit(lambda state, waveforms: nnx.merge(graph, state)(waveforms).mean(axis=1))


def centres_hz(response: Response) -> Float[np.ndarray, "features"]:
    """The tone that each feature answers to most, of all tones relative to what all features answer on average."""
    relative = response.tones - response.tones.mean(axis=1, keepdims=True)
    return response.tones_hz[relative.argmax(axis=0)]


def movement(before: Any, after: Any) -> dict[str, float]:
    """How far each parameter went, relative to its size (or to 1 where it starts at 0): ``|after - before| / |before|``.

    Args:
        before: parameters (a pytree) at the start.
        after: at the end.
    """
    out = {}
    pairs = zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True)
    for (path, first), last in pairs:
        a, b = np.asarray(first, np.float64), np.asarray(last, np.float64)
        size = np.sqrt(np.mean(a**2))
        moved = np.sqrt(np.mean((b - a) ** 2))
        out[jax.tree_util.keystr(path, simple=True, separator="/")] = float(moved / (size if size > 0 else 1))
    return out

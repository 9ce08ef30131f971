"""Training on features of another backend: batches of waveforms become batches of features on their way to the model.

The model keeps its shape - front-end, standardisation, network - but its front-end is a :class:`Precomputed` one that passes on
what it is given, so that the same training step serves every backend and no file lies between.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax._shapes import Array, ArrayLike, Bool, Float, Int, Shaped
from mer_jax.frontends.backends import Compute
from mer_jax.frontends.base import Frontend


class Precomputed(Frontend):
    """Takes features where other front-ends take waveforms, and returns them as they are.

    Args:
        frontend: describes the features: names, sampling rate, hop, how they are drawn.
    """

    def __init__(self, frontend: Frontend) -> None:
        super().__init__(sr=frontend.sr, hop_length=frontend.hop_length, feature_names=frontend.feature_names)
        self.picture_scale = frontend.picture_scale
        self.colour_map = frontend.colour_map

    def frame_mask(self, lengths: Int[Array, " batch"], num_samples: int) -> Bool[Array, "batch frames"]:
        """As :meth:`Frontend.frame_mask`, but the second argument counts the frames that are there."""
        frames = jnp.arange(num_samples)
        return frames[None, :] < jnp.maximum(1, 1 + (lengths[:, None] - 1) // self.hop_length)

    def __call__(self, waveforms: Shaped[ArrayLike, "..."]) -> Float[Array, "batch frames features"]:
        """The features themselves."""
        return self.features(jnp.asarray(waveforms))

    def features(self, waveforms: jax.Array) -> jax.Array:
        """The features themselves."""
        return waveforms


class FeatureLoader:
    """A loader whose ``waveform`` entries are replaced by features.

    Args:
        loader: batches of waveforms (:mod:`mer_jax.data.pipeline`).
        compute: a backend's function from waveforms (batch, samples) to features (batch, frames, features).
    """

    def __init__(self, loader: Any, compute: Compute) -> None:
        self.loader = loader
        self.compute = compute

    def __getattr__(self, name: str) -> Any:
        # Sizes, seeds and positions are those of the loader underneath.
        return getattr(self.loader, name)

    def __iter__(self) -> "FeatureIterator":
        return FeatureIterator(iter(self.loader), self.compute)


class FeatureIterator(Iterator):
    """The iterator of a :class:`FeatureLoader`; its position is the position of the one underneath."""

    def __init__(self, iterator: Any, compute: Compute) -> None:
        self.iterator = iterator
        self.compute = compute

    def __next__(self) -> dict[str, Any]:
        batch = dict(next(self.iterator))
        batch["waveform"] = self.compute(np.asarray(batch["waveform"]))
        return batch

    def get_state(self) -> dict[str, Any]:
        """Where in the data this iterator is."""
        return self.iterator.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where an earlier iterator was."""
        self.iterator.set_state(state)

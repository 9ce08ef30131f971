"""From waveforms to logits in one program: front-end, standardisation, network."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax._shapes import Array, ArrayLike, Float, Int
from mer_jax.frontends.base import Frontend
from mer_jax.models.normalizer import Moments, Normalizer, moments


class EmotionModel(nnx.Module):
    """Front-end, standardisation and network as one module.

    Args:
        frontend: (batch, samples) -> (batch, frames, features).
        normalizer: fitted on the training fold (:func:`fit_normalizer`); None where the network takes the features as
            they are (images).
        network: ``network(features, mask=, deterministic=, rngs=)`` -> (batch, classes).
    """

    def __init__(self, frontend: Frontend, normalizer: Normalizer | None, network: nnx.Module) -> None:
        self.frontend = frontend
        self.normalizer = normalizer
        self.network = network

    @property
    def sr(self) -> int:
        """Sampling rate of the waveforms, Hz."""
        return self.frontend.sr

    def __call__(
        self,
        waveforms: Float[ArrayLike, "batch *samples"],
        lengths: Int[ArrayLike, " batch"] | None = None,
        *,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits of each clip.

        Args:
            waveforms: (batch, samples) in -1..1, padded on the right; whatever the front-end takes.
            lengths: valid samples of each clip; None if all are.
            deterministic: no dropout, running averages instead of the batch's statistics.
            rngs: where dropout takes its key from; needed unless ``deterministic``.
        """
        features = self.frontend(waveforms)
        if self.normalizer is not None:
            features = self.normalizer(features)
        mask = None if lengths is None else self.frontend.frame_mask(jnp.asarray(lengths), waveforms.shape[1])
        return self.network(features, mask=mask, deterministic=deterministic, rngs=rngs)


@runtime_checkable
class Loader(Protocol):
    """Batches of clips: see :mod:`mer_jax.data.pipeline`."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every clip once."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...


def fit_normalizer(frontend: Frontend, loader: Loader) -> Normalizer:
    """Measure the features of one pass over the training fold.

    A front-end that learns is measured as it is now, before training.

    Args:
        frontend: yields the features.
        loader: batches with ``waveform``, ``length`` and ``weight``; rows of weight 0 do not count.

    Raises:
        mer_jax.checks.DataError: no frame at all, or a feature that is not finite.
    """
    graph, state = nnx.split(frontend)

    @jax.jit
    def measure(state, waveforms, lengths, weights):
        module = nnx.merge(graph, state)
        mask = module.frame_mask(lengths, waveforms.shape[1]) & (weights > 0)[:, None]
        return moments(module(waveforms), mask)

    def parts() -> Iterable[Moments]:
        for batch in islice(iter(loader), loader.steps_per_epoch):
            yield measure(state, batch["waveform"], batch["length"], batch["weight"])

    return Normalizer.from_moments(parts())

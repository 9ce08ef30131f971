"""From waveforms to logits in one program: front-end, summary, standardisation, network."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax._shapes import Array, ArrayLike, Bool, Float, Int
from mer_jax.frontends.base import Frontend
from mer_jax.models.normalizer import Moments, Normalizer, moments
from mer_jax.models.vgg19 import VGG19


class EmotionModel(nnx.Module):
    """Front-end, summary, standardisation and network as one module.

    Args:
        frontend: (batch, samples) -> (batch, frames, features), or pictures (batch, height, width, 3).
        normalizer: fitted on the training fold (:func:`fit_normalizer`); None where the network takes the features as
            they are (pictures).
        network: ``network(features, mask=, deterministic=, rngs=)`` -> (batch, outputs), or (batch, steps, outputs).
        summary: (features, mask) -> (batch, values), statistics over the valid frames of a clip; None leaves the frames.
    """

    def __init__(
        self,
        frontend: Frontend,
        normalizer: Normalizer | None,
        network: nnx.Module,
        *,
        summary: nnx.Module | None = None,
    ) -> None:
        self.frontend = frontend
        self.summary = summary
        self.normalizer = normalizer
        self.network = network

    @property
    def standardisation(self) -> Normalizer:
        """What :func:`fit_normalizer` is to be taken over by: of the features, or of a VGG19 between its base and its head."""
        network: Any = self.network
        return network.normalizer if self.normalizer is None else self.normalizer

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
    ) -> Float[Array, "batch *steps classes"]:
        """Logits of each clip.

        Args:
            waveforms: (batch, samples) in -1..1, padded on the right; whatever the front-end takes.
            lengths: valid samples of each clip; None if all are.
            deterministic: no dropout, running averages instead of the batch's statistics.
            rngs: where dropout takes its key from; needed unless ``deterministic``.
        """
        features, mask = self.features(waveforms, lengths)
        return self.logits(features, mask, deterministic=deterministic, rngs=rngs)

    def features(
        self, waveforms: Float[ArrayLike, "batch *samples"], lengths: Int[ArrayLike, " batch"] | None = None
    ) -> tuple[Float[Array, "batch *features"], Bool[Array, "batch frames"] | None]:
        """What the network sees of each clip before standardisation, and which frames count (None where there are none)."""
        found = self.frontend(waveforms)
        mask = None
        if lengths is not None and found.ndim == 3:
            mask = self.frontend.frame_mask(jnp.asarray(lengths), waveforms.shape[1])
        if self.summary is None:
            return found, mask
        if mask is None:
            mask = jnp.ones(found.shape[:2], bool)
        return self.summary(found, mask), None

    def logits(
        self,
        features: Float[Array, "batch *features"],
        mask: Bool[Array, "batch frames"] | None = None,
        *,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch *steps classes"]:
        """Logits from what :meth:`features` gave."""
        if self.normalizer is not None:
            features = self.normalizer(features)
        return self.network(features, mask=mask, deterministic=deterministic, rngs=rngs)


@runtime_checkable
class Loader(Protocol):
    """Batches of clips: see :mod:`mer_jax.data.pipeline`."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every clip once."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...


def fit_normalizer(model: EmotionModel, loader: Loader) -> Normalizer:
    """Measure one pass over the training fold: features frame by frame, or of each clip; of a VGG19 its base's output.

    A front-end that learns is measured as it is now, before training.

    Args:
        model: its :meth:`EmotionModel.features` are measured.
        loader: batches with ``waveform``, ``length`` and ``weight``; rows of weight 0 do not count.

    Raises:
        mer_jax.checks.DataError: no frame at all, or a feature that is not finite.
    """
    graph, state = nnx.split(model)
    measure = _measure_function(graph)

    def parts() -> Iterable[Moments]:
        for batch in islice(iter(loader), loader.steps_per_epoch):
            yield measure(state, batch["waveform"], batch["length"], batch["weight"])

    return Normalizer.from_moments(parts())


@lru_cache(maxsize=4)
def _measure_function(graph: Any) -> Callable[..., Moments]:
    """Compiled once for the models of one graph, such as the folds of a cross-validation."""

    @jax.jit
    def measure(state: Any, waveforms: Any, lengths: Any, weights: Any) -> Moments:
        whole = nnx.merge(graph, state)
        features, mask = whole.features(waveforms, lengths)
        if isinstance(whole.network, VGG19):
            features = whole.network.features(features)
        return moments(*as_sequence(features, mask, weights > 0))

    return measure


def as_sequence(
    features: Float[Array, "batch *features"],
    mask: Bool[Array, "batch frames"] | None,
    real: Bool[Array, " batch"],
) -> tuple[Float[Array, "batch steps features"], Bool[Array, "batch steps"]]:
    """Any features as (batch, steps, features), with the steps that count: one of a vector, all squares of a map."""
    steps = features.reshape(features.shape[0], -1, features.shape[-1])
    valid = jnp.ones(steps.shape[:2], bool) if mask is None else mask
    return steps, valid & real[:, None]

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
from mer_jax.models.precision import Precision, products
from mer_jax.models.vgg19 import VGG19

# Groups of clips that a front-end takes one after the other where it is to need little memory.
_GROUPS = 8


class EmotionModel(nnx.Module):
    """Front-end, summary, standardisation and network as one module.

    Args:
        frontend: (batch, samples) -> (batch, frames, features), or pictures (batch, height, width, 3).
        normalizer: fitted on the training fold (:func:`fit_normalizer`); None where the network takes the features as
            they are (pictures).
        network: ``network(features, mask=, deterministic=, rngs=)`` -> (batch, outputs), or (batch, steps, outputs).
        summary: (features, mask) -> (batch, values), statistics over the valid frames of a clip; None leaves the frames.
        precision: of the network's products (:mod:`.precision`; its ``dtype`` is its own argument). Front-end, summary and
            standardisation compute in full float32 whatever it is.

    Attributes:
        recompute: whether a gradient to the front-end's parameters computes its values again, a group of clips at a time,
            instead of keeping those of all clips from the forward pass. Set inside a training step, and False elsewhere.
    """

    def __init__(
        self,
        frontend: Frontend,
        normalizer: Normalizer | None,
        network: nnx.Module,
        *,
        summary: nnx.Module | None = None,
        precision: Precision = "f32",
    ) -> None:
        self.precision: Precision = precision
        self.recompute = False
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
        with products("f32"):
            found = self._in_groups(waveforms) if self.recompute else self.frontend(waveforms)
            mask = None
            if lengths is not None and found.ndim == 3:
                mask = self.frontend.frame_mask(jnp.asarray(lengths), waveforms.shape[1])
            if self.summary is None:
                return found, mask
            if mask is None:
                mask = jnp.ones(found.shape[:2], bool)
            return self.summary(found, mask), None

    def _in_groups(self, waveforms: Float[ArrayLike, "batch *samples"]) -> jax.Array:
        """What the front-end gives, such that a reverse pass needs what it computes of one group of clips at a time.

        One checkpoint around all clips would save nothing: the reverse pass would hold the same values a little later.
        """
        if not jax.tree.leaves(nnx.state(self.frontend, nnx.Param)):
            return self.frontend(waveforms)  # no gradient passes through it
        graph, state = nnx.split(self.frontend)
        x = jnp.asarray(waveforms)
        size = -(-x.shape[0] // _GROUPS)
        missing = -x.shape[0] % size
        groups = jnp.concatenate([x, jnp.zeros((missing, *x.shape[1:]), x.dtype)]) if missing else x
        groups = groups.reshape(-1, size, *x.shape[1:])
        run = jax.checkpoint(lambda state, clips: nnx.merge(graph, state)(clips))
        found = jax.lax.map(lambda clips: run(state, clips), groups)
        return found.reshape(-1, *found.shape[2:])[: x.shape[0]]

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
        with products(self.precision):
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
            with products(whole.precision):
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

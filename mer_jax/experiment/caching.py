"""Features that never change are computed once: everything before the first trained weight, for every clip of a data set.

A frozen base, a summary and a fixed front-end give the same for a clip in every epoch, so an epoch costs only what is trained
after them. That holds while each clip is cut at the same place and its waveform is not altered.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax._shapes import Float, Int
from mer_jax.config import ExperimentConfig
from mer_jax.data import pipeline
from mer_jax.data.atomic import write_arrays
from mer_jax.data.catalog import Catalog
from mer_jax.data.rated_loader import with_ratings
from mer_jax.data.rating_grid import RatingGrid
from mer_jax.frontends.backends.handover import Precomputed
from mer_jax.frontends.base import Frontend
from mer_jax.models import EmotionModel, Normalizer
from mer_jax.models.emotion import as_sequence
from mer_jax.models.precision import Precision, network_dtype, products
from mer_jax.models.vgg19 import VGG19
from mer_jax.signal.devices import over_devices
from mer_jax.signal.platform import platform
from mer_jax.training import device_memory
from mer_jax.training.population import clips_on

BATCH_SIZE = 16
ACCELERATOR_BATCH_SIZE = 128
# Clips whose frames are measured at a time.
_STANDARDISE_CLIPS = 128


@dataclass(frozen=True)
class FeatureArray:
    """What a network sees of every clip of a data set.

    Attributes:
        values: (clips, frames, features), (clips, values) or the output of a base, (clips, rows, columns, channels); float32.
        lengths: (clips,) valid samples of each clip.
        seconds: how long computing them took, decoding and compiling included.
    """

    values: Float[np.ndarray, "clips *features"]
    lengths: Int[np.ndarray, "clips"]
    seconds: float


def fixed_part(model: EmotionModel) -> Callable[[Any, Any], jax.Array]:
    """A compiled function from (waveforms, lengths) to what the first trained layer sees."""
    before = EmotionModel(model.frontend, None, _Nothing(), summary=model.summary)
    graph, state = nnx.split(before)

    def draw(state: Any, waveforms: Any, lengths: Any) -> jax.Array:
        return nnx.merge(graph, state).features(waveforms, lengths)[0]

    compute = over_devices(draw, shared=1)
    if not isinstance(model.network, VGG19):
        return lambda waveforms, lengths: compute(state, waveforms, lengths)
    base_graph, base_state = nnx.split(model.network.base)
    convolve = _base_function(base_graph, model.precision)
    # Winograd's convolution computes in full float32 alone.
    kernels = model.network.base.transformed_kernels() if model.precision == "f32" else None

    def of_picture(waveforms: Any, lengths: Any) -> jax.Array:
        # A convolution keeps all cores busy by itself, from one device.
        pictures = jax.device_put(compute(state, waveforms, lengths), jax.local_devices()[0])
        return convolve(base_state, kernels, pictures)

    return of_picture


@lru_cache(maxsize=4)
def _base_function(graph: Any, precision: Precision) -> Callable[[Any, Any, jax.Array], jax.Array]:
    """The compiled base; pictures of every feature share it, where one program with the front-end would be one for each."""

    def features(state: Any, kernels: Any, images: jax.Array) -> jax.Array:
        with products(precision):
            return nnx.merge(graph, state).features(images, dtype=network_dtype(precision), kernels=kernels)

    return jax.jit(features)


class _Nothing(nnx.Module):
    """In the place of a network that is not called."""


def trained_part(model: EmotionModel) -> EmotionModel:
    """The rest: takes a :class:`FeatureArray`'s rows for waveforms. It shares its weights with ``model``."""
    network = model.network.head if isinstance(model.network, VGG19) else model.network
    return EmotionModel(_given(model.frontend), model.normalizer, network, precision=model.precision)


def seed_of(settings: ExperimentConfig) -> int | None:
    """The seed that fixed features depend on: that of a random base. Nothing else before the first trained layer is drawn."""
    return settings.seed if settings.network == "vgg19" and settings.base_init == "he" else None


def can_cache(model: EmotionModel) -> bool:
    """Whether nothing before the network's dense (or recurrent) layers is trained."""
    before: list[nnx.Module] = [model.frontend]
    if isinstance(model.network, VGG19):
        before.append(model.network.base)
    return not any(jax.tree.leaves(nnx.state(module, nnx.Param)) for module in before)


def compute(
    catalog: Catalog,
    model: EmotionModel,
    *,
    num_samples: int,
    prepare: Callable[[np.ndarray], Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Float[np.ndarray, "clips *features"], Int[np.ndarray, "clips"]]:
    """Run the fixed part over every clip of a data set, each cut in its middle.

    Args:
        catalog: the data set.
        model: see :func:`fixed_part`.
        num_samples: length that clips are cut or padded to.
        prepare: from waveforms to what the model's front-end takes, where that is another backend's features.
        progress: called with clips done and clips in all.

    Returns:
        The values and the valid samples of each clip.
    """
    function = fixed_part(model)
    from_device = prepare is None and _fits_on_accelerator(catalog, num_samples)
    loader = pipeline.Loader(
        catalog,
        np.arange(len(catalog)),
        batch_size=min(ACCELERATOR_BATCH_SIZE if from_device else BATCH_SIZE, len(catalog)),
        num_samples=num_samples,
        shuffle=False,
        seed=0,
        crop="center",
        drop_remainder=False,
        num_epochs=1,
    )
    values: np.ndarray | None = None
    lengths = np.zeros(len(catalog), np.int32)
    done = 0
    for batch in _batches_on_device(loader) if from_device else loader:
        real = batch["weight"] > 0
        inputs = batch["waveform"] if prepare is None else prepare(batch["waveform"])
        found = np.asarray(function(inputs, batch["length"]), np.float32)
        if values is None:
            values = np.empty((len(catalog), *found.shape[1:]), np.float32)
        values[batch["index"][real]] = found[real]
        lengths[batch["index"][real]] = batch["length"][real]
        done += int(real.sum())
        if progress is not None:
            progress(done, len(catalog))
    assert values is not None  # a catalog has a clip
    return values, lengths


def _fits_on_accelerator(catalog: Catalog, num_samples: int) -> bool:
    """Whether all audio is to lie on the device, which a CPU has no use for."""
    if platform() == "cpu":
        return False
    needed = device_memory.waveform_bytes(catalog, num_samples)
    return needed is not None and needed <= device_memory.budget_for_waveforms(jax.local_devices()[0])


def _batches_on_device(loader: pipeline.Loader) -> Iterator[dict[str, Any]]:
    """The batches of an epoch, their waveforms cut from the whole data set on the device: one transfer, of 16-bit samples."""
    clips = clips_on(loader, jax.local_devices()[0])

    @jax.jit
    def cut(clips: Any, rows: Any, starts: Any) -> Any:
        return clips.batch(rows, starts, None, num_samples=loader.num_samples)

    rows, real = loader.rows_of_epoch(0)
    for some, starts, weight in zip(rows, loader.starts_of_epoch(0), real, strict=True):
        found = cut(clips, some, starts)
        yield {
            "waveform": found["waveform"],
            "length": np.asarray(found["length"]),
            "index": some,
            "weight": weight.astype(np.float32),
        }


def key(*parts: object) -> str:
    """A name for features, from whatever determines them."""
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:16]


def save(path: Path, array: FeatureArray) -> None:
    """Write features; whole or not at all."""
    write_arrays(path, vars(array))


def load(path: Path) -> FeatureArray | None:
    """Read what :func:`save` wrote; None where there is nothing, or nothing whole."""
    try:
        # Opened here: np.load leaves a file it cannot read open.
        with open(path, "rb") as stream, np.load(stream) as file:
            return FeatureArray(file["values"], file["lengths"], float(file["seconds"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def standardise(model: EmotionModel, array: FeatureArray, rows: Int[np.ndarray, "rows"]) -> None:
    """Fit the standardisation of a :func:`trained_part` to these clips.

    Raises:
        mer_jax.checks.DataError: no valid frame, or a value that is not finite.
    """

    def batches() -> Iterator[tuple[jax.Array, jax.Array]]:
        for start in range(0, len(rows), _STANDARDISE_CLIPS):
            some = rows[start : start + _STANDARDISE_CLIPS]
            x, mask = model.features(array.values[some], array.lengths[some])
            yield as_sequence(x, mask, jnp.ones(len(some), bool))

    model.standardisation.take(Normalizer.fit(batches()))


class CachedLoader(pipeline.Loader):
    """Batches of features in the order in which :class:`~mer_jax.data.pipeline.Loader` gives waveforms.

    Args:
        array: features of all clips of the catalog; its rows stand in for ``waveform``.
        catalog, indices, options: as there.
        grid: the steps of a clip, where its ratings over time belong to the batch (:mod:`mer_jax.data.rated_loader`).
    """

    def __init__(
        self,
        array: FeatureArray,
        catalog: Catalog,
        indices: Sequence[int] | np.ndarray,
        *,
        grid: RatingGrid | None = None,
        **options: Any,
    ) -> None:
        # Gathering rows is quicker than handing them from thread to thread.
        super().__init__(catalog, indices, crop="center", threads=0, **options)
        self.array = array
        self.grid = grid

    @property
    def store(self) -> object:
        """The features."""
        return self.array

    def all_clips(self) -> Any:
        """Features of every clip, zeros (they do not lie in pages), and valid samples."""
        lengths = self.array.lengths
        return self.array.values, np.zeros_like(lengths), lengths

    def starts_of_epoch(self, epoch: int) -> Int[np.ndarray, "steps batch"]:
        """Zeros: features are not cut."""
        return np.zeros((self.steps_per_epoch, self.batch_size), np.int32)

    def assemble(self, places: Sequence[tuple[int, int]]) -> pipeline.Batch:
        """Make a batch of features."""
        rows = np.full(self.batch_size, self.rows[places[0][1]], np.int32)
        rows[: len(places)] = [self.rows[position] for _, position in places]
        real = np.arange(self.batch_size) < len(places)
        found = {"waveform": self.array.values[rows], "length": self.array.lengths[rows]}
        found |= self.columns(rows, real)
        if self.grid is None:
            return found
        # Clips whose crops matter are not computed once, so these begin at their first sample.
        return with_ratings(found | {"start": np.zeros(self.batch_size, np.int32)}, self.catalog, self.grid)


def _given(frontend: Any) -> Frontend:
    """A front-end that passes on features which were computed before."""
    inner = getattr(frontend, "frontend", frontend)  # a picture is made from a front-end
    return inner if isinstance(inner, Precomputed) else Precomputed(inner)

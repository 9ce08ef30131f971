"""Batches for a model, and its predictions from them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from mer_jax.config import ExperimentConfig
from mer_jax.data import pipeline
from mer_jax.data.catalog import Catalog
from mer_jax.data.rated_loader import RatedLoader
from mer_jax.data.rating_grid import RatingGrid
from mer_jax.experiment import building
from mer_jax.experiment.caching import CachedLoader, FeatureArray
from mer_jax.frontends import backends
from mer_jax.frontends.backends.handover import FeatureLoader
from mer_jax.frontends.image import Image
from mer_jax.models import EmotionModel
from mer_jax.training import step
from mer_jax.training.task import Task


def backend_function(settings: ExperimentConfig) -> backends.Compute | None:
    """From waveforms to the features of another backend; None where the model computes its own."""
    if settings.backend == "jax":
        return None
    frontend = building.build_features(settings, nnx.Rngs(settings.seed)).frontend
    # A picture is drawn by the model from the other backend's features.
    sequence = frontend.frontend if isinstance(frontend, Image) else frontend
    return backends.compile_backend(settings.backend, sequence)


def waveform_loader(catalog: Catalog, rows: np.ndarray, settings: ExperimentConfig, *, train: bool) -> Any:
    """Batches of waveforms: shuffled random crops to train on, centre crops in order to measure with."""
    loader = pipeline.Loader(
        catalog,
        rows,
        num_samples=settings.num_samples,
        crop="random" if train else "center",
        **_options(rows, settings, train=train),
    )
    prepare = backend_function(settings)
    return loader if prepare is None else FeatureLoader(loader, prepare)


def cached_loader(
    array: FeatureArray, catalog: Catalog, rows: np.ndarray, settings: ExperimentConfig, *, train: bool
) -> CachedLoader:
    """The same batches, of features that were computed before."""
    options = _options(rows, settings, train=train)
    grid = grid_of(settings, catalog) if settings.task == "dynamic" else None
    return CachedLoader(array, catalog, rows, grid=grid, num_samples=settings.num_samples, **options)


def _options(rows: np.ndarray, settings: ExperimentConfig, *, train: bool) -> dict[str, Any]:
    size = settings.training.batch_size
    return {
        "batch_size": size,
        "shuffle": train,
        "seed": settings.seed,
        # A whole batch each step: filler would count in batch statistics. Too few clips for one batch stay, filled up.
        "drop_remainder": train and len(rows) >= size,
        "num_epochs": None if train else 1,
    }


def rated_loader(
    catalog: Catalog, rows: np.ndarray, settings: ExperimentConfig, *, train: bool, hop: int | None = None
) -> Any:
    """Batches with ratings over time: shuffled random crops to train on, or windows that cover every rating in order.

    Args:
        catalog: a data set with ratings over time.
        rows: of it.
        settings: the configuration.
        train: which of the two.
        hop: steps from one window to the next; None is a whole window.
    """
    options = _options(rows, settings, train=train)
    grid = grid_of(settings, catalog)
    loader = RatedLoader(catalog, rows, grid=grid, windows=not train, hop=hop, **options)
    prepare = backend_function(settings)
    return loader if prepare is None else FeatureLoader(loader, prepare)


def grid_of(settings: ExperimentConfig, catalog: Catalog) -> RatingGrid:
    """The steps of a crop of the configured length."""
    assert catalog.dynamic is not None  # with_targets sees to it
    return RatingGrid(catalog.dynamic.rate_hz, settings.sr, settings.num_samples)


def begin_with_a_step(settings: ExperimentConfig, catalog: Catalog) -> bool:
    """Whether the first sample of every clip begins a step of its ratings, so that a whole clip need not be cut."""
    dynamic, grid = catalog.dynamic, grid_of(settings, catalog)
    assert dynamic is not None
    return all(grid.of_clip(start, 1, settings.num_samples).phase < 1 for start in dynamic.start_s.tolist())


def loader_of(catalog: Catalog, rows: np.ndarray, settings: ExperimentConfig, *, train: bool) -> Any:
    """The batches of waveforms that the configured task takes."""
    make = rated_loader if settings.task == "dynamic" else waveform_loader
    return make(catalog, rows, settings, train=train)


class Predicted(NamedTuple):
    """What a model says of the items of a loader.

    Attributes:
        outputs: (items, outputs), or (windows, steps, outputs).
        rows: (items,) row of the catalog that each is of.
        truth: what the task's outputs are scored against, an entry an item.
    """

    outputs: np.ndarray
    rows: np.ndarray
    truth: np.ndarray


def outputs(model: EmotionModel, task: Task) -> Callable[[Any, Any], jax.Array]:
    """A compiled function from (inputs, lengths) to the task's outputs, such as class probabilities."""
    graph, params, rest = step.split(model)
    forward = step.compiled_predict(graph, task)
    return lambda inputs, lengths: forward(params, rest, {"waveform": inputs, "length": lengths})


def predict(model: EmotionModel, loader: Any, task: Task) -> Predicted:
    """The task's outputs for every item of a loader."""
    forward = outputs(model, task)
    found, index, truth = [], [], []
    for batch in loader:
        real = np.asarray(batch["weight"]) > 0
        found.append(np.asarray(forward(batch["waveform"], batch["length"]))[real])
        index.append(np.asarray(batch["index"])[real])
        truth.append(task.truth(batch)[real])
    return Predicted(np.concatenate(found), np.concatenate(index), np.concatenate(truth))

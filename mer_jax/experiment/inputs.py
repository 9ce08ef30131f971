"""Batches for a model, and its predictions from them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax.config import ExperimentConfig
from mer_jax.data import pipeline
from mer_jax.data.catalog import Catalog
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
    return CachedLoader(array, catalog, rows, num_samples=settings.num_samples, **options)


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


def outputs(model: EmotionModel, task: Task) -> Callable[[Any, Any], jax.Array]:
    """A compiled function from (inputs, lengths) to the task's outputs, such as class probabilities."""
    graph, params, rest = step.split(model)
    forward = step.compiled_predict(graph, task)
    return lambda inputs, lengths: forward(params, rest, {"waveform": inputs, "length": lengths})


def predict(model: EmotionModel, loader: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of every clip of a loader, (clips, outputs), and its row in the catalog, (clips,)."""
    forward = outputs(model, task)
    found, index = [], []
    for batch in loader:
        real = np.asarray(batch["weight"]) > 0
        found.append(np.asarray(forward(batch["waveform"], batch["length"]))[real])
        index.append(np.asarray(batch["index"])[real])
    return np.concatenate(found), np.concatenate(index)

"""Training a model on one split and scoring what comes of it: the part that a run and a cell of a study share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax.config import ExperimentConfig
from mer_jax.data.catalog import PARTS, Catalog
from mer_jax.data.splits import Split
from mer_jax.evaluation import target_scores
from mer_jax.experiment import caching, inputs, targets
from mer_jax.experiment.caching import FeatureArray
from mer_jax.models import EmotionModel
from mer_jax.training import loop
from mer_jax.training.task import MultiLabel, Task


@dataclass(frozen=True)
class Fitted:
    """What training on a split gave.

    Attributes:
        result: how the training went.
        predictions: "validation" and "test" -> the model's outputs, the rows of the catalog that they are of, the truth.
        scores: "validation" and "test" -> scores.
        thresholds: (tags,) above which a tag is given, tuned on the validation part; None for other tasks.
    """

    result: loop.FitResult
    predictions: Mapping[str, inputs.Predicted]
    scores: Mapping[str, Mapping[str, Any]]
    thresholds: np.ndarray | None = None


def cached_inputs(
    settings: ExperimentConfig, catalog: Catalog, split: Split, model: EmotionModel, array: FeatureArray
) -> tuple[EmotionModel, dict[str, Any]]:
    """The part of a model that is trained, its standardisation fitted, and its batches of features computed before."""
    loaders = {
        part: inputs.cached_loader(array, catalog, getattr(split, part), settings, train=part == "train")
        for part in PARTS
    }
    trained = caching.trained_part(model)
    caching.standardise(trained, array, split.train)
    return trained, loaders


def fit_and_score(
    model: EmotionModel,
    loaders: Mapping[str, Any],
    catalog: Catalog,
    settings: ExperimentConfig,
    task: Task,
    *,
    run_dir: Path | None,
    resume: bool = False,
    progress: bool = False,
    watch: loop.Watch | None = None,
) -> Fitted:
    """Train ``model`` on the training part, and score it on the others.

    Args:
        model: changed in place; ends with the weights of its best epoch.
        loaders: batches of each of :data:`mer_jax.data.catalog.PARTS`.
        catalog: the data set, with targets where the task has some.
        settings: training, optimiser, augmentation and seed.
        task: what the model is asked for.
        run_dir: as in :func:`mer_jax.training.loop.fit`.
        resume: likewise.
        progress: likewise.
        watch: likewise.
    """
    score = targets.score_function(catalog, task)
    result = loop.fit(
        model,
        loaders["train"],
        loaders["validation"],
        score=score,
        training=settings.training,
        task=task,
        optimizer_config=settings.optimizer,
        augmentation=settings.augmentation,
        run_dir=run_dir,
        seed=settings.seed,
        resume=resume,
        progress=progress,
        watch=watch,
    )
    return scored(model, loaders, catalog, task, result)


def scored(
    model: EmotionModel, loaders: Mapping[str, Any], catalog: Catalog, task: Task, result: loop.FitResult
) -> Fitted:
    """Score a trained model on the validation and the test part; arguments as in :func:`fit_and_score`."""
    score = targets.score_function(catalog, task)
    found = {part: inputs.predict(model, loaders[part], task) for part in ("validation", "test")}
    thresholds = None
    if isinstance(task, MultiLabel):
        tuned_on = found["validation"]
        thresholds = target_scores.best_thresholds(tuned_on.truth, tuned_on.outputs)
        score = targets.score_function(catalog, task, thresholds=thresholds)
    scores = {part: score(one.truth, one.outputs) for part, one in found.items()}
    return Fitted(result, found, scores, thresholds)

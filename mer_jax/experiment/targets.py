"""What a configuration asks a model for, and what of a data set answers it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.config import ExperimentConfig, TaskName
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import scores, target_scores
from mer_jax.training.task import (
    Classification,
    Joint,
    MultiLabel,
    Regression,
    Task,
    balanced_weights,
    standardising,
)

VALENCE_AROUSAL = ("valence", "arousal")


def with_targets(catalog: Catalog, task: TaskName, spec: str) -> Catalog:
    """The catalog with what the task predicts in ``targets``, or as it is for classes.

    Valence and arousal are predicted, and scored, on the scale that listeners rated on (:attr:`Catalog.rating_range`).

    Raises:
        mer_jax.checks.DataError: the data set does not hold what the task is about.
    """
    if task in ("classes", "joint"):
        if len(catalog.classes) < 2 or (catalog.labels < 0).any():
            raise checks.DataError(
                spec,
                "has clips without a class",
                expected="a label for every clip, of at least two classes",
                remedy="predict its numbers with --task targets or --task valence_arousal"
                if _has_numbers(catalog)
                else "",
            )
        if task == "classes":
            return catalog
    if task in ("valence_arousal", "joint"):
        if catalog.valence_arousal is None:
            raise checks.DataError(spec, "has no ratings", expected="valence and arousal for every clip")
        native = catalog.native(catalog.valence_arousal).astype(np.float32)
        return dataclasses.replace(catalog, targets=native, target_names=VALENCE_AROUSAL)
    if catalog.targets is None:
        raise checks.DataError(
            spec,
            "has no targets",
            expected="columns named target_... in its manifest",
            remedy="or use --task classes",
        )
    if task == "tags" and not np.isin(catalog.targets, (0, 1)).all():
        raise checks.DataError(
            spec,
            "has targets other than 0 and 1",
            expected="tags",
            remedy="predict numbers with --task targets",
        )
    return catalog


def _has_numbers(catalog: Catalog) -> bool:
    return catalog.targets is not None or catalog.valence_arousal is not None


def output_names(catalog: Catalog, task: TaskName) -> tuple[str, ...]:
    """Names of a model's outputs."""
    if task == "joint":
        return (*catalog.classes, *catalog.target_names)
    return catalog.classes if task == "classes" else catalog.target_names


def task_of(settings: ExperimentConfig, catalog: Catalog, rows: np.ndarray) -> Task:
    """The task, with class weights or the targets' spread of these (training) rows."""
    if settings.task == "tags":
        return MultiLabel()
    weights = None
    if settings.training.class_weights == "balanced":
        weights = balanced_weights(catalog.labels[rows], len(catalog.classes))
    classification = Classification(settings.training.label_smoothing, weights)
    if settings.task == "classes":
        return classification
    assert catalog.targets is not None  # with_targets sees to it
    regression = standardising(catalog.targets[rows], settings.training.regression_loss)
    return regression if settings.task != "joint" else Joint(classification, regression)


def score_function(
    catalog: Catalog, task: Task, *, thresholds: np.ndarray | None = None
) -> Callable[[np.ndarray, np.ndarray], Mapping[str, Any]]:
    """Scores of a part from the truth (labels or targets) and the model's outputs; ``thresholds`` are those of tags."""
    if isinstance(task, Regression):
        return lambda true, found: target_scores.regression(
            true, found, catalog.target_names, std=task.std, loss=task.loss
        )
    if isinstance(task, Joint):
        return lambda true, found: _joint_scores(catalog, task, true, found)
    if isinstance(task, MultiLabel):
        return lambda true, found: target_scores.tags(
            true, found, catalog.target_names, thresholds=thresholds
        )
    return lambda true, found: scores.compute(true, found, catalog.classes)


def _joint_scores(catalog: Catalog, task: Joint, true: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """Scores of the classes, those of the numbers under ``"valence_arousal"``, and the sum of both losses."""
    probabilities, numbers = task.parts(found)
    of_classes = scores.compute(true[:, 0].astype(np.int64), probabilities, catalog.classes)
    of_numbers = score_function(catalog, task.regression)(true[:, 1:], numbers)
    loss = of_classes["loss"] + task.weight * of_numbers["loss"]
    return of_classes | {"loss": loss, "valence_arousal": dict(of_numbers)}


def truth(catalog: Catalog, task: Task, rows: np.ndarray) -> np.ndarray:
    """Labels, or targets (or both, side by side), of some rows."""
    if isinstance(task, Classification):
        return catalog.labels[rows]
    assert catalog.targets is not None  # with_targets sees to it
    if isinstance(task, Joint):
        return np.column_stack([catalog.labels[rows], catalog.targets[rows]])
    return catalog.targets[rows]


def to_json(task: Task) -> dict[str, Any]:
    """What a run has to remember of its task in order to compute."""
    if isinstance(task, Joint):
        return to_json(task.regression)
    if isinstance(task, Regression):
        return {"mean": list(task.mean), "std": list(task.std), "loss": task.loss}
    return {}


def from_json(name: TaskName, values: Mapping[str, Any]) -> Task:
    """Undo :func:`to_json`."""
    if name == "tags":
        return MultiLabel()
    if name == "classes":
        return Classification()
    regression = Regression(tuple(values["mean"]), tuple(values["std"]), values.get("loss", "mse"))
    return Joint(Classification(), regression) if name == "joint" else regression

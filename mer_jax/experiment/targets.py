"""What a configuration asks a model for, and what of a data set answers it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.config import ExperimentConfig, TaskName
from mer_jax.data.catalog import PARTS, Catalog
from mer_jax.data.rating_grid import num_usable
from mer_jax.data.splits import Split
from mer_jax.evaluation import dynamic_scores, scores, target_scores
from mer_jax.training.task import (
    Classification,
    Joint,
    MultiLabel,
    Regression,
    SequenceRegression,
    Task,
    balanced_weights,
    standardising,
)

VALENCE_AROUSAL = ("valence", "arousal")


def with_targets(catalog: Catalog, task: TaskName, spec: str) -> Catalog:
    """The catalog with what the task predicts in ``targets``, or as it is for classes.

    Valence and arousal are predicted, and scored, on the scale that listeners rated on (:attr:`Catalog.rating_range`). For
    ratings over time that is the scale of those, and ``targets`` are their means over each clip (zeros where there are none).

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
    if task == "dynamic":
        return _with_dynamic(catalog, spec)
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


def on_scale(catalog: Catalog, scale: tuple[float, float] | None, task: TaskName) -> Catalog:
    """A data set that a run is scored on, its valence and arousal given on the scale on which the run predicts.

    Ratings in [-1, 1] are the same on whatever scale listeners used; predictions of 1..9 held against truths of 0..1 would
    mean nothing.
    """
    if task in ("valence_arousal", "joint"):
        return dataclasses.replace(catalog, rating_range=scale)
    if task == "dynamic" and catalog.dynamic is not None:
        return dataclasses.replace(catalog, dynamic=dataclasses.replace(catalog.dynamic, rating_range=scale))
    return catalog


def _with_dynamic(catalog: Catalog, spec: str) -> Catalog:
    dynamic = catalog.dynamic
    if dynamic is None or not num_usable(dynamic, catalog.durations_s).any():
        raise checks.DataError(
            spec,
            "has no ratings over time" if dynamic is None else "has no ratings over time in its audio",
            expected="a prepared data set with some, such as DEAM, emoMusic or PMEmo",
            remedy="predict one valence and arousal a clip with --task valence_arousal",
        )
    means = [
        dynamic.native(row).mean(axis=0) if len(series) else np.zeros(2)
        for row, series in enumerate(dynamic.valence_arousal)
    ]
    return dataclasses.replace(
        catalog,
        targets=np.array(means, np.float32),
        target_names=VALENCE_AROUSAL,
        rating_range=dynamic.rating_range,
    )


def rated_rows(catalog: Catalog, rows: np.ndarray) -> np.ndarray:
    """Those of some rows that have a rating over time in their audio."""
    assert catalog.dynamic is not None  # with_targets sees to it
    return rows[num_usable(catalog.dynamic, catalog.durations_s)[rows] > 0]


def rated_parts(catalog: Catalog, split: Split) -> Split:
    """A split without the clips that have no rating over time: which fold a clip is in does not depend on them.

    Raises:
        mer_jax.checks.DataError: nothing is left of a part.
    """
    parts = {part: rated_rows(catalog, getattr(split, part)) for part in PARTS}
    for part, rows in parts.items():
        if not len(rows):
            raise checks.DataError(
                catalog.name,
                f"none of the {len(getattr(split, part))} clips of its {part} part has ratings over time",
                remedy="use another split, fold or seed",
            )
    return Split(**parts)


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
    if settings.task == "dynamic":
        return _sequence_task(settings, catalog, rows)
    assert catalog.targets is not None  # with_targets sees to it
    regression = standardising(catalog.targets[rows], settings.training.regression_loss)
    return regression if settings.task != "joint" else Joint(classification, regression)


def _sequence_task(settings: ExperimentConfig, catalog: Catalog, rows: np.ndarray) -> SequenceRegression:
    """Each rating of these rows that lies in the audio counts once."""
    dynamic = catalog.dynamic
    assert dynamic is not None  # with_targets sees to it
    usable = num_usable(dynamic, catalog.durations_s)
    ratings = np.concatenate([dynamic.native(row)[: usable[row]] for row in rows.tolist()])
    spread = standardising(ratings, settings.training.regression_loss)
    return SequenceRegression(spread.mean, spread.std, spread.loss, dynamic.rate_hz)


def score_function(
    catalog: Catalog, task: Task, *, thresholds: np.ndarray | None = None
) -> Callable[[np.ndarray, np.ndarray], Mapping[str, Any]]:
    """Scores of a part from the truth (as the task gives it) and the model's outputs; ``thresholds`` are those of tags."""
    if isinstance(task, Regression):
        return lambda true, found: target_scores.regression(
            true, found, catalog.target_names, std=task.std, loss=task.loss
        )
    if isinstance(task, SequenceRegression):
        return lambda true, found: dynamic_scores.of_windows(
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
    """Labels, or targets (or both, side by side), of some rows: what a task that gives one answer a clip is scored against."""
    if isinstance(task, Classification):
        return catalog.labels[rows]
    assert catalog.targets is not None  # with_targets sees to it
    if isinstance(task, Joint):
        return np.column_stack([catalog.labels[rows], catalog.targets[rows]])
    return catalog.targets[rows]


def rate_of(task: Task) -> float | None:
    """Answers a second; None of a task that asks for one a clip."""
    return task.rate_hz if isinstance(task, SequenceRegression) else None


def to_json(task: Task) -> dict[str, Any]:
    """What a run has to remember of its task in order to compute."""
    if isinstance(task, Joint):
        return to_json(task.regression)
    if isinstance(task, Regression | SequenceRegression):
        spread = {"mean": list(task.mean), "std": list(task.std), "loss": task.loss}
        return spread | ({"rate_hz": task.rate_hz} if isinstance(task, SequenceRegression) else {})
    return {}


def from_json(name: TaskName, values: Mapping[str, Any]) -> Task:
    """Undo :func:`to_json`."""
    if name == "tags":
        return MultiLabel()
    if name == "classes":
        return Classification()
    spread = tuple(values["mean"]), tuple(values["std"]), values.get("loss", "mse")
    if name == "dynamic":
        return SequenceRegression(*spread, values["rate_hz"])
    regression = Regression(*spread)
    return Joint(Classification(), regression) if name == "joint" else regression

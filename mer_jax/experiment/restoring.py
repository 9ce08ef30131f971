"""A finished run, ready to compute: for evaluation on other data, and for prediction."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax import checks, config, data
from mer_jax.config import ExperimentConfig
from mer_jax.data import splits
from mer_jax.experiment import building, caching, facts, inputs, targets
from mer_jax.models import EmotionModel
from mer_jax.models.vgg19 import VGG19
from mer_jax.training import checkpoint
from mer_jax.training.task import Task


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run, ready to compute.

    Attributes:
        path: the run folder.
        config: its configuration.
        outputs: names of what the model gives: classes, targets or tags.
        task: what the model was asked for.
        class_valence_arousal: (classes, 2) mean valence and arousal of each class in the training part, or None.
        model: front-end, standardisation and network with the best weights.
    """

    path: Path
    config: ExperimentConfig
    outputs: tuple[str, ...]
    task: Task
    class_valence_arousal: np.ndarray | None
    model: EmotionModel


def restore(path: str | Path) -> TrainedRun:
    """Load a finished run for evaluation and prediction.

    Raises:
        mer_jax.checks.CheckpointError: the folder holds no run, or one without a checkpoint, or the weights of its frozen base
            are not those that it was trained with.
    """
    path = Path(path)
    for name in ("config.json", "facts.json"):
        if not (path / name).is_file():
            raise checks.CheckpointError(
                path,
                f"has no {name}",
                expected="a run folder written by 'mer-jax train' or 'mer-jax demo'",
                remedy="train first, or name another folder",
            )
    settings = config.from_json(
        (path / "config.json").read_text(encoding="utf-8"), where=path / "config.json"
    )
    known = json.loads((path / "facts.json").read_text(encoding="utf-8"))
    names = tuple(known["data"]["classes" if settings.task == "classes" else "targets"])
    task = targets.from_json(settings.task, known["task"])
    model = building.build_model(settings, len(names))
    if known.get("cached"):
        if isinstance(model.network, VGG19):
            check_base(path, settings, model.network, known["base_checksum"])
        checkpoint.load_model(path, caching.trained_part(model))
    else:
        checkpoint.load_model(path, model)
    ratings = known["data"].get("class_valence_arousal")
    by_class = None if ratings is None else np.asarray(ratings)
    return TrainedRun(path, settings, names, task, by_class, model)


def check_base(path: Path, settings: ExperimentConfig, network: VGG19, expected: str) -> None:
    """A frozen base is not stored with each run, so it has to be the same again."""
    found = facts.base_checksum(network)
    if found != expected:
        where = settings.base_weights if settings.base_init == "imagenet" else f"seed {settings.seed}"
        raise checks.CheckpointError(
            where,
            f"gives a base with checksum {found}",
            expected=f"{expected}, that which {path} was trained on",
            remedy="put the weights back that were used, or train again",
        )


def output_function(trained: TrainedRun) -> Callable[[Any, Any], jax.Array]:
    """A compiled function from (waveforms, lengths) to probabilities (or predicted numbers), with the run's own backend."""
    settings = trained.config
    forward = inputs.outputs(trained.model, trained.task)
    prepare = inputs.backend_function(settings)
    if prepare is None:
        return forward
    return lambda waveforms, lengths: forward(prepare(waveforms), lengths)


def evaluate(path: str | Path, *, spec: str | None = None, part: str = "test") -> dict[str, Any]:
    """Score a finished run anew.

    Args:
        path: the run folder.
        spec: score all of this data set instead of a part of the run's own; its classes must be the run's.
        part: "validation" or "test" of the run's own split.

    Returns:
        The scores (:func:`mer_jax.evaluation.scores.compute`, or those of :mod:`mer_jax.evaluation.target_scores`).

    Raises:
        mer_jax.checks.InputError: the run or the data cannot be used, or the classes (targets, tags) differ.
    """
    checks.one_of("part", part, ("validation", "test"))
    trained = restore(path)
    settings = trained.config
    where = spec or settings.data
    catalog = targets.with_targets(data.load(where, sr=settings.sr), settings.task, where)
    names = targets.output_names(catalog, settings.task)
    if names != trained.outputs:
        what = "classes" if settings.task == "classes" else "targets"
        raise checks.DataError(
            where,
            f"has the {what} {', '.join(names)}",
            expected=f"those of the run: {', '.join(trained.outputs)}",
        )
    rows = np.arange(len(catalog))
    if spec is None:
        split = splits.split_of(
            catalog, settings.split, fold=settings.fold, folds=settings.folds, seed=settings.seed
        )
        rows = getattr(split, part)
    loader = inputs.waveform_loader(catalog, rows, settings, train=False)
    found, index = inputs.predict(trained.model, loader, trained.task)
    return dict(
        targets.score_function(catalog, trained.task)(targets.truth(catalog, trained.task, index), found)
    )

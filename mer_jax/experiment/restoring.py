"""A finished run, ready to compute: for evaluation on other data, and for prediction."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax import checks, config
from mer_jax.config import ExperimentConfig
from mer_jax.experiment import building, caching, facts, inputs, targets
from mer_jax.models import EmotionModel
from mer_jax.models.precision import Precision
from mer_jax.models.vgg19 import VGG19
from mer_jax.signature import Signature
from mer_jax.training import checkpoint
from mer_jax.training.task import Task


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run, ready to compute.

    Attributes:
        path: the run folder.
        config: its configuration, with the precision in which ``model`` computes.
        outputs: names of what the model gives: classes, targets or tags.
        task: what the model was asked for.
        class_valence_arousal: (classes, 2) mean valence and arousal of each class in the training part, or None.
        rating_range: lowest and highest rating of the scale on which valence and arousal are predicted; None is -1..1.
        thresholds: (tags,) above which a tag is given, tuned on the run's validation part; None for other tasks.
        model: front-end, standardisation and network with the best weights.
        facts: what ``facts.json`` says of the run.
    """

    path: Path
    config: ExperimentConfig
    outputs: tuple[str, ...]
    task: Task
    class_valence_arousal: np.ndarray | None
    rating_range: tuple[float, float] | None
    thresholds: np.ndarray | None
    model: EmotionModel
    facts: Mapping[str, Any]

    @property
    def signature(self) -> Signature:
        """What :func:`output_function` takes and gives."""
        return Signature(
            task=self.config.task,
            outputs=self.outputs,
            sr=self.config.sr,
            num_samples=self.config.num_samples,
            hop_s=self.config.clip_s / 2,
            rate_hz=targets.rate_of(self.task),
            class_valence_arousal=self.class_valence_arousal,
            rating_range=self.rating_range,
            thresholds=self.thresholds,
        )


def restore(path: str | Path, *, precision: Precision | None = None) -> TrainedRun:
    """Load a finished run for evaluation and prediction.

    Args:
        path: the run folder.
        precision: to compute in; None is that which the run was trained in.

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
    if precision is not None:
        settings = dataclasses.replace(settings, precision=precision)
    known = json.loads((path / "facts.json").read_text(encoding="utf-8"))
    of = {"classes": ["classes"], "joint": ["classes", "targets"]}.get(settings.task, ["targets"])
    names = tuple(name for part in of for name in known["data"][part])
    task = targets.from_json(settings.task, known["task"])
    model = building.build_model(settings, len(names), rate_hz=targets.rate_of(task))
    if known.get("cached"):
        if isinstance(model.network, VGG19):
            check_base(path, settings, model.network, known["base_checksum"])
        checkpoint.load_model(path, caching.trained_part(model))
    else:
        checkpoint.load_model(path, model)
    ratings = known["data"].get("class_valence_arousal")
    scale, thresholds = known["data"].get("rating_range"), known.get("thresholds")
    return TrainedRun(
        path,
        settings,
        names,
        task,
        class_valence_arousal=None if ratings is None else np.asarray(ratings),
        rating_range=None if scale is None else tuple(scale),
        thresholds=None if thresholds is None else np.asarray(thresholds),
        model=model,
        facts=known,
    )


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

"""Several runs of one configuration, together where that is quicker (:mod:`mer_jax.training.population`), else one by one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from mer_jax import checks
from mer_jax.config import ExperimentConfig
from mer_jax.data.catalog import Catalog
from mer_jax.experiment import fitting, running, targets
from mer_jax.experiment.running import Prepared
from mer_jax.models import EmotionModel
from mer_jax.training.population import Recruit, fit_population
from mer_jax.training.task import Task

Population = Literal["auto", "off"]
"""auto: networks that are quicker so train side by side; off: one after the other."""


def why_one_by_one(settings: ExperimentConfig, *, runs: int, cached: bool) -> str:
    """Why runs of this configuration are trained one after the other; "" if together. The one place where that is decided.

    Dense and recurrent networks on features computed before are trained together: their steps are small beside what the host
    does for each, and two of them keep two cores busy where one does not (docs/performance.md).

    Args:
        settings: any of the runs; they differ in fold, seed and hyper-parameters.
        runs: how many there are.
        cached: whether their features were computed before.
    """
    if runs < 2:
        return "there is one run"
    if settings.network not in ("dense", "recurrent"):
        return f"a {settings.network} network keeps all cores busy by itself"
    return why_batch_by_batch(settings, cached=cached)


def why_batch_by_batch(settings: ExperimentConfig, *, cached: bool) -> str:
    """Why an epoch of this configuration cannot be one program (:mod:`mer_jax.training.epoch`); "" if it can."""
    if not cached:
        return "features are computed in every epoch"
    if settings.task not in ("classes", "targets", "valence_arousal", "joint", "tags"):
        return f"the task {settings.task!r} is trained batch by batch"
    if settings.training.checkpoint_every_steps:
        return "training.checkpoint_every_steps asks for checkpoints within epochs"
    if settings.training.tensorboard:
        return "training.tensorboard asks for curves while training"
    return ""


def run_all(
    runs: Sequence[ExperimentConfig], *, population: Population = "auto"
) -> Iterator[ExperimentConfig]:
    """Run configurations that differ in nothing but ``fold``, ``seed`` and ``out``, and yield each as it is done.

    A run whose folder holds its configuration goes on after its last checkpoint.

    Raises:
        mer_jax.checks.InputError: as :func:`.running.run`.
    """
    checks.one_of("population", population, ("auto", "off"))
    kept: running.Kept = {}
    if not runs:
        return
    if population == "off" or why_one_by_one(runs[0], runs=len(runs), cached=True):
        for settings in runs:
            running.run(settings, resume=_begun(settings), progress=False, kept=kept)
            yield settings
        return
    first = running.prepare(runs[0], resume=_begun(runs[0]), kept=kept)
    if why_one_by_one(runs[0], runs=len(runs), cached=first.known["cached"]):
        running.train(first)
        yield runs[0]
        yield from run_all(runs[1:], population="off")
        return
    others = (running.prepare(settings, resume=_begun(settings), kept=kept) for settings in runs[1:])
    for done, result in fit_population(map(_recruit, chain([first], others))):
        one: Prepared = done.tag
        running.finish(one, fitting.scored(one.trained, one.loaders, one.catalog, one.task, result))
        yield one.settings


def _begun(settings: ExperimentConfig) -> bool:
    return (settings.out / "config.json").is_file()


def _recruit(prepared: Prepared) -> Recruit:
    settings = prepared.settings
    return recruit(
        prepared.trained,
        prepared.loaders,
        prepared.catalog,
        settings,
        prepared.task,
        run_dir=Path(settings.out),
        resume=prepared.resume,
        tag=prepared,
    )


def recruit(
    model: EmotionModel,
    loaders: Mapping[str, Any],
    catalog: Catalog,
    settings: ExperimentConfig,
    task: Task,
    *,
    run_dir: Path | None,
    resume: bool = False,
    tag: Any = None,
) -> Recruit:
    """What :func:`.fitting.fit_and_score` would train, to be trained together with others; ``tag`` comes back with it."""
    return Recruit(
        model,
        loaders["train"],
        loaders["validation"],
        targets.score_function(catalog, task),
        training=settings.training,
        optimizer_config=settings.optimizer,
        task=task,
        augmentation=settings.augmentation,
        seed=settings.seed,
        run_dir=run_dir,
        resume=resume,
        tag=tag,
    )

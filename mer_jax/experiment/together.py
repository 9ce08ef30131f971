"""Several runs of one configuration, together where that is quicker (:mod:`mer_jax.training.population`), else one by one."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax

from mer_jax import checks
from mer_jax.config import ExperimentConfig
from mer_jax.data.catalog import Catalog
from mer_jax.experiment import fitting, running, targets
from mer_jax.experiment.running import Prepared
from mer_jax.models import EmotionModel
from mer_jax.signal.platform import platform
from mer_jax.training import device_memory
from mer_jax.training.loop import Watch
from mer_jax.training.population import Recruit, fit_population
from mer_jax.training.task import Task

Population = Literal["auto", "off"]
"""auto: networks that are quicker so train side by side; off: one after the other."""


def why_one_by_one(
    settings: ExperimentConfig, *, runs: int, cached: bool, catalog: Catalog | None = None
) -> str:
    """Why runs of this configuration are trained one after the other; "" if together. The one place where that is decided.

    Dense and recurrent networks are trained together: two of them keep two cores busy where one does not, and on features
    computed before their steps are small beside what the host does for each (docs/performance.md). Where features are computed
    in every epoch, all waveforms have to fit on the device (:func:`.device_memory.budget_for_waveforms`).

    Args:
        settings: any of the runs; they differ in fold, seed and hyper-parameters.
        runs: how many there are.
        cached: whether their features were computed before.
        catalog: the data set, whose waveforms are to lie on the device where they were not; None keeps them on the host.
    """
    # An accelerator waits for the host between the steps of any of these networks, also where there is one run.
    if platform() == "cpu":
        if runs < 2:
            return "there is one run"
        if settings.network not in ("dense", "recurrent"):
            return f"a {settings.network} network keeps all cores busy by itself"
    if settings.network == "vgg19" and not cached:
        return "the pictures are drawn in every epoch"
    return why_batch_by_batch(settings, cached=cached, catalog=catalog)


def why_batch_by_batch(settings: ExperimentConfig, *, cached: bool, catalog: Catalog | None = None) -> str:
    """Why an epoch of this configuration cannot be one program (:mod:`mer_jax.training.epoch`); "" if it can.

    ``cached`` and ``catalog`` as in :func:`why_one_by_one`.
    """
    if settings.task not in ("classes", "targets", "valence_arousal", "joint", "tags"):
        return f"the task {settings.task!r} is trained batch by batch"
    if settings.training.checkpoint_every_steps:
        return "training.checkpoint_every_steps asks for checkpoints within epochs"
    if settings.training.tensorboard:
        return "training.tensorboard asks for curves while training"
    return "" if cached else _why_waveforms_stay(settings, catalog)


def _why_waveforms_stay(settings: ExperimentConfig, catalog: Catalog | None) -> str:
    """Why the waveforms of a data set are handed to the device batch by batch; "" if they lie there."""
    each_time = "features are computed in every epoch"
    if catalog is None:
        return each_time
    if settings.backend != "jax":
        return f"{each_time}, by {settings.backend}"
    needed = device_memory.waveform_bytes(catalog, settings.num_samples)
    if needed is None:
        return f"{each_time}, and how long the clips are is not known before they are decoded"
    budget = device_memory.budget_for_waveforms(jax.local_devices()[0])
    if needed > budget:
        return (
            f"{each_time}, and the waveforms would take {needed / 2**30:.1f} GiB of the device, "
            f"where {budget / 2**30:.1f} are for them"
        )
    return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ready:
    """A model before its training, with all that :func:`fit_all` needs to know.

    Attributes:
        config: its configuration.
        catalog: the data set, with targets where the task has some.
        model: the part of it that is trained, its standardisation fitted.
        loaders: batches of each of :data:`mer_jax.data.catalog.PARTS`.
        task: what the model is asked for.
        watch: see :func:`mer_jax.training.fit`; None measures nothing.
    """

    config: ExperimentConfig
    catalog: Catalog
    model: EmotionModel
    loaders: Mapping[str, Any]
    task: Task
    watch: Watch | None = None


R = TypeVar("R", bound=Ready)


def fit_all(ready: Iterable[R], *, one_by_one: bool) -> Iterator[tuple[R, fitting.Fitted]]:
    """Train in memory what is ready, and yield each with what came of it, scored, as soon as it is done.

    Args:
        ready: taken one by one, as there is room.
        one_by_one: one after the other; else as a population, of one array of features or one catalog.
    """
    if one_by_one:
        for one in ready:
            yield (
                one,
                fitting.fit_and_score(
                    one.model, one.loaders, one.catalog, one.config, one.task, run_dir=None, watch=one.watch
                ),
            )
        return
    recruits = (
        recruit(
            one.model, one.loaders, one.catalog, one.config, one.task, run_dir=None, watch=one.watch, tag=one
        )
        for one in ready
    )
    for done, result in fit_population(recruits):
        one = done.tag
        yield one, fitting.scored(one.model, one.loaders, one.catalog, one.task, result)


def run_all(
    runs: Sequence[ExperimentConfig],
    *,
    population: Population = "auto",
    say: Callable[[str], None] | None = None,
) -> Iterator[ExperimentConfig]:
    """Run configurations that differ in nothing but ``fold``, ``seed`` and ``out``, and yield each as it is done.

    A run whose folder holds its configuration goes on after its last checkpoint.

    Args:
        runs: the configurations.
        population: "auto" trains them together where that is quicker, "off" one after the other.
        say: told why they are trained one after the other, where "auto" does so.

    Raises:
        mer_jax.checks.InputError: as :func:`.running.run`.
    """
    checks.one_of("population", population, ("auto", "off"))
    kept: running.Kept = {}
    if not runs:
        return
    why = "" if population == "off" else why_one_by_one(runs[0], runs=len(runs), cached=True)
    if population == "off" or why:
        _say(say, runs, why)
        for settings in runs:
            running.run(settings, resume=_begun(settings), progress=False, kept=kept)
            yield settings
        return
    first = running.prepare(runs[0], resume=_begun(runs[0]), kept=kept)
    # One catalog for all, so that its audio lies in one place.
    catalog = first.catalog
    why = why_one_by_one(runs[0], runs=len(runs), cached=first.known["cached"], catalog=catalog)
    if why:
        _say(say, runs, why)
        running.train(first)
        yield runs[0]
        yield from run_all(runs[1:], population="off")
        return
    others = (
        running.prepare(settings, resume=_begun(settings), kept=kept, catalog=catalog)
        for settings in runs[1:]
    )
    for done, result in fit_population(map(_recruit, chain([first], others))):
        one: Prepared = done.tag
        running.finish(one, fitting.scored(one.trained, one.loaders, one.catalog, one.task, result))
        yield one.settings


def _say(say: Callable[[str], None] | None, runs: Sequence[ExperimentConfig], why: str) -> None:
    if say is not None and why and len(runs) > 1:
        say(f"trained one after the other: {why}")


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
    watch: Watch | None = None,
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
        watch=watch,
        tag=tag,
    )

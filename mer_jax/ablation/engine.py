"""Running an ablation: every front-end on every split, what is finished kept, and the report."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import checks, data
from mer_jax.ablation import probes, report
from mer_jax.ablation.config import AblationConfig, Member
from mer_jax.data import splits
from mer_jax.data.atomic import write_arrays, write_lines
from mer_jax.data.catalog import Catalog
from mer_jax.experiment import building, facts, fitting, folder, running, targets, together
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.image import Image
from mer_jax.models import EmotionModel
from mer_jax.training import optimizer
from mer_jax.training import step as training_step


@dataclasses.dataclass(frozen=True)
class Job:
    """One front-end on one split."""

    member: Member
    fold: int
    seed: int

    def done(self, settings: AblationConfig) -> bool:
        """Whether it was finished before: its record is written last."""
        return (settings.of_cell(self.member, fold=self.fold, seed=self.seed).out / "cell.json").is_file()


def run(settings: AblationConfig, *, progress: bool = True, population: together.Population = "auto") -> Path:
    """Run what is missing of an ablation and write its report.

    Args:
        settings: the ablation; a folder ``settings.out`` that holds the same one goes on where it stopped.
        progress: print a line a cell.
        population: "auto" trains the splits and seeds of a front-end together where that is quicker
            (:func:`mer_jax.experiment.together.why_one_by_one`), "off" one after the other.

    Returns:
        The folder, with ``report.html``, ``ablation.json`` and a folder for each cell.

    Raises:
        mer_jax.checks.InputError: data, settings or folder cannot be used.
    """
    checks.one_of("population", population, ("auto", "off"))
    out = Path(settings.out)
    catalog = data.load(settings.data, sr=settings.sr)
    targets.with_targets(catalog, "classes", settings.data)
    for member in settings.members:
        building.build_model(settings.of_cell(member, fold=0, seed=0), len(catalog.classes))
    folder.claim(out, settings, resume=(out / "config.json").exists())
    jobs = list(_jobs(settings))
    left = [job for job in jobs if not job.done(settings)]
    started = time.perf_counter()
    done = 0
    for member, of_member in groupby(left, key=lambda job: job.member):
        for found in _train_cells(settings, catalog, list(of_member), population, say=progress):
            done += 1
            if progress:
                left_s = (time.perf_counter() - started) / done * (len(left) - done)
                print(
                    f"[{len(jobs) - len(left) + done}/{len(jobs)}] {member.spec} fold {found['fold']} seed {found['seed']}: "
                    f"accuracy {found['accuracy']:.3f}, {found['epochs']} epochs, {found['train_s']:.0f} s; "
                    f"about {left_s:.0f} s left",
                    flush=True,
                )
    folder.write_json(out / "ablation.json", report.summarise(out, settings))
    report.write(out)
    if progress:
        print(report.summary_table(out))
        print(f"report: {out / 'report.html'}")
    return out


def _jobs(settings: AblationConfig) -> Iterator[Job]:
    for member in settings.members:
        for seed in range(settings.seeds):
            for fold in range(settings.folds):
                yield Job(member, fold, seed)


def _train_cells(
    settings: AblationConfig,
    catalog: Catalog,
    jobs: Sequence[Job],
    population: together.Population,
    *,
    say: bool,
) -> Iterator[dict[str, Any]]:
    """Train and score a front-end on some splits, and yield the record of each as it is written."""
    kept: running.Kept = {}
    first = _prepare(settings, catalog, jobs[0], kept)
    measured = _measure_step(first.model, first.loaders["train"], first.config, first.task)
    ready = chain([first], (_prepare(settings, catalog, job, kept) for job in jobs[1:]))
    why = together.why_one_by_one(first.config, runs=len(jobs), cached=first.computed_once, catalog=catalog)
    if say and population == "auto" and why and len(jobs) > 1:
        print(f"{jobs[0].member.spec}: trained one after the other: {why}", flush=True)
    for one, fitted in together.fit_all(ready, one_by_one=population == "off" or bool(why)):
        yield _write_cell(one, fitted, measured)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Ready(together.Ready):
    """A front-end on one split before its training.

    Attributes:
        job: what it is.
        whole: the model with the front-end, where that is not trained.
        known: what ``facts.json`` holds so far.
        computed_once: whether its features were.
        at_start: the front-end's parameters.
        before: its answers.
        started: when, as ``time.perf_counter`` says.
    """

    job: Job
    whole: EmotionModel
    known: dict[str, Any]
    computed_once: bool
    at_start: Any
    before: probes.Response
    started: float


def _prepare(settings: AblationConfig, catalog: Catalog, job: Job, kept: running.Kept) -> _Ready:
    """All before the first step; ``kept`` has the features that the front-end's cells share."""
    started = time.perf_counter()
    config = settings.of_cell(job.member, fold=job.fold, seed=job.seed)
    split = splits.grouped_split(
        catalog.labels,
        catalog.groups,
        fold=job.fold,
        seed=job.seed if settings.fold_seeds else 0,
        classes=catalog.classes,
    )
    model = building.build_model(config, len(catalog.classes))
    frontend = _features_of(model)
    at_start = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(frontend, nnx.Param)))
    before = probes.probe(frontend)
    task = targets.task_of(config, catalog, split.train)
    known = facts.of_run(config, catalog, split, model, task)
    why_not = running.why_not_cached(config, catalog, model)
    trained, loaders = running.inputs_of(config, catalog, split, model, cached=not why_not, kept=kept)
    return _Ready(
        config=config,
        catalog=catalog,
        model=trained,
        loaders=loaders,
        task=task,
        watch=_movement_from(at_start, model) if why_not and at_start else None,
        job=job,
        whole=model,
        known=known,
        computed_once=not why_not,
        at_start=at_start,
        before=before,
        started=started,
    )


def _write_cell(ready: _Ready, fitted: fitting.Fitted, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Write a cell's files, ``cell.json`` last; ``measured`` is what a step of its front-end costs."""
    job, config = ready.job, ready.config
    frontend = _features_of(ready.whole)
    moved = probes.movement(ready.at_start, nnx.to_pure_dict(nnx.state(frontend, nnx.Param)))
    answers = {"before": ready.before, "after": probes.probe(frontend) if moved else ready.before}
    write_arrays(
        config.out / "probes.npz",
        {f"{when}_{name}": x for when, one in answers.items() for name, x in dataclasses.asdict(one).items()},
    )
    running.write_predictions(
        config.out / "predictions.npz", ready.catalog, ready.task, fitted.predictions["test"]
    )
    write_lines(config.out / "metrics.jsonl", fitted.result.records)
    folder.write_config(config.out, config)
    folder.write_json(config.out / "scores.json", fitted.scores)
    known = ready.known | {
        "finished": folder.now(),
        "best_epoch": fitted.result.best_epoch,
        "cached": ready.computed_once,
    }
    folder.write_json(config.out / "facts.json", known)
    record = {
        "frontend": job.member.spec,
        "fold": job.fold,
        "seed": job.seed,
        "accuracy": fitted.scores["test"]["accuracy"],
        "epochs": len(fitted.result.records),
        "train_s": round(time.perf_counter() - ready.started, 3),
        "frontend_parameters": sum(x.size for x in jax.tree.leaves(ready.at_start)),
        "parameters": known["num_parameters"],
        "movement": moved,
        "computed_once": ready.computed_once,
        **measured,
    }
    folder.write_json(config.out / "cell.json", record)
    return record


def _features_of(model: EmotionModel) -> Frontend:
    """The front-end itself, where a picture is drawn from it."""
    frontend = model.frontend
    return frontend.frontend if isinstance(frontend, Image) else frontend


def _movement_from(at_start: Any, model: EmotionModel) -> Callable[[Any], Mapping[str, float]]:
    """How far a front-end's parameters went from their start, told from the weights of the whole model."""

    def movement(params: Any) -> Mapping[str, float]:
        learnt = params["frontend"]
        return probes.movement(at_start, learnt["frontend"] if isinstance(model.frontend, Image) else learnt)

    return movement


def _measure_step(model: EmotionModel, loader: Any, config: Any, task: Any) -> dict[str, Any]:
    """Milliseconds of a warm training step (median of five) and the memory that its program plans for temporary values."""
    transform = optimizer.build(config.optimizer, config.training.epochs * loader.steps_per_epoch)
    graph, state = training_step.create(model, transform, seed=0, task=task)
    step = training_step.make_step(
        graph,
        transform,
        task=task,
        accumulate_steps=config.training.accumulate_steps,
        remat=config.training.remat,
    )
    function = jax.jit(step)
    batch = {name: value for name, value in next(iter(loader)).items() if name != "index"}
    compiled = function.lower(state, batch).compile()
    jax.block_until_ready(compiled(state, batch))
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        jax.block_until_ready(compiled(state, batch))
        times.append(time.perf_counter() - begin)
    memory = compiled.memory_analysis()
    return {
        "step_ms": round(1e3 * float(np.median(times)), 3),
        "step_temporary_mib": None if memory is None else round(memory.temp_size_in_bytes / 2**20, 1),
    }

"""Running an ablation: every front-end on every split, what is finished kept, and the report."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import data
from mer_jax.ablation import probes, report
from mer_jax.ablation.config import AblationConfig, Member
from mer_jax.data import splits
from mer_jax.data.atomic import write_arrays, write_lines
from mer_jax.data.catalog import Catalog
from mer_jax.experiment import building, facts, fitting, folder, running, targets
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


def run(settings: AblationConfig, *, progress: bool = True) -> Path:
    """Run what is missing of an ablation and write its report.

    Args:
        settings: the ablation; a folder ``settings.out`` that holds the same one goes on where it stopped.
        progress: print a line a cell.

    Returns:
        The folder, with ``report.html``, ``ablation.json`` and a folder for each cell.

    Raises:
        mer_jax.checks.InputError: data, settings or folder cannot be used.
    """
    out = Path(settings.out)
    catalog = data.load(settings.data, sr=settings.sr)
    targets.with_targets(catalog, "classes", settings.data)
    for member in settings.members:
        building.build_model(settings.of_cell(member, fold=0, seed=0), len(catalog.classes))
    folder.claim(out, settings, resume=(out / "config.json").exists())
    jobs = list(_jobs(settings))
    started = time.perf_counter()
    new = 0
    current: Member | None = None
    kept: running.Kept = {}
    measured: dict[str, Any] = {}
    for number, job in enumerate(jobs, 1):
        config = settings.of_cell(job.member, fold=job.fold, seed=job.seed)
        if (config.out / "cell.json").is_file():
            continue
        if job.member != current:
            current, kept, measured = job.member, {}, {}
        found = _run_cell(settings, catalog, job, kept, measured)
        measured = {name: found[name] for name in ("step_ms", "step_temporary_mib")}
        new += 1
        if progress:
            left_s = (time.perf_counter() - started) / new * (len(jobs) - number)
            print(
                f"[{number}/{len(jobs)}] {job.member.spec} fold {job.fold} seed {job.seed}: accuracy "
                f"{found['accuracy']:.3f}, {found['epochs']} epochs, {found['train_s']:.0f} s; at most {left_s:.0f} s left",
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


def _run_cell(
    settings: AblationConfig,
    catalog: Catalog,
    job: Job,
    kept: running.Kept,
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """Train and score one front-end on one split; ``cell.json`` is written last.

    Args:
        settings: the ablation.
        catalog: its data.
        job: what to run.
        kept: features, shared by the front-end's cells.
        measured: what a step costs, of an earlier cell of the front-end; empty measures it.
    """
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
    measured = measured or _measure_step(trained, loaders["train"], config, task)
    watch = _movement_from(at_start, model) if why_not and at_start else None
    fitted = fitting.fit_and_score(trained, loaders, catalog, config, task, run_dir=None, watch=watch)
    moved = probes.movement(at_start, nnx.to_pure_dict(nnx.state(frontend, nnx.Param)))
    after = probes.probe(frontend) if moved else before
    answers = {"before": before, "after": after}
    write_arrays(
        config.out / "probes.npz",
        {f"{when}_{name}": x for when, one in answers.items() for name, x in dataclasses.asdict(one).items()},
    )
    running.write_predictions(config.out / "predictions.npz", catalog, task, fitted.predictions["test"])
    write_lines(config.out / "metrics.jsonl", fitted.result.records)
    folder.write_config(config.out, config)
    folder.write_json(config.out / "scores.json", fitted.scores)
    known |= {"finished": folder.now(), "best_epoch": fitted.result.best_epoch, "cached": not why_not}
    folder.write_json(config.out / "facts.json", known)
    record = {
        "frontend": job.member.spec,
        "fold": job.fold,
        "seed": job.seed,
        "accuracy": fitted.scores["test"]["accuracy"],
        "epochs": len(fitted.result.records),
        "train_s": round(time.perf_counter() - started, 3),
        "frontend_parameters": sum(x.size for x in jax.tree.leaves(at_start)),
        "parameters": known["num_parameters"],
        "movement": moved,
        "computed_once": not why_not,
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
    function = jax.jit(training_step.make_step(graph, transform, task=task))
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

"""Running the cells of a study: each feature is computed once, each finished cell stays finished."""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mer_jax import data, machine
from mer_jax.config import to_json
from mer_jax.data import memory, splits
from mer_jax.data.atomic import write_lines
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import study_report
from mer_jax.evaluation.measures import CLASSES
from mer_jax.experiment import building, caching, facts, fitting, folder, inputs, targets, together
from mer_jax.experiment.caching import FeatureArray
from mer_jax.models import EmotionModel
from mer_jax.models.vgg19 import VGG19Base, parameter_counts
from mer_jax.study import records
from mer_jax.study.cells import Cell
from mer_jax.study.config import StudyConfig
from mer_jax.study.progress import Progress

RESULT = "result.json"
EXAMPLES = "examples"
CACHE = "cache"  # features, until the study is finished


@dataclasses.dataclass(frozen=True)
class Job:
    """One cell on one split."""

    cell: Cell
    fold: int
    seed: int

    def done(self, settings: StudyConfig) -> bool:
        """Whether it was finished before: its result is written last."""
        return (settings.of_cell(self.cell, fold=self.fold, seed=self.seed).out / RESULT).is_file()


def run(
    settings: StudyConfig,
    *,
    progress: bool = True,
    population: together.Population = "auto",
    catalog: Catalog | None = None,
) -> Path:
    """Run what is missing of a study and write its report.

    Args:
        settings: the study; ``settings.out`` is its folder. A folder that holds the same study goes on where it stopped.
        progress: show progress.
        population: "auto" trains cells of the same features together where that is quicker
            (:func:`mer_jax.experiment.together.why_one_by_one`), "off" one after the other.
        catalog: what ``settings.data`` stands for, where it has been opened already; None opens it.

    Returns:
        The folder, with ``report.html``, ``table.csv``, ``results.json`` and a folder for each cell.

    Raises:
        mer_jax.checks.InputError: data, settings or folder cannot be used.
    """
    settings = settings.resolved()
    out = Path(settings.out)
    opened = data.load(settings.data, sr=settings.sr) if catalog is None else memory.in_memory(catalog)
    catalog = targets.with_targets(opened, settings.task, settings.data)
    base = _base(settings)
    for cell in settings.chosen:
        # Refuses a cell whose features the backend does not have.
        inputs.backend_function(settings.of_cell(cell))
    folder.claim(out, settings, resume=(out / "config.json").exists())
    split = _split(settings, catalog, fold=0, seed=0)
    known = _facts(settings, catalog, split)
    if (out / "study.json").is_file():
        known["started"] = json.loads((out / "study.json").read_text(encoding="utf-8"))["started"]
    folder.write_json(out / "study.json", known)
    if settings.measures is not CLASSES:
        records.write_targets(out, catalog, split)
    jobs = list(_jobs(settings))
    with Progress(
        jobs_in_all=len(jobs),
        done_before=sum(job.done(settings) for job in jobs),
        shown=progress,
        measures=settings.measures,
    ) as shown:
        for group in _by_features(jobs, settings):
            array = _features(settings, catalog, group[0].cell, base, shown)
            config = settings.of_cell(group[0].cell)
            why = together.why_one_by_one(config, runs=len(group), cached=True)
            ready = (_prepare(settings, catalog, job, array, base, shown) for job in group)
            for one, fitted in together.fit_all(ready, one_by_one=population == "off" or bool(why)):
                shown.end(one.job, _write_cell(one, fitted))
    if not (out / EXAMPLES / "examples.npz").is_file():
        records.write_examples(out / EXAMPLES, catalog, split.test, settings)
    folder.write_json(out / "study.json", known | {"finished": folder.now()})
    study_report.write(out)
    shutil.rmtree(out / CACHE, ignore_errors=True)
    if progress:
        print(study_report.summary_table(out))
        print(f"report: {out / 'report.html'}")
    return out


def _jobs(settings: StudyConfig) -> Iterator[Job]:
    for cell in settings.chosen:
        for seed in range(settings.seeds):
            for fold in range(settings.folds):
                yield Job(cell, fold, seed)


def _by_features(jobs: list[Job], settings: StudyConfig) -> Iterator[list[Job]]:
    """What is left to do, cells that share their input together."""
    groups: dict[tuple, list[Job]] = {}
    for job in jobs:
        if not job.done(settings):
            groups.setdefault((job.cell.features, job.cell.options, job.cell.network), []).append(job)
    yield from groups.values()


def _base(settings: StudyConfig) -> VGG19Base | None:
    """The base that all picture cells share, loaded (or missed) before anything is computed."""
    pictures = [cell for cell in settings.chosen if cell.network == "vgg19"]
    return building.load_base(settings.of_cell(pictures[0])) if pictures else None


def _split(settings: StudyConfig, catalog: Catalog, *, fold: int, seed: int) -> splits.Split:
    return splits.split_of(catalog, settings.split, fold=fold, seed=seed)


def _features(
    settings: StudyConfig, catalog: Catalog, cell: Cell, base: VGG19Base | None, shown: Progress
) -> FeatureArray:
    """The input of a cell's network for every clip, from this study's cache if it is there."""
    config = settings.of_cell(cell)
    name = caching.key(
        catalog.name, catalog.ids, settings.sr, settings.clip_s, cell.features, cell.options, cell.network, settings.backend,
        settings.vgg19.image_size, settings.base_init, settings.precision if cell.network == "vgg19" else "f32",
    )  # fmt: skip
    path = settings.out / CACHE / f"{name}.npz"
    array = caching.load(path)
    if array is not None:
        return array
    model = building.build_model(config, len(targets.output_names(catalog, settings.task)), base=base)
    started = time.perf_counter()
    found = caching.compute(
        catalog,
        model,
        num_samples=config.num_samples,
        prepare=inputs.backend_function(config),
        progress=lambda done, total: shown.features(cell.title, done, total),
    )
    array = FeatureArray(*found, seconds=time.perf_counter() - started)
    caching.save(path, array)
    return array


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Ready(together.Ready):
    """A cell on one split before its training; ``whole`` is its model with the part that is not trained."""

    settings: StudyConfig
    job: Job
    num_train: int
    whole: EmotionModel
    array: FeatureArray
    started: float


def _prepare(
    settings: StudyConfig,
    catalog: Catalog,
    job: Job,
    array: FeatureArray,
    base: VGG19Base | None,
    shown: Progress,
) -> _Ready:
    shown.begin(job)
    started = time.perf_counter()
    config = settings.of_cell(job.cell, fold=job.fold, seed=job.seed)
    split = _split(settings, catalog, fold=job.fold, seed=job.seed)
    whole = building.build_model(config, len(targets.output_names(catalog, settings.task)), base=base)
    model, loaders = fitting.cached_inputs(config, catalog, split, whole, array)
    task = targets.task_of(config, catalog, split.train)
    return _Ready(
        config=config,
        catalog=catalog,
        model=model,
        loaders=loaders,
        task=task,
        settings=settings,
        job=job,
        num_train=len(split.train),
        whole=whole,
        array=array,
        started=started,
    )


def _write_cell(ready: _Ready, fitted: fitting.Fitted) -> dict[str, Any]:
    """Write a cell's files; what this returns is written last."""
    job, config, catalog, result = ready.job, ready.config, ready.catalog, fitted.result
    path = config.out / "predictions.npz"
    records.write_predictions(path, catalog, ready.task, fitted, ready.settings.measures)
    write_lines(config.out / "metrics.jsonl", result.records)
    record = {
        "cell": job.cell.id,
        "fold": job.fold,
        "seed": job.seed,
        "scores": fitted.scores,
        "num_train": ready.num_train,
        **parameter_counts(ready.whole),
        "feature_s": round(ready.array.seconds, 3),
        "train_s": round(time.perf_counter() - ready.started, 3),
        "epochs": len(result.records),
        "best_epoch": result.best_epoch,
        "base_init": config.base_init if job.cell.network == "vgg19" else None,
        "selected_on": "validation",
    }
    folder.write_json(config.out / RESULT, record)
    return record


def _facts(settings: StudyConfig, catalog: Catalog, split: splits.Split) -> dict[str, Any]:
    notes = []
    if settings.base_init == "he" and any(cell.network == "vgg19" for cell in settings.chosen):
        notes.append("The VGG19 base starts from random (He normal) weights, not from ImageNet's.")
    if settings.precision != "f32":
        notes.append(f"The networks compute in {settings.precision}, the features in full float32.")
    if settings.split != "grouped":
        notes.append(f"The data is divided by the split {settings.split!r}, not into the protocol's folds.")
    return {
        "settings": json.loads(to_json(settings)),
        "task": settings.task,
        "data": facts.of_data(catalog, split),
        "folds": list(range(settings.folds)),
        "seeds": list(range(settings.seeds)),
        "versions": machine.describe_versions(),
        "hardware": machine.describe_machine(),
        "started": folder.now(),
        "finished": None,
        "notes": notes,
        "cells": [
            {
                "id": cell.id,
                "approach": cell.approach,
                "title": cell.title,
                "features": cell.features,
                "network": cell.network_title,
            }
            for cell in settings.chosen
        ],
    }

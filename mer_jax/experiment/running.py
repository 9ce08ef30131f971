"""Train, evaluate and report one configuration."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax import data, models
from mer_jax.config import ExperimentConfig
from mer_jax.data import splits
from mer_jax.data.atomic import write_arrays
from mer_jax.data.catalog import PARTS, Catalog
from mer_jax.evaluation import feature_examples, report
from mer_jax.experiment import (
    building,
    caching,
    facts,
    fitting,
    folder,
    inputs,
    sequences,
    starting,
    targets,
)
from mer_jax.experiment.caching import FeatureArray
from mer_jax.frontends.image import Image
from mer_jax.models import EmotionModel
from mer_jax.models.vgg19 import VGG19Base
from mer_jax.training.task import Classification, Joint, SequenceRegression, Task

Kept = dict[int | None, FeatureArray]
"""Features by the seed that they depend on (:func:`.caching.seed_of`)."""

# Features that need more than this are computed anew in every epoch.
CACHE_BYTES = 2 << 30


def run(
    settings: ExperimentConfig,
    *,
    resume: bool = False,
    progress: bool = True,
    kept: Kept | None = None,
) -> Path:
    """Train, evaluate and report one configuration.

    Args:
        settings: what to run; ``settings.out`` is the run folder.
        resume: go on after the last checkpoint in the folder.
        progress: show progress.
        kept: for runs that differ in nothing but ``fold``, ``seed`` and ``out``, the same dictionary for all: features are
            taken from here if they are there, and put here, in place of others, if they are computed.

    Returns:
        The run folder.

    Raises:
        mer_jax.checks.InputError: data, configuration or folder cannot be used.
    """
    return train(prepare(settings, resume=resume, progress=progress, kept=kept), progress=progress)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run before its training.

    Attributes:
        settings: what is run.
        catalog: its data, with targets where the task has some.
        split: its parts.
        task: what the model is asked for.
        trained: the part of the model that is trained, its standardisation fitted.
        loaders: batches of each of :data:`mer_jax.data.catalog.PARTS`.
        known: what ``facts.json`` holds so far.
        resume: whether it goes on after a checkpoint.
        started: when, as ``time.perf_counter`` says.
    """

    settings: ExperimentConfig
    catalog: Catalog
    split: splits.Split
    task: Task
    trained: EmotionModel
    loaders: dict[str, Any]
    known: dict[str, Any]
    resume: bool
    started: float


def prepare(
    settings: ExperimentConfig,
    *,
    resume: bool = False,
    progress: bool = False,
    kept: Kept | None = None,
    catalog: Catalog | None = None,
) -> Prepared:
    """Claim the folder, load the data, build the model, compute features: all before the first step of :func:`run`.

    ``catalog`` is that of a run prepared before which differs in nothing but ``fold``, ``seed`` and ``out``; None loads it.
    """
    started = time.perf_counter()
    out = Path(settings.out)
    catalog, split, task = data_of(settings, catalog)
    left_out = 0
    if settings.task == "dynamic":
        left_out = len(catalog) - len(targets.rated_rows(catalog, np.arange(len(catalog))))
    model = model_of(settings, catalog, task)
    folder.claim(out, settings, resume=resume)
    why_not = why_not_cached(settings, catalog, model)
    known = facts.of_run(settings, catalog, split, model, task)
    known |= {"cached": not why_not} | ({"not_cached_because": why_not} if why_not else {})
    if left_out:
        known["clips_without_ratings_over_time"] = left_out
    folder.write_json(out / "facts.json", known)
    if progress and left_out:
        print(f"{left_out} of {len(catalog)} clips have no ratings over time in their audio and are left out")
    if progress and why_not:
        print(f"features are computed in every epoch: {why_not}")
    trained, loaders = started_inputs(settings, catalog, split, model, cached=not why_not, kept=kept)
    return Prepared(settings, catalog, split, task, trained, loaders, known, resume, started)


def data_of(settings: ExperimentConfig, catalog: Catalog | None = None) -> tuple[Catalog, splits.Split, Task]:
    """The data of a configuration (``catalog``, with its targets, or loaded), its parts, and what is asked of them."""
    if catalog is None:
        catalog = data.load(settings.data, sr=settings.sr)
        catalog = targets.with_targets(catalog, settings.task, settings.data)
    split = splits.split_of(
        catalog, settings.split, fold=settings.fold, folds=settings.folds, seed=settings.seed
    )
    if settings.task == "dynamic":
        split = targets.rated_parts(catalog, split)
    return catalog, split, targets.task_of(settings, catalog, split.train)


def model_of(
    settings: ExperimentConfig, catalog: Catalog, task: Task, *, base: VGG19Base | None = None
) -> EmotionModel:
    """The whole model of a configuration, not trained; ``base`` as in :func:`.building.build_model`."""
    num_outputs = len(targets.output_names(catalog, settings.task))
    return building.build_model(settings, num_outputs, base=base, rate_hz=targets.rate_of(task))


def started_inputs(
    settings: ExperimentConfig,
    catalog: Catalog,
    split: splits.Split,
    model: EmotionModel,
    *,
    cached: bool,
    kept: Kept | None = None,
) -> tuple[EmotionModel, dict[str, Any]]:
    """:func:`inputs_of`, with the weights of ``settings.start_from`` where it names a run."""
    trained, loaders = inputs_of(settings, catalog, split, model, cached=cached, kept=kept)
    if settings.start_from is not None:
        names = targets.output_names(catalog, settings.task)
        starting.start_from(settings.start_from, trained, names, cached=cached)
    return trained, loaders


def train(prepared: Prepared, *, progress: bool = False) -> Path:
    """Train what was prepared, by itself, and finish it."""
    settings = prepared.settings
    fitted = fitting.fit_and_score(
        prepared.trained,
        prepared.loaders,
        prepared.catalog,
        settings,
        prepared.task,
        run_dir=Path(settings.out),
        resume=prepared.resume,
        progress=progress,
    )
    return finish(prepared, fitted, progress=progress)


def finish(prepared: Prepared, fitted: fitting.Fitted, *, progress: bool = False) -> Path:
    """Write predictions, scores, facts and report of a trained run: all after the last step of :func:`run`."""
    settings, catalog, known = prepared.settings, prepared.catalog, prepared.known
    out = Path(settings.out)
    write_predictions(out / "predictions.npz", catalog, prepared.task, fitted.predictions["test"])
    folder.write_json(out / "scores.json", fitted.scores)
    if settings.task in ("classes", "joint"):
        feature_examples.write(
            out, catalog, rows=prepared.split.test, sr=settings.sr, num_samples=settings.num_samples
        )
    result = fitted.result
    if fitted.thresholds is not None:
        known["thresholds"] = fitted.thresholds.tolist()
    known |= {
        "finished": folder.now(),
        "wall_s": round(time.perf_counter() - prepared.started, 3),
        "first_step_s": None if np.isnan(result.first_step_s) else round(result.first_step_s, 3),
        "best_epoch": result.best_epoch,
    }
    folder.write_json(out / "facts.json", known)
    report.write(out)
    if progress:
        print(report.summary_table(out))
        print(f"report: {out / 'report.html'}")
    return out


def inputs_of(
    settings: ExperimentConfig,
    catalog: Catalog,
    split: splits.Split,
    model: EmotionModel,
    *,
    cached: bool,
    kept: Kept | None = None,
) -> tuple[EmotionModel, dict[str, Any]]:
    """The part of the model that is trained, its standardisation fitted, and its batches."""
    if not cached:
        loaders = {
            part: inputs.loader_of(catalog, getattr(split, part), settings, train=part == "train")
            for part in PARTS
        }
        once = inputs.loader_of(catalog, split.train, settings, train=False)
        model.standardisation.take(models.fit_normalizer(model, once))
        return model, loaders
    kept = {} if kept is None else kept
    seed = caching.seed_of(settings)
    if seed not in kept:
        kept.clear()  # one set of features at a time
        started = time.perf_counter()
        prepare = inputs.backend_function(settings)
        found = caching.compute(catalog, model, num_samples=settings.num_samples, prepare=prepare)
        kept[seed] = FeatureArray(*found, seconds=time.perf_counter() - started)
    return fitting.cached_inputs(settings, catalog, split, model, kept[seed])


def why_not_cached(settings: ExperimentConfig, catalog: Catalog, model: EmotionModel) -> str:
    """Why features have to be computed in every epoch; "" if once is enough."""
    if settings.cache == "off":
        return "cache is off"
    if settings.augmentation.on_waveforms:
        return "the augmentation alters waveforms"
    if not caching.can_cache(model):
        sequence = model.frontend.frontend if isinstance(model.frontend, Image) else model.frontend
        learnt = ", ".join(sequence.trainable)
        return f"the front-end learns ({learnt})" if learnt else "what computes them is trained"
    durations = catalog.durations_s
    if durations is None or (np.rint(durations * catalog.sr) > settings.num_samples).any():
        return f"clips longer than {settings.clip_s:g} s are cut at random places"
    if settings.task == "dynamic" and not inputs.begin_with_a_step(settings, catalog):
        return "ratings over time do not begin at whole steps"
    silence = np.zeros((1, settings.num_samples), np.float32)
    prepare = inputs.backend_function(settings)
    given = silence if prepare is None else prepare(silence)
    one = jax.eval_shape(caching.fixed_part(model), given, np.zeros(1, np.int32))
    needed = len(catalog) * 4 * one.size
    if needed > CACHE_BYTES:
        return f"they would take {needed / 2**30:.1f} GiB of memory"
    return ""


def write_predictions(path: Path, catalog: Catalog, task: Task, predicted: inputs.Predicted) -> None:
    """The test part clip by clip (rating by rating, where they are over time): what is true, and what the model said."""
    if isinstance(task, SequenceRegression):
        write_arrays(path, sequences.columns(catalog, predicted))
        return
    found, rows, true = predicted
    columns: dict[str, np.ndarray] = {
        "ids": np.array([catalog.ids[row] for row in rows]),
        "groups": np.array([catalog.groups[row] for row in rows]),
    }
    if isinstance(task, Classification):
        columns |= {"labels": true, "probabilities": found, "classes": np.array(catalog.classes)}
    elif isinstance(task, Joint):
        probabilities, numbers = task.parts(found)
        columns |= {
            "labels": catalog.labels[rows],
            "probabilities": probabilities,
            "classes": np.array(catalog.classes),
            "targets": true[:, 1:],
            "predictions": numbers,
            "names": np.array(catalog.target_names),
        }
    else:
        columns |= {"targets": true, "predictions": found, "names": np.array(catalog.target_names)}
    write_arrays(path, columns)

"""Scoring a finished run anew: on its own parts or on other data, by the middle of each clip or by all of its windows."""

from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks, data
from mer_jax.data import splits
from mer_jax.data.catalog import Catalog
from mer_jax.experiment import inputs, sequences, targets, windows
from mer_jax.experiment.restoring import TrainedRun, output_function, restore
from mer_jax.models.precision import Precision
from mer_jax.training.task import SequenceRegression


def evaluate(
    path: str | Path,
    *,
    spec: str | None = None,
    part: str = "test",
    hop_s: float | None = None,
    precision: Precision | None = None,
) -> dict[str, Any]:
    """Score a finished run anew.

    Args:
        path: the run folder.
        spec: score all of this data set instead of a part of the run's own; its classes must be the run's.
        part: "validation" or "test" of the run's own split.
        hop_s: score by windows as long as the run was trained on, one every ``hop_s`` seconds of each clip, rather than by the
            clip's middle.
        precision: to compute in; None is that which the run was trained in.

    Returns:
        The scores (:func:`mer_jax.evaluation.scores.compute`, or those of :mod:`mer_jax.evaluation.target_scores`). With
        ``hop_s`` those of the tracks (a track's outputs are the mean over its windows), and under ``"segments"`` those of the
        windows taken one by one. Ratings over time (:mod:`mer_jax.evaluation.dynamic_scores`) are always scored by windows
        that cover all of them, ``hop_s`` making them overlap; clips without any are left out.

    Raises:
        mer_jax.checks.InputError: the run or the data cannot be used, or the classes (targets, tags) differ.
    """
    checks.one_of("part", part, ("validation", "test"))
    trained = restore(path, precision=precision)
    settings = trained.config
    catalog = _catalog(trained, spec or settings.data)
    rows = np.arange(len(catalog))
    if spec is None:
        split = splits.split_of(
            catalog, settings.split, fold=settings.fold, folds=settings.folds, seed=settings.seed
        )
        rows = getattr(split, part)
    score = targets.score_function(catalog, trained.task, thresholds=trained.thresholds)
    if hop_s is not None:
        checks.positive("hop_s", hop_s)
    if isinstance(trained.task, SequenceRegression):
        predicted = sequences.predict(trained, catalog, targets.rated_rows(catalog, rows), hop_s=hop_s)
        return dict(score(predicted.truth, predicted.outputs))
    if hop_s is None:
        loader = inputs.waveform_loader(catalog, rows, settings, train=False)
        predicted = inputs.predict(trained.model, loader, trained.task)
        return dict(score(predicted.truth, predicted.outputs))
    found, index = windows.outputs_of_tracks(
        output_function(trained),
        catalog,
        rows,
        window=settings.num_samples,
        hop=max(1, round(hop_s * settings.sr)),
    )
    tracks = windows.mean_of_tracks(found, index, rows)
    segments = score(targets.truth(catalog, trained.task, index), found)
    return dict(score(targets.truth(catalog, trained.task, rows), tracks)) | {"segments": dict(segments)}


def _catalog(trained: TrainedRun, where: str) -> Catalog:
    """A data set whose classes (targets, tags) are those of a run, with its ratings on the run's scale."""
    settings = trained.config
    catalog = targets.on_scale(data.load(where, sr=settings.sr), trained.rating_range, settings.task)
    catalog = targets.with_targets(catalog, settings.task, where)
    if isinstance(trained.task, SequenceRegression):
        sequences.check_rate(catalog, trained.task, where)
    names = targets.output_names(catalog, settings.task)
    if names != trained.outputs:
        what = "classes" if settings.task in ("classes", "joint") else "targets"
        raise checks.DataError(
            where,
            f"has the {what} {', '.join(names)}",
            expected=f"those of the run: {', '.join(trained.outputs)}",
        )
    return catalog

"""The scores of a cell, or of a choice of one cell a split, over all splits of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mer_jax.evaluation import measures, statistics, target_bootstrap
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.measures import AnyPredictions
from mer_jax.evaluation.statistics import Mean
from mer_jax.evaluation.study_folder import Cell, CellRun, Split, Study
from mer_jax.evaluation.target_bootstrap import TargetPredictions

_RESAMPLES = 1000


@dataclass(frozen=True)
class Pooled:
    """Scores of a cell, or of a choice of one cell a split, over all splits.

    Attributes:
        predictions: of all test parts, one entry a seed.
        scores: metric -> mean over seeds of the pooled score, None where undefined.
        intervals: metric -> [low, high] of the bootstrap over groups, or None; see ``statistics.bootstrap_intervals`` for what
            they state.
        over_splits: metric -> mean over folds and seeds with its corrected t interval, None for a single split.
        calibrated_ece: of classes: calibration error that a calibrated model would show on so many clips.
        confusion: of classes: (classes, classes) clips, summed over seeds; rows: true class.
        per_target: of numbers and tags: target -> metric -> mean over seeds, None where undefined.
    """

    predictions: tuple[AnyPredictions, ...]
    scores: Mapping[str, float | None]
    intervals: Mapping[str, list[float] | None]
    over_splits: Mapping[str, Mean | None]
    calibrated_ece: float | None = None
    confusion: np.ndarray | None = None
    per_target: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


def pool(study: Study, cells: Mapping[Split, Cell]) -> Pooled:
    """Scores over all splits of one cell in each."""
    known = study.measures
    seeds = [
        measures.join([cells[split].runs[split].predictions for split in study.splits if split.seed == seed])
        for seed in study.seeds
    ]
    found = [known.score(part, study.names) for part in seeds]
    drawn = replicates(study, seeds, tuple(known.table), _RESAMPLES)
    runs = [cells[split].runs[split] for split in study.splits]
    return Pooled(
        predictions=tuple(seeds),
        scores={metric: mean([one[metric] for one in found]) for metric in known.table},
        intervals={
            metric: statistics.percentiles(drawn[metric]) if metric in drawn else None
            for metric in known.table
        },
        over_splits={
            metric: over_splits(runs, [run.scores["test"][metric] for run in runs]) for metric in known.table
        },
        **_of_classes(seeds, found),
        per_target={
            name: {
                metric: mean([one["per_target"][name][metric] for one in found])
                for metric in found[0]["per_target"][name]
            }
            for name in (study.names if "per_target" in found[0] else ())
        },
    )


def target_intervals(study: Study, pooled: Pooled) -> dict[str, list[float] | None]:
    """Interval of the score of each target that a reader looks at first, by bootstrap over groups; None where undefined."""
    parts = [part for part in pooled.predictions if isinstance(part, TargetPredictions)]
    metric = study.measures.headline
    if not parts or _num_groups(parts) < 2:
        return dict.fromkeys(study.names)
    kind: target_bootstrap.Kind = "tags" if study.measures.kind == "tags" else "numbers"
    drawn = target_bootstrap.of_targets(parts, kind, metrics=(metric,), num_resamples=_RESAMPLES)[metric]
    return {
        name: statistics.percentiles(of_target)
        for name, of_target in zip(study.names, drawn.mean(axis=0).T, strict=True)
    }


def replicates(
    study: Study, parts: Sequence[AnyPredictions], metrics: Sequence[str], num_resamples: int
) -> dict[str, np.ndarray]:
    """Scores of resamples; none where there are fewer than two groups to draw from."""
    if _num_groups(parts) < 2:
        return {}
    return study.measures.replicates(parts, metrics, num_resamples)


def _num_groups(parts: Sequence[AnyPredictions]) -> int:
    return len(np.unique(np.concatenate([part.groups for part in parts])))


def _of_classes(seeds: Sequence[AnyPredictions], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of classes alone."""
    parts = [part for part in seeds if isinstance(part, Predictions)]
    if not parts:
        return {}
    return {
        "calibrated_ece": float(np.mean([statistics.calibrated_ece(part.probabilities) for part in parts])),
        "confusion": np.sum([one["confusion"] for one in found], axis=0),
    }


def over_splits(runs: list[CellRun], values: list[float | None]) -> Mean | None:
    """The corrected t interval of a score, or a difference, over splits; None where one is undefined."""
    if any(value is None for value in values):
        return None
    ratio = float(np.mean([len(run.ids) / run.num_train for run in runs]))
    return statistics.mean_interval(np.array(values, dtype=np.float64), test_to_train=ratio)


def mean(values: list[float | None]) -> float | None:
    """The mean; None where a value is, or there is none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined and len(defined) == len(values) else None


def minus(first: float | None, second: float | None) -> float | None:
    """The difference; None where either is."""
    return None if first is None or second is None else first - second

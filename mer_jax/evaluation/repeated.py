"""Several runs of one configuration, folds and seeds, scored together.

Scores are those of the pooled predictions of a seed's folds, averaged over seeds. Two kinds of spread stand beside them: a
bootstrap over groups of the pooled predictions (which songs were tested on), and a t interval over splits that is corrected for
the clips that training parts share (which songs were trained on); see :mod:`.statistics`.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.evaluation import (
    bootstrap,
    dynamic_scores,
    run_folder,
    scores,
    statistics,
    target_bootstrap,
    target_scores,
)
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.run_folder import DynamicRun, Run
from mer_jax.evaluation.target_bootstrap import TargetPredictions

FOLDER = "crossval"
"""Of the splits of a cross-validated run, below its folder."""
FILE_NAME = "crossval.json"
METRICS = {
    "classes": ("accuracy", "macro_f1", "mcc", "auc", "pr_auc", "brier", "ece"),
    "tags": ("auc", "average_precision", "brier"),
    "numbers": ("pearson_r", "r2", "ccc", "rmse"),
    "dynamic": dynamic_scores.METRICS,
}
"""Scores by kind of task. F1 of tags is left to single runs: each has thresholds of its own."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Split:
    """The test part of one run; of ratings over time, each rating is a clip here.

    Attributes:
        fold, seed: which it is.
        ids: (clips,) sorted.
        groups: (clips,).
        truth: (clips,) labels or (clips, targets); of ratings over time also the song of each, in a last column.
        outputs: (clips, outputs) probabilities or numbers.
        test_to_train: clips of the test part over clips of the training part.
    """

    fold: int
    seed: int
    ids: np.ndarray
    groups: np.ndarray
    truth: np.ndarray
    outputs: np.ndarray
    test_to_train: float


@dataclass(frozen=True)
class Repeats:
    """The runs of one configuration.

    Attributes:
        path: where they are.
        kind: a key of :data:`METRICS`.
        names: of classes, tags or targets.
        splits: one a run, by seed and fold.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    splits: tuple[Split, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """In ascending order."""
        return tuple(sorted({split.seed for split in self.splits}))

    def pooled(self) -> list[Split]:
        """The test parts of each seed put together."""
        return [_together([s for s in self.splits if s.seed == seed]) for seed in self.seeds]

    def score(self, truth: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        """All scores of some clips."""
        if self.kind == "classes":
            return scores.compute(truth, outputs, self.names)
        if self.kind == "dynamic":
            return dynamic_scores.compute(truth[:, :-1], outputs, truth[:, -1].astype(np.int64), self.names)
        compute = target_scores.tags if self.kind == "tags" else target_scores.regression
        return compute(truth, outputs, self.names)

    def num_clips(self, part: Split) -> int:
        """Clips of some test part: songs, where ratings are over time."""
        return len(np.unique(part.truth[:, -1])) if self.kind == "dynamic" else len(part.ids)


def read(path: str | Path) -> Repeats:
    """Read a run folder, or what a cross-validation left.

    Raises:
        DataError: it is neither, a file is damaged, or runs do not belong together.
    """
    path = Path(path)
    folder = path / FOLDER if (path / FOLDER / FILE_NAME).is_file() else path
    if (folder / FILE_NAME).is_file():
        listed = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))["runs"]
        return read_runs([folder / name for name in listed], folder)
    return read_runs([path], path)


def read_runs(paths: Sequence[Path], where: Path) -> Repeats:
    """Read some run folders of one configuration; raises as :func:`read`."""
    kinds, names, splits = set(), set(), []
    for path in paths:
        run = run_folder.read(path)
        arrays = run_folder.read_arrays(path / "predictions.npz", required=("ids",))
        if isinstance(run, Run):
            kind, outputs, truth, of_run = "classes", run.probabilities, run.labels, run.classes
        else:
            kind = run.task if run.task in METRICS else "numbers"
            outputs, truth, of_run = run.predictions, run.targets, run.names
            if isinstance(run, DynamicRun):
                truth = np.column_stack([truth, run.clips])
        kinds.add(kind)
        names.add(of_run)
        order = np.argsort(arrays["ids"])
        num_train = sum(run.facts["data"]["counts"]["train"].values())
        num_test = len(np.unique(run.clips)) if isinstance(run, DynamicRun) else len(order)
        splits.append(
            Split(
                run.facts.get("fold", 0),  # a published split has one
                run.facts["seed"],
                arrays["ids"][order],
                run.groups[order],
                truth[order],
                outputs[order],
                num_test / max(1, num_train),
            )
        )
    if len(kinds) != 1 or len(names) != 1:
        raise checks.DataError(
            where, "holds runs of different tasks or classes", expected="one configuration"
        )
    splits.sort(key=lambda split: (split.seed, split.fold))
    return Repeats(where, kinds.pop(), names.pop(), tuple(splits))


def summarise(paths: Sequence[Path], *, folder: Path) -> dict[str, Any]:
    """Scores of all runs together, for ``crossval.json``.

    Args:
        paths: run folders below ``folder``.
        folder: where the file will be.

    Returns:
        ``runs`` (folders), ``scores`` (pooled, mean over seeds), ``intervals`` (bootstrap over groups), ``over_splits`` (mean,
        corrected t interval over folds and seeds), ``splits`` (fold, seed, scores).
    """
    return summary(read_runs(paths, folder), [path.relative_to(folder).as_posix() for path in paths])


def summary(repeats: Repeats, names: Sequence[str]) -> dict[str, Any]:
    """:func:`summarise`, of runs that were read already, called ``names`` in the file."""
    metrics = METRICS[repeats.kind]
    parts = repeats.pooled()
    found = [repeats.score(part.truth, part.outputs) for part in parts]
    each = [repeats.score(split.truth, split.outputs) for split in repeats.splits]
    return {
        "runs": list(names),
        "seeds": list(repeats.seeds),
        "num_clips": repeats.num_clips(parts[0]),
        "num_groups": len(np.unique(parts[0].groups)),
        "scores": {metric: mean([one[metric] for one in found]) for metric in metrics},
        "intervals": _intervals(repeats, parts),
        "over_splits": {
            metric: over_splits(repeats, [one[metric] for one in each])
            for metric in metrics
            if metric != "ece"
        },
        "splits": [
            {"fold": split.fold, "seed": split.seed, "scores": {metric: one[metric] for metric in metrics}}
            for split, one in zip(repeats.splits, each, strict=True)
        ],
    }


def _intervals(repeats: Repeats, parts: list[Split]) -> dict[str, list[float] | None]:
    metrics = METRICS[repeats.kind]
    if len(np.unique(parts[0].groups)) < 2:
        return dict.fromkeys(metrics)
    drawn = replicates(repeats, parts, metrics)
    return {metric: statistics.percentiles(drawn.get(metric, np.zeros(0))) for metric in metrics}


def replicates(repeats: Repeats, parts: list[Split], metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Scores of resamples of groups, the same draws for all that have the same groups; mean over seeds."""
    if repeats.kind == "classes":
        known = [metric for metric in metrics if metric in bootstrap.METRICS]
        of_seeds = [Predictions(part.truth, part.outputs, part.groups) for part in parts]
        return bootstrap.replicates(of_seeds, metrics=known, num_resamples=_RESAMPLES)
    if repeats.kind == "dynamic":
        songs = [
            dynamic_scores.SongPart.of(p.truth[:, :-1], p.outputs, p.truth[:, -1], p.groups) for p in parts
        ]
        return dynamic_scores.replicates(songs, num_resamples=_RESAMPLES)
    answers = [TargetPredictions(part.truth, part.outputs, part.groups) for part in parts]
    kind: target_bootstrap.Kind = "tags" if repeats.kind == "tags" else "numbers"
    return target_bootstrap.replicates(answers, kind, metrics=metrics, num_resamples=_RESAMPLES)


def over_splits(repeats: Repeats, values: Sequence[float | None]) -> dict[str, Any] | None:
    """The corrected t interval of a score, or a difference, over folds and seeds; None where it cannot be told."""
    if any(value is None for value in values):
        return None
    ratio = float(np.mean([split.test_to_train for split in repeats.splits]))
    found = statistics.mean_interval(np.array(values, np.float64), test_to_train=ratio)
    return None if found is None else dataclasses.asdict(found)


def _together(splits: Sequence[Split]) -> Split:
    joined: Callable[[str], np.ndarray] = lambda name: np.concatenate([getattr(s, name) for s in splits])  # noqa: E731
    ids = joined("ids")
    if len(np.unique(ids)) != len(ids):
        raise checks.DataError("folds", "share clips", expected="each clip in one test part of a seed")
    order = np.argsort(ids)
    columns = {name: joined(name)[order] for name in ("ids", "groups", "truth", "outputs")}
    return Split(-1, splits[0].seed, **columns, test_to_train=splits[0].test_to_train)


def mean(values: Sequence[float | None]) -> float | None:
    """The mean; None where a value is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) and known else None

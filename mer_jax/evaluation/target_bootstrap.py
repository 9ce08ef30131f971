"""Bootstrap over groups of the scores of numbers and tags; see :mod:`mer_jax.evaluation.bootstrap` for what a resample is.

All scores but the areas under curves are functions of sums over groups, so that a resample costs a matrix product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float
from mer_jax.evaluation import scores
from mer_jax.evaluation.bootstrap import RankedClips, group_weights, ratio

Kind = Literal["numbers", "tags"]

#: By kind: score -> what it is called for one target (:mod:`mer_jax.evaluation.target_scores`).
METRICS: Mapping[str, Mapping[str, str]] = {
    "numbers": {"pearson_r": "pearson_r", "r2": "r2", "ccc": "ccc", "rmse": "rmse"},
    "tags": {
        "auc": "auc",
        "average_precision": "average_precision",
        "macro_f1": "f1",
        "brier": "brier",
    },
}

# A variance below this share of the mean square is rounding: sums of equal values leave a little behind.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class TargetPredictions:
    """What a model said about numbers or tags of clips that it was not trained on.

    Attributes:
        targets: (clips, targets) true values.
        predictions: (clips, targets) numbers, or probabilities of tags.
        groups: (clips,) song, artist or whatever must not be cut in two; strings or integers.
        thresholds: (clips, targets) above which a clip gets a tag: those of the split that the clip was tested in. None is one
            half for all.
    """

    targets: np.ndarray
    predictions: np.ndarray
    groups: np.ndarray
    thresholds: np.ndarray | None = None

    @property
    def truth(self) -> np.ndarray:
        """What is true of each clip, under the name that other kinds of predictions have for it, too."""
        return self.targets


def replicates(
    parts: Sequence[TargetPredictions],
    kind: Kind,
    *,
    metrics: Sequence[str],
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, " resamples"]]:
    """The scores of each resample, means over targets and over ``parts`` (seeds).

    Two models with the same clips and groups are resampled alike by the same ``seed``.

    Args:
        parts: predictions, one entry a seed; a drawn group brings its clips in all of them.
        kind: what is predicted.
        metrics: names among :data:`METRICS` of that kind.
        num_resamples: number of resamples.
        seed: of the draws.

    Returns:
        Metric -> (num_resamples,); NaN where the score of a resample is undefined.
    """
    found = of_targets(parts, kind, metrics=metrics, num_resamples=num_resamples, seed=seed)
    return {
        metric: np.mean([scores.mean_of_defined(of_part) for of_part in of_parts], axis=0)
        for metric, of_parts in found.items()
    }


def of_targets(
    parts: Sequence[TargetPredictions],
    kind: Kind,
    *,
    metrics: Sequence[str],
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, "parts resamples targets"]]:
    """The scores of each target in each resample and part; arguments as of :func:`replicates`."""
    checks.positive_int("num_resamples", num_resamples)
    for metric in metrics:
        checks.one_of("metrics", metric, METRICS[kind])
    names = np.unique(np.concatenate([part.groups for part in parts]))
    sums: list[_NumberSums | _TagSums] = [
        _NumberSums(part, names) if kind == "numbers" else _TagSums(part, names) for part in parts
    ]
    widest = max(len(part.targets) for part in parts)
    found: dict[str, list[list[np.ndarray]]] = {metric: [] for metric in metrics}
    for weights in group_weights(len(names), widest, num_resamples=num_resamples, seed=seed):
        of_parts = [part.scores(weights, metrics) for part in sums]
        for metric in metrics:
            found[metric].append([part[metric] for part in of_parts])
    return {
        metric: np.concatenate([np.stack(of_parts) for of_parts in values], axis=1)
        for metric, values in found.items()
    }


def _group_sums(values: np.ndarray, group_of_clip: np.ndarray, num_groups: int) -> np.ndarray:
    """(clips, ...) -> (groups, ...)."""
    out = np.zeros((num_groups, *values.shape[1:]))
    np.add.at(out, group_of_clip, values)
    return out


class _NumberSums:
    """Sums over the clips of each group, from which the scores of any resample follow."""

    def __init__(self, part: TargetPredictions, names: np.ndarray) -> None:
        # Close to their means, so that a variance is not the small difference of two large numbers.
        middle = part.targets.astype(np.float64).mean(axis=0)
        y, p = part.targets - middle, part.predictions - middle
        columns = np.stack([np.ones_like(y), y, p, y**2, p**2, y * p, (y - p) ** 2], axis=1)
        group_of_clip = np.searchsorted(names, part.groups)
        self._num_targets = y.shape[1]
        self._sums = _group_sums(columns.reshape(len(y), -1), group_of_clip, len(names))

    def scores(self, weights: np.ndarray, metrics: Sequence[str]) -> dict[str, np.ndarray]:
        """Metric -> (resamples, targets) for (resamples, groups) weights."""
        total = (weights @ self._sums).reshape(len(weights), 7, self._num_targets)
        means = ratio(total, np.broadcast_to(total[:, :1], total.shape))
        _, y, p, yy, pp, yp, error = np.moveaxis(means, 1, 0)
        var_y, var_p, covariance = _variance(yy, y), _variance(pp, p), yp - y * p
        compute = {
            "pearson_r": lambda: ratio(covariance, np.sqrt(var_y * var_p)),
            "r2": lambda: 1 - ratio(error, var_y),
            "ccc": lambda: ratio(2 * covariance, var_y + var_p + (y - p) ** 2),
            "rmse": lambda: np.sqrt(error),
        }
        return {metric: compute[metric]() for metric in metrics}


def _variance(mean_square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    value = mean_square - mean**2
    return np.where(value > _ROUNDING * mean_square, value, 0.0)


class _TagSums:
    """Sums over the clips of each group, and each tag's clips in the order of their probabilities."""

    def __init__(self, part: TargetPredictions, names: np.ndarray) -> None:
        y, p = part.targets == 1, part.predictions.astype(np.float64)
        guess = p > (0.5 if part.thresholds is None else part.thresholds)
        columns = np.stack(
            [np.ones_like(p), (p - y) ** 2, guess & y, guess.astype(float) + y], axis=1, dtype=np.float64
        )
        self._group_of_clip = np.searchsorted(names, part.groups)
        self._num_tags = y.shape[1]
        self._sums = _group_sums(columns.reshape(len(y), -1), self._group_of_clip, len(names))
        self._ranked = [RankedClips(p[:, k], y[:, k]) for k in range(self._num_tags)]

    def scores(self, weights: np.ndarray, metrics: Sequence[str]) -> dict[str, np.ndarray]:
        """Metric -> (resamples, tags) for (resamples, groups) weights."""
        clips, error, hits, guessed_and_true = np.moveaxis(
            (weights @ self._sums).reshape(len(weights), 4, self._num_tags), 1, 0
        )
        found = {"macro_f1": ratio(2 * hits, guessed_and_true), "brier": ratio(error, clips)}
        if "auc" in metrics or "average_precision" in metrics:
            of_clips = weights.T[self._group_of_clip]
            areas = [ranked.areas(of_clips) for ranked in self._ranked]
            found["auc"], found["average_precision"] = (
                np.stack(one, axis=1) for one in zip(*areas, strict=True)
            )
        return {metric: found[metric] for metric in metrics}

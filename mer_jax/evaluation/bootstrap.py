"""Bootstrap over groups: what a model's scores would be had other songs of the same kind been in the test part.

Clips of one song are alike, so drawing clips would make every interval too narrow: a resample draws as many groups as there
are, with replacement, and takes every clip of a drawn group (Efron & Tibshirani 1993, chapters 8 and 13; Field & Welsh 2007).
All scores but the AUC are functions of sums over groups, so that a resample costs a matrix product and not a pass over clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Bool, Float, Int
from mer_jax.evaluation import scores

#: The calibration error is not among them: it is a mean of absolute values, which resampling pushes away from zero, so that the
#: interval of a calibrated model would lie above the truth (simulated: none of 200 covered it).
METRICS = ("accuracy", "macro_f1", "mcc", "auc", "brier")

# A resample is a weight for each clip: about 16 MiB of them at a time.
_WEIGHTS_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class Predictions:
    """What a model said about clips that it was not trained on.

    Attributes:
        labels: (clips,) index of the true class.
        probabilities: (clips, classes), rows summing to 1.
        groups: (clips,) song, artist or whatever must not be cut in two; strings or integers.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    groups: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """What is true of each clip, under the name that other kinds of predictions have for it, too."""
        return self.labels


def replicates(
    parts: Sequence[Predictions],
    *,
    metrics: Sequence[str] = METRICS,
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, " resamples"]]:
    """The scores of each resample, each the mean over ``parts``.

    Several parts are predictions of several seeds: a drawn group brings its clips in all of them. Two models with the same
    clips and groups are resampled alike by the same ``seed``, so that the difference of their replicates is a paired one.

    Args:
        parts: predictions, one entry a seed.
        metrics: names among :data:`METRICS`.
        num_resamples: number of resamples.
        seed: of the draws; the same seed gives the same replicates.

    Returns:
        Metric -> (num_resamples,); NaN where the score of a resample is undefined.

    Raises:
        DataError: labels, probabilities and groups that do not fit together.
    """
    checks.positive_int("num_resamples", num_resamples)
    for metric in metrics:
        checks.one_of("metrics", metric, METRICS)
    for part in parts:
        check(part)
    names = np.unique(np.concatenate([part.groups for part in parts]))
    sums = [_GroupSums(part, names) for part in parts]
    widest = max(len(part.labels) for part in parts)
    found: dict[str, list[np.ndarray]] = {metric: [] for metric in metrics}
    for weights in group_weights(len(names), widest, num_resamples=num_resamples, seed=seed):
        of_parts = [part.scores(weights, metrics) for part in sums]
        for metric in metrics:
            found[metric].append(np.mean([part[metric] for part in of_parts], axis=0))
    return {metric: np.concatenate(values) for metric, values in found.items()}


def group_weights(
    num_groups: int, num_clips: int, *, num_resamples: int, seed: int
) -> Iterator[Float[np.ndarray, "resamples groups"]]:
    """How often each group was drawn in each resample, as many resamples at a time as memory should hold.

    Args:
        num_groups: number of groups, of which each resample draws as many.
        num_clips: number of clips, the size of what is computed from the weights.
        num_resamples: number of resamples in all.
        seed: of the draws; the same seed gives the same weights.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, _WEIGHTS_AT_A_TIME // max(num_groups, num_clips))
    for start in range(0, num_resamples, chunk):
        yield _draw(rng, min(chunk, num_resamples - start), num_groups)


def resamples(
    groups: Sequence[np.ndarray], *, num_resamples: int = 1000, seed: int = 0
) -> Iterator[list[Int[np.ndarray, "_"]]]:
    """The clips of each resample, for scores that are no sums over groups.

    Args:
        groups: (clips,) groups of each part; a drawn group brings its clips in all of them.
        num_resamples: number of resamples.
        seed: of the draws; parts with the same groups are resampled alike.

    Yields:
        The rows of each part, as often as they were drawn.
    """
    names = np.unique(np.concatenate(groups))
    rows = [[np.flatnonzero(of_part == name) for name in names] for of_part in groups]
    rng = np.random.default_rng(seed)
    for _ in range(num_resamples):
        drawn = rng.integers(0, len(names), len(names))
        yield [np.concatenate([of_group[k] for k in drawn]) for of_group in rows]


def point(parts: Sequence[Predictions], *, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """The scores themselves, each the mean over ``parts``; NaN where undefined. Equal to those of ``scores.compute``."""
    found = []
    for part in parts:
        names = np.unique(part.groups)
        found.append(_GroupSums(part, names).scores(np.ones((1, len(names))), metrics))
    return {metric: float(np.mean([part[metric][0] for part in found])) for metric in metrics}


def check(part: Predictions) -> None:
    """Raise :class:`DataError` unless labels, probabilities and groups fit together."""
    where, num_classes = "predictions", part.probabilities.shape[-1]
    scores.check(where, part.labels, part.probabilities, [str(k) for k in range(num_classes)])
    if part.groups.shape != part.labels.shape:
        raise checks.DataError(where, f"has {len(part.groups)} groups for {len(part.labels)} labels")


class _GroupSums:
    """Sums over the clips of each group, from which the scores of any resample follow."""

    def __init__(self, part: Predictions, names: np.ndarray) -> None:
        self._labels, self._probabilities = part.labels, part.probabilities
        self._num_classes = part.probabilities.shape[1]
        self._group_of_clip = np.searchsorted(names, part.groups)
        exact = part.probabilities.astype(np.float64)
        one_hot = np.eye(self._num_classes)[part.labels]
        squared_error = np.sum((exact - one_hot) ** 2, axis=1)
        # (groups, classes * classes), so that a weighted sum of rows is the confusion matrix of a resample.
        self._confusion = np.zeros((len(names), self._num_classes**2))
        np.add.at(
            self._confusion,
            (self._group_of_clip, part.labels * self._num_classes + exact.argmax(axis=1)),
            1.0,
        )
        self._squared_error = np.bincount(self._group_of_clip, weights=squared_error, minlength=len(names))

    def scores(self, weights: np.ndarray, metrics: Sequence[str]) -> dict[str, np.ndarray]:
        """Metric -> (resamples,) for (resamples, groups) weights."""
        confusion = (weights @ self._confusion).reshape(-1, self._num_classes, self._num_classes)
        clips = confusion.sum(axis=(1, 2))
        compute = {
            "accuracy": lambda: ratio(np.trace(confusion, axis1=1, axis2=2), clips),
            "macro_f1": lambda: _macro_f1(confusion),
            "mcc": lambda: _mcc(confusion),
            "auc": lambda: self._auc(weights),
            "brier": lambda: ratio(weights @ self._squared_error, clips),
        }
        return {metric: compute[metric]() for metric in metrics}

    def _auc(self, weights: np.ndarray) -> np.ndarray:
        """Area under the ROC curve of each class against the rest, mean over classes."""
        of_clips = weights.T[self._group_of_clip]
        out = np.full((len(weights), self._num_classes), np.nan)
        for k in range(self._num_classes):
            ranked = RankedClips(self._probabilities[:, k], self._labels == k)
            out[:, k], _ = ranked.areas(of_clips)
        return scores.mean_of_defined(out)


class RankedClips:
    """Areas under the curves of a score that should be high for some clips, for any weighting of the clips.

    Args:
        score: (clips,); clips of one score share a step of the curve.
        positive: (clips,) whether it should be high.
    """

    def __init__(self, score: Float[np.ndarray, " clips"], positive: Bool[np.ndarray, " clips"]) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered, positive = score[self._order], positive[self._order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        ends = np.append(starts[1:], len(ordered))
        before = np.append(0, np.cumsum(positive))  # positive clips among the first k
        # The other steps add nothing to either area.
        steps = before[ends] > before[starts]
        self._positive = np.flatnonzero(positive)
        self._start, self._end = starts[steps], ends[steps]
        self._positive_start, self._positive_end = before[self._start], before[self._end]

    def areas(
        self, weights: Float[np.ndarray, "clips resamples"]
    ) -> tuple[Float[np.ndarray, " resamples"], Float[np.ndarray, " resamples"]]:
        """Area under the ROC curve, P(score+ > score-) + P(score+ = score-) / 2, and average precision, the sum over steps
        from the highest score down of precision times gain in recall; NaN where a kind of clip is missing.
        """
        ordered = weights[self._order]
        clips, right = _sums_of_first(ordered), _sums_of_first(ordered[self._positive])
        positive = right[self._positive_end] - right[self._positive_start]
        negative = clips[self._end] - clips[self._start] - positive
        below = clips[self._start] - right[self._positive_start]
        total = right[-1]
        wins = np.sum(positive * (below + 0.5 * negative), axis=0)
        hits, answers = total - right[self._positive_start], clips[-1] - clips[self._start]
        precision = np.divide(hits, answers, out=np.zeros_like(hits), where=answers > 0)
        both = np.where(clips[-1] > total, total, 0.0)
        return ratio(wins, total * (clips[-1] - total)), ratio(np.sum(precision * positive, axis=0), both)


def _sums_of_first(values: np.ndarray) -> np.ndarray:
    """(n, resamples) -> (n + 1, resamples): sums of the first 0 to n rows."""
    out = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=out[1:])
    return out


def _macro_f1(confusion: np.ndarray) -> np.ndarray:
    """(resamples, classes, classes) -> mean of 2 TP / (2 TP + FP + FN) over classes that occur or are predicted."""
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return scores.mean_of_defined(ratio(2 * right, confusion.sum(axis=1) + confusion.sum(axis=2)))


def _mcc(confusion: np.ndarray) -> np.ndarray:
    """Gorodkin 2004, equation 8; 0 for constant labels or predictions, NaN without a clip."""
    true, predicted, clips = confusion.sum(axis=2), confusion.sum(axis=1), confusion.sum(axis=(1, 2))
    covariance = np.trace(confusion, axis1=1, axis2=2) * clips - np.sum(true * predicted, axis=1)
    spread = (clips**2 - np.sum(true**2, axis=1)) * (clips**2 - np.sum(predicted**2, axis=1))
    value = np.divide(covariance, np.sqrt(spread), out=np.zeros(len(clips)), where=spread > 0)
    return np.where(clips > 0, value, np.nan)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient; NaN where the divisor is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _draw(rng: np.random.Generator, num_resamples: int, num_groups: int) -> np.ndarray:
    """(num_resamples, num_groups) how often each group was drawn."""
    drawn = rng.integers(0, num_groups, size=(num_resamples, num_groups))
    drawn += np.arange(num_resamples)[:, None] * num_groups
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_groups)
    return counts.reshape(num_resamples, num_groups).astype(np.float64)

"""Scores of ratings over time: over all ratings at once, and song by song.

Both are common, and they answer different questions. *Pooled* scores (``rmse``, ``pearson_r``, ``r2``, ``ccc``) take the
ratings of all songs as one series: most of their variance is between songs, so a model that knows each song's mean and nothing
of its course can do well. *Song* scores (``song_rmse``, ``song_pearson_r``, ``song_ccc``) are taken within each song and then
averaged over songs, each counting alike, as in MediaEval's Emotion in Music task (Aljanaki, Yang & Soleymani, PLoS ONE 12(3),
2017): they ask for the course.

Definitions where a score would divide 0 by 0: a song whose true ratings are constant, or that has one rating, has no course to
follow, so its correlation and concordance are undefined and left out of the mean (its RMSE counts). A song whose *prediction*
is constant has correlation and concordance 0, so that a model gains nothing by saying nothing. A pooled correlation with a
constant is undefined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float, Int
from mer_jax.evaluation import bootstrap

POOLED = ("rmse", "pearson_r", "r2", "ccc")
OF_SONGS = ("song_rmse", "song_pearson_r", "song_ccc")
METRICS = (*POOLED, *OF_SONGS)
# Of float32 ratings: a spread below this share of their size is rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class RatedSteps:
    """Ratings and predictions, one row a rating, sorted by clip and time.

    Attributes:
        clips: (ratings,) row of the clip in its catalog.
        numbers: (ratings,) which rating of the clip, from 0.
        true: (ratings, k).
        predicted: (ratings, k).
    """

    clips: Int[np.ndarray, " ratings"]
    numbers: Int[np.ndarray, " ratings"]
    true: Float[np.ndarray, "ratings k"]
    predicted: Float[np.ndarray, "ratings k"]


def collect(
    truth: Float[np.ndarray, "windows steps columns"], outputs: Float[np.ndarray, "windows steps k"]
) -> RatedSteps:
    """Every rating once, from windows that may overlap: its prediction is the mean over the windows that it lies in.

    Args:
        truth: what :meth:`mer_jax.training.sequence_task.SequenceRegression.truth` gives.
        outputs: predictions for the same steps.

    Raises:
        mer_jax.checks.DataError: there is no rating.
    """
    k = outputs.shape[-1]
    rated = truth[:, :, k + 1] >= 0
    if not rated.any():
        raise checks.DataError("predictions", "hold no rating", expected="at least one")
    flat, found = truth[rated], outputs[rated].astype(np.float64)
    places, first, inverse = np.unique(
        flat[:, k:].astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse)
    predicted = np.stack([np.bincount(inverse, weights=found[:, j]) / counts for j in range(k)], axis=1)
    return RatedSteps(places[:, 0], places[:, 1], flat[first, :k], predicted)


@dataclass(frozen=True)
class SongMoments:
    """Count, means and squared deviations of each song's ratings and predictions, from which every score follows.

    Attributes:
        count: (songs,) ratings of each.
        mean: (songs, 2, k) of the truth and of the prediction.
        squares: (songs, 2, k) sums of squared deviations from these means.
        products: (songs, k) sums of products of both deviations.
        constant: (songs, 2, k) whether all values are alike.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    constant: np.ndarray

    @classmethod
    def of(cls, true: np.ndarray, predicted: np.ndarray, clips: np.ndarray) -> "SongMoments":
        """Measure the songs, in ascending order of ``clips``.

        Raises:
            mer_jax.checks.DataError: no rating, shapes that do not fit, or a value that is not finite.
        """
        if true.shape != predicted.shape or true.ndim != 2 or clips.shape != true.shape[:1]:
            raise checks.DataError(
                "predictions",
                f"have shape {predicted.shape} for ratings of shape {true.shape} of {clips.shape} songs",
                expected="(ratings, 2) for both, and a song each",
            )
        if not len(true):
            raise checks.DataError("predictions", "hold no rating", expected="at least one")
        if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
            raise checks.DataError(
                "predictions", "hold a value that is not finite", expected="finite numbers"
            )
        order = np.argsort(clips, kind="stable")
        both = np.stack([true, predicted], axis=1).astype(np.float64)[order]
        starts = np.flatnonzero(np.r_[True, np.diff(clips[order]) != 0])
        count = np.diff(np.r_[starts, len(clips)])
        mean = np.add.reduceat(both, starts) / count[:, None, None]
        deviation = both - np.repeat(mean, count, axis=0)
        largest = np.maximum.reduceat(np.abs(deviation), starts)
        return cls(
            count,
            mean,
            np.add.reduceat(deviation**2, starts),
            np.add.reduceat(deviation[:, 0] * deviation[:, 1], starts),
            largest <= _CONSTANT * np.maximum(1, np.abs(mean)),
        )

    def scores(self, rows: np.ndarray | None = None) -> dict[str, Float[np.ndarray, " k"]]:
        """Each of :data:`METRICS`, one value for each number; NaN where undefined.

        Args:
            rows: songs to take, as often as they are named; None is each once.
        """
        take = np.arange(len(self.count)) if rows is None else rows
        return self._pooled(take) | self._songs(take)

    def _pooled(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Over all ratings at once; sums are merged as by Chan, Golub & LeVeque (1983)."""
        n, mean = self.count[rows][:, None, None], self.mean[rows]
        total = n.sum()
        whole = (n * mean).sum(axis=0) / total
        between = mean - whole
        variance = (self.squares[rows] + n * between**2).sum(axis=0) / total
        shared = self.products[rows] + n[:, 0] * between[:, 0] * between[:, 1]
        covariance = shared.sum(axis=0) / total
        difference = whole[1] - whole[0]
        mse = np.maximum(variance[0] + variance[1] - 2 * covariance + difference**2, 0)
        tiny = _CONSTANT * np.maximum(1, np.abs(whole))
        varies = variance > tiny**2
        # Two constants: no concordance if they differ, and no telling if they are the same.
        constants = np.where(np.abs(difference) > tiny[0], 0.0, np.nan)
        concordance = _divide(2 * covariance, variance.sum(axis=0) + difference**2, varies.any(axis=0))
        return {
            "rmse": np.sqrt(mse),
            "pearson_r": _divide(covariance, np.sqrt(variance[0] * variance[1]), varies.all(axis=0)),
            "r2": 1 - _divide(mse, variance[0], varies[0]),
            "ccc": np.where(varies.any(axis=0), concordance, constants),
        }

    def _songs(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The mean over songs."""
        count, mean = self.count[rows][:, None], self.mean[rows]
        variance = self.squares[rows] / count[:, :, None]
        covariance = self.products[rows] / count
        difference = mean[:, 1] - mean[:, 0]
        mse = np.maximum(variance[:, 0] + variance[:, 1] - 2 * covariance + difference**2, 0)
        course = ~self.constant[rows][:, 0] & (count > 1)
        says = ~self.constant[rows][:, 1]
        r = np.where(says, _divide(covariance, np.sqrt(variance[:, 0] * variance[:, 1]), course & says), 0.0)
        ccc = np.where(says, _divide(2 * covariance, variance.sum(axis=1) + difference**2, course), 0.0)
        return {
            "song_rmse": np.sqrt(mse).mean(axis=0),
            "song_pearson_r": _mean_where(r, course),
            "song_ccc": _mean_where(ccc, course),
        }


def compute(
    true: Float[np.ndarray, "ratings k"],
    predicted: Float[np.ndarray, "ratings k"],
    clips: Int[np.ndarray, " ratings"],
    names: Sequence[str],
    *,
    std: Sequence[float] | None = None,
    loss: Literal["mse", "ccc"] = "mse",
) -> dict[str, Any]:
    """Scores of predicted ratings over time.

    Args:
        true: (ratings, k) on the listeners' scale.
        predicted: (ratings, k).
        clips: (ratings,) which song each rating is of.
        names: of the numbers.
        std: spread of each over the training part, for ``loss``; None is 1.
        loss: what training minimises: mean squared error in units of ``std``, or 1 - pooled ccc.

    Returns:
        Each of :data:`METRICS`, the mean over the numbers for which it is defined (None if there is none); ``per_target``
        (name -> the same), ``loss``, ``num_clips`` (songs), ``num_ratings``.

    Raises:
        mer_jax.checks.DataError: no rating, shapes that do not fit, or a value that is not finite.

    >>> y = np.array([[0.0], [1.0], [2.0], [5.0]])
    >>> found = compute(y, y + 1, np.array([0, 0, 0, 1]), ["valence"])
    >>> found["rmse"], found["song_pearson_r"], round(found["song_ccc"], 3), found["num_clips"]
    (1.0, 1.0, 0.571, 2)
    """
    moments = SongMoments.of(true, predicted, clips)
    found = moments.scores()
    scale = np.ones(len(names)) if std is None else np.asarray(std, np.float64)
    ccc = _mean(found["ccc"])
    least = float((found["rmse"] ** 2 / scale**2).mean()) if loss == "mse" else 1 - (ccc or 0.0)
    return {
        **{metric: _mean(values) for metric, values in found.items()},
        "loss": least,
        "per_target": {
            name: {metric: _plain(values[k]) for metric, values in found.items()}
            for k, name in enumerate(names)
        },
        "num_clips": len(moments.count),
        "num_ratings": int(moments.count.sum()),
    }


def of_windows(
    truth: Float[np.ndarray, "windows steps columns"],
    outputs: Float[np.ndarray, "windows steps k"],
    names: Sequence[str],
    *,
    std: Sequence[float] | None = None,
    loss: Literal["mse", "ccc"] = "mse",
) -> dict[str, Any]:
    """:func:`compute` of windows (:func:`collect`)."""
    steps = collect(truth, outputs)
    return compute(steps.true, steps.predicted, steps.clips, names, std=std, loss=loss)


@dataclass(frozen=True)
class SongPart:
    """Songs of a part with their groups, ready to be resampled.

    Attributes:
        moments: of the songs.
        groups: (songs,) what is drawn.
    """

    moments: SongMoments
    groups: np.ndarray

    @classmethod
    def of(cls, true: np.ndarray, predicted: np.ndarray, clips: np.ndarray, groups: np.ndarray) -> "SongPart":
        """From ratings, each with its song and that song's group."""
        _, first = np.unique(clips, return_index=True)
        return cls(SongMoments.of(true, predicted, clips), groups[first])


def replicates(
    parts: Sequence[SongPart], *, num_resamples: int = 1000, seed: int = 0
) -> dict[str, Float[np.ndarray, " resamples"]]:
    """Each of :data:`METRICS` in resamples of groups, mean over numbers and over parts (seeds); NaN where undefined.

    A song that is drawn twice counts twice, in the pooled ratings and in the mean over songs.
    """
    found: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for one in _resampled(parts, num_resamples, seed):
        for metric in METRICS:
            values = [np.nan if (value := _mean(scores[metric])) is None else value for scores in one]
            found[metric].append(float(np.mean(values)))
    return {metric: np.array(values) for metric, values in found.items()}


def _resampled(
    parts: Sequence[SongPart], num_resamples: int, seed: int
) -> Iterator[list[dict[str, np.ndarray]]]:
    groups = [part.groups for part in parts]
    for rows in bootstrap.resamples(groups, num_resamples=num_resamples, seed=seed):
        yield [part.moments.scores(chosen) for part, chosen in zip(parts, rows, strict=True)]


def _divide(a: np.ndarray, b: np.ndarray, where: Any) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=where & (b > 0))


def _mean_where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean of each column over the rows where it is defined; NaN where there is none."""
    return _divide(np.where(where, values, 0).sum(axis=0), where.sum(axis=0), np.any(where, axis=0))


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

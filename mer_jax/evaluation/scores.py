"""Scores of a classifier from its probabilities, and their bootstrap intervals.

Conventions: ``labels`` are indices into ``classes``; ``probabilities`` are (clips, classes), rows summing to 1;
the prediction is the class of the largest probability (the first of several). A score that divides 0 by 0 is
undefined and is returned as ``None`` (``null`` in JSON), never as a number; a macro average is over the classes
for which the score is defined.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from mer_jax import checks
from mer_jax._shapes import Float, Int, Shaped

NUM_BINS = 15

# Probabilities are float32: a confident mistake can be stored as exactly 0, whose logarithm is not finite.
_SMALLEST = float(np.finfo(np.float32).tiny)


def compute(
    labels: Int[np.ndarray, " clips"],
    probabilities: Float[np.ndarray, "clips classes"],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Scores of one part (validation or test) of a data set.

    ========== ================================================================== ==============================
    accuracy   share of clips predicted right                                     0..1
    macro_f1   mean over classes of 2 TP / (2 TP + FP + FN)                       0..1; classes that occur in the
                                                                                  labels or the predictions
    mcc        Matthews correlation, several classes (Gorodkin 2004)              -1..1; 0 for constant predictions
    auc        area under the ROC curve, one class against the rest, mean         0..1; classes with both kinds of
                                                                                  clip; None where there is none
    brier      mean over clips of sum over classes (p - onehot)^2 (Brier 1950)    0..2
    ece        sum over 15 equal-width bins of n_b/n |accuracy_b - confidence_b|  0..1 (Guo et al. 2017)
    loss       mean of -ln p(label)                                               nats, 0..87
    ========== ================================================================== ==============================

    Args:
        labels: (clips,) index of the true class.
        probabilities: (clips, classes), each row summing to 1.
        classes: names, in the order of the columns.

    Returns:
        The scores above, ``num_clips``, ``per_class`` (name -> precision, recall, f1, support) and ``confusion``
        (rows: true class, columns: predicted class), all plain Python numbers, lists and None.

    Raises:
        DataError: no clip, shapes that do not fit, a label outside the classes, rows that are not probabilities.

    >>> out = compute(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), ["calm", "tense"])
    >>> out["confusion"], round(out["brier"], 4), out["auc"]
    ([[1, 0], [1, 1]], 0.2733, 1.0)
    """
    check("predictions", labels, probabilities, classes)
    probabilities = probabilities.astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    index = np.arange(len(classes))
    confusion = metrics.confusion_matrix(labels, predicted, labels=index)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=index, zero_division=np.nan
    )
    true_probability = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "macro_f1": _number(_mean_of_defined(f1)),
        "mcc": _mcc(labels, predicted),
        "auc": _number(_mean_of_defined(_auc_of_each_class(labels, probabilities))),
        "brier": float(np.mean(np.sum((probabilities - np.eye(len(classes))[labels]) ** 2, axis=1))),
        "ece": expected_calibration_error(labels, probabilities),
        "loss": float(-np.mean(np.log(np.maximum(true_probability, _SMALLEST)))),
        "num_clips": len(labels),
        "per_class": {
            name: {
                "precision": _number(precision[k]),
                "recall": _number(recall[k]),
                "f1": _number(f1[k]),
                "support": int(support[k]),
            }
            for k, name in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }


def reliability(
    labels: Int[np.ndarray, " clips"],
    probabilities: Float[np.ndarray, "clips classes"],
    *,
    num_bins: int = NUM_BINS,
) -> dict[str, np.ndarray]:
    """Confidence (largest probability) against accuracy in bins (b/B, (b+1)/B] of equal width.

    Args:
        labels: (clips,) index of the true class.
        probabilities: (clips, classes).
        num_bins: number of bins B over 0..1.

    Returns:
        ``count`` (num_bins,) clips in each bin; ``confidence`` and ``accuracy`` (num_bins,) their means, NaN in an empty bin.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    checks.positive_int("num_bins", num_bins)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    filled = count > 0
    total = {"confidence": confidence, "accuracy": right}
    means = {
        name: np.divide(
            np.bincount(bins, weights=values, minlength=num_bins),
            count,
            out=np.full(num_bins, np.nan),
            where=filled,
        )
        for name, values in total.items()
    }
    return {"count": count, **means}


def expected_calibration_error(
    labels: Int[np.ndarray, " clips"],
    probabilities: Float[np.ndarray, "clips classes"],
    *,
    num_bins: int = NUM_BINS,
) -> float:
    """Mean distance between confidence and accuracy, weighted by the clips in each bin of :func:`reliability`."""
    bins = reliability(labels, probabilities, num_bins=num_bins)
    gap = np.abs(bins["accuracy"] - bins["confidence"])
    return float(np.nansum(gap * bins["count"]) / bins["count"].sum())


def bootstrap_intervals(
    labels: Int[np.ndarray, " clips"],
    probabilities: Float[np.ndarray, "clips classes"],
    groups: Shaped[np.ndarray, " clips"],
    *,
    num_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Percentile bootstrap intervals of accuracy, macro F1 and AUC, resampling groups and not clips.

    Clips of one song are alike, so drawing clips would make the interval too narrow: each resample draws as many groups as
    there are, with replacement, and takes every clip of a drawn group (Efron & Tibshirani 1993, chapters 8 and 13).
    It states the spread over songs for this trained model, not the spread over training runs.

    Args:
        labels: (clips,) index of the true class.
        probabilities: (clips, classes).
        groups: (clips,) song, artist or whatever must not be cut in two; strings or integers.
        num_resamples: number of resamples.
        level: share of the resamples that lie inside the interval.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        ``accuracy``, ``macro_f1``, ``auc``: [low, high], or None where there are fewer than two groups or the score is
        undefined in every resample; ``level``, ``num_resamples``, ``num_groups``.
    """
    check("predictions", labels, probabilities, [str(k) for k in range(probabilities.shape[1])])
    checks.positive_int("num_resamples", num_resamples)
    checks.in_range("level", level, 0.0, 1.0)
    names, group_of_clip = np.unique(groups, return_inverse=True)
    num_groups = len(names)
    facts = {"level": level, "num_resamples": num_resamples, "num_groups": num_groups}
    if num_groups < 2:
        return {"accuracy": None, "macro_f1": None, "auc": None, **facts}

    rng = np.random.default_rng(seed)
    per_group = _confusion_of_each_group(labels, probabilities, group_of_clip, num_groups)
    # A resample is a weight for each clip: about 16 MiB of them at a time.
    chunk = max(1, 2_000_000 // max(len(labels), num_groups))
    parts: dict[str, list[np.ndarray]] = {"accuracy": [], "macro_f1": [], "auc": []}
    for start in range(0, num_resamples, chunk):
        weights = _draw(rng, min(chunk, num_resamples - start), num_groups)
        num_classes = probabilities.shape[1]
        confusion = (weights @ per_group).reshape(-1, num_classes, num_classes)
        parts["accuracy"].append(np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2)))
        parts["macro_f1"].append(_mean_of_defined(_f1(confusion)))
        parts["auc"].append(_mean_of_defined(_weighted_auc(labels, probabilities, weights[:, group_of_clip])))
    return {name: _interval(np.concatenate(values), level) for name, values in parts.items()} | facts


def check(where: object, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> None:
    """Raise :class:`DataError` about ``where`` unless labels, probabilities and classes fit together."""
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise checks.DataError(
            where, f"has the classes {list(classes)}", expected="two or more different names"
        )
    if labels.ndim != 1 or probabilities.shape != (len(labels), len(classes)):
        raise checks.DataError(
            where,
            f"holds labels of shape {labels.shape} and probabilities of shape {probabilities.shape}",
            expected=f"(clips,) and (clips, {len(classes)})",
        )
    if len(labels) == 0:
        raise checks.DataError(where, "holds no clip", expected="at least one")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= len(classes):
        raise checks.DataError(
            where, "has a label outside the classes", expected=f"integers from 0 to {len(classes) - 1}"
        )
    total = probabilities.sum(axis=1, dtype=np.float64)
    # Float32 softmax rows sum to 1 within 1e-6; 1e-3 leaves room for half precision and catches logits.
    if not (
        np.isfinite(probabilities).all() and (probabilities >= 0).all() and (abs(total - 1) < 1e-3).all()
    ):
        raise checks.DataError(
            where,
            "has rows that are not probabilities",
            expected="finite numbers of at least 0 that sum to 1 in each row",
            remedy="apply softmax to the logits",
        )


def _number(value: float | np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is (np.nanmean warns there)."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _mcc(labels: np.ndarray, predicted: np.ndarray) -> float:
    # scikit-learn gives 0 for constant labels or predictions too, but warns when both are the same constant.
    if len(np.unique(labels)) == 1 or len(np.unique(predicted)) == 1:
        return 0.0
    return float(metrics.matthews_corrcoef(labels, predicted))


def _auc_of_each_class(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(classes,) area under the ROC curve against the rest; NaN where a class has every clip or none."""
    num_classes = probabilities.shape[1]
    out = np.full(num_classes, np.nan)
    for k in range(num_classes):
        positive = labels == k
        if 0 < positive.sum() < len(labels):
            out[k] = metrics.roc_auc_score(positive, probabilities[:, k])
    return out


def _draw(rng: np.random.Generator, num_resamples: int, num_groups: int) -> np.ndarray:
    """(num_resamples, num_groups) how often each group was drawn."""
    drawn = rng.integers(0, num_groups, size=(num_resamples, num_groups))
    drawn += np.arange(num_resamples)[:, None] * num_groups
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_groups)
    return counts.reshape(num_resamples, num_groups).astype(np.float64)


def _confusion_of_each_group(
    labels: np.ndarray, probabilities: np.ndarray, group_of_clip: np.ndarray, num_groups: int
) -> np.ndarray:
    """(groups, classes * classes) so that a weighted sum of rows is the confusion matrix of a resample."""
    num_classes = probabilities.shape[1]
    cell = labels * num_classes + probabilities.argmax(axis=1)
    out = np.zeros((num_groups, num_classes**2))
    np.add.at(out, (group_of_clip, cell), 1.0)
    return out


def _f1(confusion: np.ndarray) -> np.ndarray:
    """(..., classes, classes) counts -> (..., classes) F1, NaN where a class neither occurs nor is predicted."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.divide(2 * right, total, out=np.full(total.shape, np.nan), where=total > 0)


def _weighted_auc(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples, classes) AUC with (resamples, clips) weights: P(score+ > score-) + P(score+ = score-) / 2."""
    out = np.full((len(weights), probabilities.shape[1]), np.nan)
    for k in range(probabilities.shape[1]):
        order = np.argsort(probabilities[:, k], kind="stable")
        score, positive = probabilities[order, k], labels[order] == k
        starts = np.flatnonzero(np.r_[True, score[1:] != score[:-1]])  # ties share one step of the curve
        ordered = weights[:, order]
        above = np.add.reduceat(ordered * positive, starts, axis=1)
        below = np.add.reduceat(ordered * ~positive, starts, axis=1)
        wins = np.sum(above * (np.cumsum(below, axis=1) - 0.5 * below), axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        np.divide(wins, pairs, out=out[:, k], where=pairs > 0)
    return out


def _interval(values: np.ndarray, level: float) -> list[float] | None:
    values = values[~np.isnan(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return [float(low), float(high)]

"""Scores of a classifier from its probabilities.

Conventions: ``labels`` are indices into ``classes``; ``probabilities`` are (clips, classes), rows summing to 1;
the prediction is the class of the largest probability (the first of several). A score that divides 0 by 0 is
undefined and is returned as ``None`` (``null`` in JSON), never as a number; a macro average is over the classes
for which the score is defined.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Bool, Float, Int

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
    pr_auc     area under the precision-recall curve, likewise (scikit-learn's     0..1; chance is the share of a class
               average precision)
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
    # scikit-learn's values (tests compare them); its checks of each argument take ten times as long, after every epoch.
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    right, support, guessed = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _divide(right, guessed), _divide(right, support)
    f1 = _divide(2 * right, guessed + support)
    auc, pr_auc = _areas_of_each_class(labels, probabilities)
    true_probability = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "macro_f1": _number(mean_of_defined(f1)),
        "mcc": _mcc(confusion),
        "auc": _number(mean_of_defined(auc)),
        "pr_auc": _number(mean_of_defined(pr_auc)),
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
    bins = confidence_bin(confidence, num_bins=num_bins)
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


def confidence_bin(
    confidence: Float[np.ndarray, " clips"], *, num_bins: int = NUM_BINS
) -> Int[np.ndarray, " clips"]:
    """(clips,) which of the bins (b/B, (b+1)/B] each confidence 0..1 falls into."""
    return np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)


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


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is (np.nanmean warns there)."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A quotient; NaN where it is 0/0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def _mcc(confusion: np.ndarray) -> float:
    """Gorodkin's correlation; 0 where all labels or all predictions are the same."""
    # Python's integers: the product of the two below leaves 64 bits from some 55,000 clips on.
    n, right = int(confusion.sum()), int(confusion.trace())
    true, guessed = ([int(x) for x in confusion.sum(axis=axis)] for axis in (1, 0))
    together = n * right - sum(t * g for t, g in zip(true, guessed, strict=True))
    below = (n * n - sum(t * t for t in true)) * (n * n - sum(g * g for g in guessed))
    return together / below**0.5 if below else 0.0


def _areas_of_each_class(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(classes,) areas under both curves of :func:`areas`; NaN where a class has every clip or none."""
    found = np.full((2, probabilities.shape[1]), np.nan)
    for k in range(probabilities.shape[1]):
        positive = labels == k
        if 0 < positive.sum() < len(labels):
            found[:, k] = areas(positive, probabilities[:, k])
    return found[0], found[1]


def areas(positive: Bool[np.ndarray, " clips"], score: Float[np.ndarray, " clips"]) -> tuple[float, float]:
    """Area under the ROC curve (by trapezoids), and average precision, ``sum_n (R_n - R_{n-1}) P_n`` over thresholds n.

    Args:
        positive: which clips are; some must be, and some not.
        score: higher is surer.

    >>> areas(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    (0.75, 0.8333333333333333)
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    # Clips of one score are one threshold.
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    hits = np.cumsum(positive[order])[ends]
    misses = ends + 1 - hits
    new_hits = np.diff(hits, prepend=0)
    between = hits - new_hits / 2
    area = np.sum(np.diff(misses, prepend=0) * between) / (hits[-1] * misses[-1])
    return float(area), float(np.sum(new_hits * hits / (ends + 1)) / hits[-1])

"""Scores of a classifier from its probabilities.

Conventions: ``labels`` are indices into ``classes``; ``probabilities`` are (clips, classes), rows summing to 1;
the prediction is the class of the largest probability (the first of several). A score that divides 0 by 0 is
undefined and is returned as ``None`` (``null`` in JSON), never as a number; a macro average is over the classes
for which the score is defined.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from mer_jax import checks
from mer_jax._shapes import Float, Int

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
    index = np.arange(len(classes))
    confusion = metrics.confusion_matrix(labels, predicted, labels=index)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=index, zero_division=np.nan
    )
    true_probability = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "macro_f1": _number(mean_of_defined(f1)),
        "mcc": _mcc(labels, predicted),
        "auc": _number(mean_of_defined(_of_each_class(metrics.roc_auc_score, labels, probabilities))),
        "pr_auc": _number(
            mean_of_defined(_of_each_class(metrics.average_precision_score, labels, probabilities))
        ),
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


def _mcc(labels: np.ndarray, predicted: np.ndarray) -> float:
    # scikit-learn gives 0 for constant labels or predictions too, but warns when both are the same constant.
    if len(np.unique(labels)) == 1 or len(np.unique(predicted)) == 1:
        return 0.0
    return float(metrics.matthews_corrcoef(labels, predicted))


def _of_each_class(
    score: Callable[[np.ndarray, np.ndarray], float], labels: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """(classes,) a score of each class against the rest; NaN where a class has every clip or none."""
    num_classes = probabilities.shape[1]
    out = np.full(num_classes, np.nan)
    for k in range(num_classes):
        positive = labels == k
        if 0 < positive.sum() < len(labels):
            out[k] = score(positive, probabilities[:, k])
    return out

"""Scores of models that predict several numbers a clip, or any of several tags.

A score that divides 0 by 0 (the correlation with a constant, the ROC curve of a tag that no clip has) is undefined: it is
``None``, and a mean is over the targets for which the score is defined.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float

_SMALLEST = float(np.finfo(np.float32).tiny)


def regression(
    targets: Float[np.ndarray, "clips outputs"],
    predictions: Float[np.ndarray, "clips outputs"],
    names: Sequence[str],
    *,
    std: Sequence[float] | None = None,
    loss: Literal["mse", "ccc"] = "mse",
) -> dict[str, Any]:
    """Scores of predicted numbers, each the mean over targets.

    ========== ============================================================================================
    pearson_r  correlation between prediction and truth, -1..1
    r2         1 - sum (y - p)^2 / sum (y - mean y)^2, at most 1
    rmse       root of the mean squared error, in the targets' units
    ccc        concordance, 2 cov / (var y + var p + (mean y - mean p)^2), -1..1 (Lin 1989)
    loss       what training minimises: mean squared error in units of ``std``, or 1 - ccc
    ========== ============================================================================================

    Args:
        targets: (clips, outputs) true values.
        predictions: (clips, outputs).
        names: of the targets.
        std: spread of each target over the training part, for ``loss``; None is 1.
        loss: which.

    Returns:
        The scores above, ``per_target`` (name -> pearson_r, r2, rmse, ccc) and ``num_clips``.

    Raises:
        DataError: no clip, shapes that do not fit, or a value that is not finite.

    >>> regression(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]]), ["valence"])["ccc"]
    1.0
    """
    y, p = _checked(targets, predictions, names)
    error, dy, dp = p - y, y - y.mean(axis=0), p - p.mean(axis=0)
    var_y, var_p, cov = (dy**2).mean(axis=0), (dp**2).mean(axis=0), (dy * dp).mean(axis=0)
    mse = (error**2).mean(axis=0)
    columns = {
        "pearson_r": _divide(cov, np.sqrt(var_y * var_p)),
        "r2": 1 - _divide(mse, var_y),
        "rmse": np.sqrt(mse),
        "ccc": _divide(2 * cov, var_y + var_p + (y.mean(axis=0) - p.mean(axis=0)) ** 2),
    }
    scale = np.ones(y.shape[1]) if std is None else np.asarray(std, np.float64)
    found = _collect(columns, names)
    least = float((mse / scale**2).mean()) if loss == "mse" else 1 - (found["ccc"] or 0.0)
    return found | {"loss": least, "num_clips": len(y)}


def tags(
    targets: Float[np.ndarray, "clips tags"],
    probabilities: Float[np.ndarray, "clips tags"],
    names: Sequence[str],
    *,
    thresholds: Float[np.ndarray, "*#clips tags"] | None = None,
) -> dict[str, Any]:
    """Scores of tags, each the mean over tags.

    ================== ====================================================================================
    auc                area under the ROC curve, 0..1
    average_precision  area under the precision-recall curve, as scikit-learn sums it, 0..1
    macro_f1           F1 of the tags whose probability is above their threshold, 0..1
    accuracy           share of right tags at these thresholds
    brier              squared error of the probabilities, 0..1
    loss               binary cross-entropy, nats
    ================== ====================================================================================

    Args:
        targets: (clips, tags), 1 for a tag that a clip has, else 0.
        probabilities: (clips, tags).
        names: of the tags.
        thresholds: (tags,), tuned on other clips (:func:`best_thresholds`), or (clips, tags) where those of several splits are
            scored together; None is one half for all.

    Returns:
        The scores above, ``per_target`` (name -> auc, average_precision, f1, support) and ``num_clips``.

    Raises:
        DataError: no clip, shapes that do not fit, a target that is not 0 or 1, or what is no probability.
    """
    from sklearn import metrics

    y, p = _checked(targets, probabilities, names)
    if not np.isin(y, (0, 1)).all() or p.min() < 0 or p.max() > 1:
        raise checks.DataError(
            "predictions", "hold targets or probabilities outside their range", expected="0 or 1, and 0 to 1"
        )
    both = (y.min(axis=0) == 0) & (y.max(axis=0) == 1)
    undefined = np.full(y.shape[1], np.nan)
    area, precision = undefined.copy(), undefined.copy()
    for k in np.flatnonzero(both):
        area[k] = metrics.roc_auc_score(y[:, k], p[:, k])
        precision[k] = metrics.average_precision_score(y[:, k], p[:, k])
    guess = p > (0.5 if thresholds is None else np.asarray(thresholds))
    hits, total = (guess & (y == 1)).sum(axis=0), guess.sum(axis=0) + y.sum(axis=0)
    columns = {
        "auc": area,
        "average_precision": precision,
        "f1": _divide(2 * hits, total),
        "support": y.sum(axis=0),
    }
    found = _collect(columns, names)
    safe = np.clip(np.where(y == 1, p, 1 - p), _SMALLEST, 1)
    return {
        "auc": found["auc"],
        "average_precision": found["average_precision"],
        "macro_f1": found["f1"],
        "accuracy": float((guess == (y == 1)).mean()),
        "brier": float(((p - y) ** 2).mean()),
        "loss": float(-np.log(safe).mean()),
        "per_target": found["per_target"],
        "num_clips": len(y),
    }


def best_thresholds(
    targets: Float[np.ndarray, "clips tags"], probabilities: Float[np.ndarray, "clips tags"]
) -> Float[np.ndarray, "tags"]:
    """The threshold of each tag with the largest F1 on these clips; of several the highest, which says less.

    To be taken from validation clips: tuned on the clips that are scored, F1 would be too high. Thresholds lie halfway between
    neighbouring probabilities; a tag that no clip has gets one half.

    >>> best_thresholds(np.array([[1.0], [1.0], [0.0]]), np.array([[0.4], [0.3], [0.1]])).tolist()
    [0.2]
    """
    y, p = _checked(targets, probabilities, range(targets.shape[1]))
    out = np.full(y.shape[1], 0.5)
    for k in np.flatnonzero(y.any(axis=0)):
        order = np.argsort(-p[:, k], kind="stable")
        score, hits = p[order, k], np.cumsum(y[order, k])
        f1 = 2 * hits / (np.arange(1, len(y) + 1) + hits[-1])
        last = np.flatnonzero(
            np.append(score[1:] != score[:-1], True)
        )  # clips of one probability are taken together
        best = last[np.argmax(f1[last])]
        below = score[best + 1] if best + 1 < len(score) else 0.0
        out[k] = (score[best] + below) / 2
    return out


def _checked(
    targets: np.ndarray, predictions: np.ndarray, names: Sequence[object]
) -> tuple[np.ndarray, np.ndarray]:
    if targets.shape != predictions.shape or targets.ndim != 2 or targets.shape[1] != len(names):
        raise checks.DataError(
            "predictions",
            f"have shape {predictions.shape} for targets of shape {targets.shape}",
            expected=f"(clips, {len(names)}) for both",
        )
    if len(targets) == 0:
        raise checks.DataError("predictions", "hold no clip", expected="at least one")
    if not (np.isfinite(targets).all() and np.isfinite(predictions).all()):
        raise checks.DataError("predictions", "hold a value that is not finite", expected="finite numbers")
    return targets.astype(np.float64), predictions.astype(np.float64)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=np.asarray(b) > 0)


def _collect(columns: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, Any]:
    """The mean of each column over what is defined, and the columns by target."""

    def plain(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    means = {
        name: float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else None
        for name, values in columns.items()
    }
    per_target = {
        target: {name: plain(values[k]) for name, values in columns.items()} for k, target in enumerate(names)
    }
    return means | {"per_target": per_target}

"""Which scores a study shows for what it predicts: classes, numbers, or tags.

One :class:`Measures` a kind says how predictions are scored and resampled, which score cells are chosen and judged by, what
guessing would give, and what tables, pictures and sentences call it all, so that nothing else asks what is predicted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mer_jax import checks
from mer_jax.evaluation import bootstrap, run_folder, scores, target_bootstrap, target_scores
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.target_bootstrap import TargetPredictions

AnyPredictions = Predictions | TargetPredictions
Guess = Callable[[int, np.ndarray | None], float | None]
"""From the number of outputs, and what is true of the test clips where that is known, to what guessing gives."""


@dataclass(frozen=True)
class Measure:
    """One score.

    Attributes:
        title: in tables.
        label: of an axis, with range or unit.
        smaller_is_better: whether it is.
        guess: what guessing gives.
        decimals: of the ends of its interval.
    """

    title: str
    label: str
    smaller_is_better: bool = False
    guess: Guess = lambda count, truth: None
    decimals: int = 2


@dataclass(frozen=True)
class Measures:
    """The scores of one kind of prediction.

    Attributes:
        kind: what is predicted.
        outputs: what the outputs are called, e.g. "classes".
        table: scores in the order of a table.
        headline: the score that cells are chosen by on validation data, and judged by on test data.
        tie_break: smaller is better, of cells whose headline score is equal.
        compared: scores of which differences are tested.
        pictured: scores in the picture of all cells.
        curves: scores by epoch; those of the training part are recorded for some.
        monitors: scores that may decide which epoch is best.
        note: what a reader has to know of the scores.
        arrays: name in ``predictions.npz`` of what is true, of the outputs, and of their names.
        score: (predictions, names) -> scores, as in ``result.json``.
        replicates: (one entry a seed, scores, number of resamples) -> score -> (resamples,); a score without an interval is
            left out.
        paired_resamples: resamples of a comparison; fewer where each takes long.
    """

    kind: Literal["classes", "numbers", "tags"]
    outputs: str
    table: Mapping[str, Measure]
    headline: str
    tie_break: str
    compared: tuple[str, ...]
    pictured: tuple[str, ...]
    curves: Mapping[str, Measure]
    monitors: tuple[str, ...]
    note: str
    arrays: tuple[str, str, str]
    score: Callable[[Any, Sequence[str]], dict[str, Any]]
    replicates: Callable[[Any, Sequence[str], int], dict[str, np.ndarray]]
    paired_resamples: int = 10_000

    @property
    def main(self) -> Measure:
        """The headline score."""
        return self.table[self.headline]

    @property
    def main_in_words(self) -> str:
        """What a sentence calls the headline score."""
        return _in_words(self.main.title)

    @property
    def tie_break_in_words(self) -> str:
        """What a sentence calls the score that decides between equal cells."""
        return self.table[self.tie_break].label.partition(" (")[0]

    def predictions(self, arrays: Mapping[str, np.ndarray], prefix: str = "") -> AnyPredictions:
        """What ``predictions.npz`` holds of a part, whose arrays' names start with ``prefix``."""
        truth, outputs, _ = self.arrays
        true, answered, groups = (arrays[prefix + name] for name in (truth, outputs, "groups"))
        if self.kind == "classes":
            return Predictions(true, answered, groups)
        thresholds = arrays.get("thresholds")
        if thresholds is not None:
            thresholds = np.broadcast_to(thresholds, true.shape)
        return TargetPredictions(true, answered, groups, thresholds)

    def check(
        self, path: Path, test: Mapping[str, Any], source: Path, found: AnyPredictions, names: Sequence[str]
    ) -> None:
        """Raise :class:`DataError` unless scores of the test part are complete and of the predictions beside them.

        Args:
            path: where the scores come from, for the message.
            test: scores of the test part.
            source: where the predictions come from, for the message.
            found: the predictions of the test part.
            names: of the outputs.
        """
        if isinstance(found, Predictions):
            run_folder.check_scores(path, test, source, found, names)
            return
        wanted = (len(found.groups), len(names))
        for array in (found.targets, found.predictions):
            if array.shape != wanted:
                raise checks.DataError(
                    source,
                    f"holds an array of shape {array.shape}",
                    expected=f"{wanted}, as its groups and names",
                )
        for key in (*self.table, "loss", "per_target"):
            if key not in test:
                raise checks.DataError(path, f"has no test.{key}")
        again = self.score(found, names)[self.headline]
        if (again is None) != (test[self.headline] is None) or (
            again is not None and abs(again - test[self.headline]) > run_folder.SAME_SCORE
        ):
            raise checks.DataError(
                path,
                f"has {self.headline} {test[self.headline]}, but {source.name} gives {again}",
                remedy="evaluate the run again: the two files are of different models",
            )


def of_task(task: str) -> Measures:
    """The measures of a task by its name (:data:`mer_jax.config.TaskName`)."""
    return {"classes": CLASSES, "tags": TAGS}.get(task, NUMBERS)


def take(part: AnyPredictions, rows: np.ndarray) -> AnyPredictions:
    """Some clips of predictions."""
    return replace(part, **{name: values[rows] for name, values in _arrays(part).items()})


def join(parts: Sequence[AnyPredictions]) -> AnyPredictions:
    """The clips of several predictions, one after another."""
    columns = [_arrays(part) for part in parts]
    joined: dict[str, Any] = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    return replace(parts[0], **joined)


def _arrays(part: AnyPredictions) -> dict[str, Any]:
    return {name: values for name, values in vars(part).items() if values is not None}


def _in_words(title: str) -> str:
    """A title inside a sentence: names keep their capitals."""
    return title if title[:2].isupper() or title.startswith("Pearson") else title[0].lower() + title[1:]


def _class_scores(part: Predictions, names: Sequence[str]) -> dict[str, Any]:
    return scores.compute(part.labels, part.probabilities, names)


def _class_replicates(
    parts: Sequence[Predictions], metrics: Sequence[str], num_resamples: int
) -> dict[str, np.ndarray]:
    known = [metric for metric in metrics if metric in bootstrap.METRICS]
    return bootstrap.replicates(parts, metrics=known, num_resamples=num_resamples)


def _number_scores(part: TargetPredictions, names: Sequence[str]) -> dict[str, Any]:
    return target_scores.regression(part.targets, part.predictions, names)


def _tag_scores(part: TargetPredictions, names: Sequence[str]) -> dict[str, Any]:
    return target_scores.tags(part.targets, part.predictions, names, thresholds=part.thresholds)


def _target_replicates(
    kind: target_bootstrap.Kind,
    parts: Sequence[TargetPredictions],
    metrics: Sequence[str],
    num_resamples: int,
) -> dict[str, np.ndarray]:
    return target_bootstrap.replicates(parts, kind, metrics=metrics, num_resamples=num_resamples)


def _constant(value: float) -> Guess:
    return lambda count, truth: value


def _of_truth(compute: Callable[[np.ndarray], Any]) -> Guess:
    """What guessing gives where that depends on the clips; None before any are known."""
    return lambda count, truth: None if truth is None else float(compute(truth.astype(np.float64)))


def _entropy(y: np.ndarray) -> float:
    """Cross-entropy of always answering with each tag's share of the clips, nats."""
    q = np.clip(y.mean(axis=0), 1e-12, 1 - 1e-12)
    return float(-(q * np.log(q) + (1 - q) * np.log(1 - q)).mean())


_ONE_OF: Guess = lambda count, truth: 1 / count  # noqa: E731
_MACRO_AUC = Measure("AUC", "AUC, macro (0–1)", guess=_constant(0.5))
_ACCURACY = Measure("Accuracy", "Accuracy (0–1)", guess=_ONE_OF)
_BRIER = Measure("Brier", "Brier score (0–2)", True, lambda count, truth: 1 - 1 / count)

CLASSES = Measures(
    kind="classes",
    outputs="classes",
    table={
        "accuracy": _ACCURACY,
        "macro_f1": Measure("Macro F1", "Macro F1 (0–1)", guess=_ONE_OF),
        "mcc": Measure("MCC", "MCC (−1–1)", guess=_constant(0.0)),
        "brier": _BRIER,
        "auc": _MACRO_AUC,
        "ece": Measure("ECE", "ECE (0–1)", True),
    },
    headline="accuracy",
    tie_break="brier",
    compared=("accuracy", "macro_f1"),
    pictured=("accuracy", "macro_f1", "auc"),
    curves={
        "accuracy": _ACCURACY,
        "loss": Measure("Loss", "Cross-entropy (nats)", True, lambda count, truth: float(np.log(count))),
        "brier": _BRIER,
        "auc": _MACRO_AUC,
    },
    monitors=("loss", "accuracy", "brier", "macro_f1", "mcc", "auc", "ece"),
    note="The calibration error has none, as resampling pushes it away from 0; in brackets what a perfectly calibrated model "
    "would show on as many independent clips.",
    arrays=("labels", "probabilities", "classes"),
    score=_class_scores,
    replicates=_class_replicates,
)

_R = Measure("Pearson r", "Pearson r (−1–1)", guess=_constant(0.0))
_CCC = Measure("CCC", "Concordance (−1–1)", guess=_constant(0.0))
_RMSE = Measure(
    "RMSE", "RMSE (units of the targets)", True, _of_truth(lambda y: y.std(axis=0).mean()), decimals=3
)

NUMBERS = Measures(
    kind="numbers",
    outputs="numbers",
    table={
        "pearson_r": _R,
        "r2": Measure("R²", "R² (at most 1)", guess=_constant(0.0)),
        "ccc": _CCC,
        "rmse": _RMSE,
    },
    headline="pearson_r",
    tie_break="rmse",
    compared=("pearson_r", "r2"),
    pictured=("pearson_r", "ccc", "rmse"),
    curves={
        "loss": Measure("Loss", "Loss (1: always the mean)", True, _constant(1.0)),
        "pearson_r": _R,
        "ccc": _CCC,
        "rmse": _RMSE,
    },
    monitors=("loss", "rmse", "pearson_r", "r2", "ccc"),
    note="All are means over the numbers that are predicted. Pearson r: correlation of predicted and true values; R²: share of "
    "the variance explained, below 0 where the mean would be the better answer; CCC: Lin's concordance, which also asks "
    "for the right mean and spread; RMSE: in the units of the data.",
    arrays=("targets", "predictions", "names"),
    score=_number_scores,
    replicates=partial(_target_replicates, "numbers"),
)

_TAG_BRIER = Measure(
    "Brier", "Brier score (0–1)", True, _of_truth(lambda y: (y.mean(axis=0) * (1 - y.mean(axis=0))).mean()), 3
)
_PR_AUC = Measure("PR AUC", "PR AUC, macro (0–1)", guess=_of_truth(np.mean))

TAGS = Measures(
    kind="tags",
    outputs="tags",
    table={
        "auc": Measure("ROC AUC", "ROC AUC, macro (0–1)", guess=_constant(0.5)),
        "average_precision": _PR_AUC,
        "macro_f1": Measure("Macro F1", "Macro F1 (0–1)"),
        "brier": _TAG_BRIER,
    },
    headline="auc",
    tie_break="brier",
    compared=("auc", "average_precision"),
    pictured=("auc", "average_precision", "macro_f1"),
    curves={
        "loss": Measure("Loss", "Cross-entropy (nats)", True, _of_truth(_entropy)),
        "auc": Measure("ROC AUC", "ROC AUC, macro (0–1)", guess=_constant(0.5)),
        "average_precision": _PR_AUC,
        "brier": _TAG_BRIER,
    },
    monitors=("loss", "accuracy", "brier", "auc", "average_precision"),
    note="ROC AUC and PR AUC (average precision): mean over the tags that some clips have and some have not. Macro F1: a clip "
    "has a tag above a threshold that was tuned on the validation part of each split. Brier: squared error of the "
    "probabilities, mean over clips and tags (0 to 1).",
    arrays=("targets", "predictions", "names"),
    score=_tag_scores,
    replicates=partial(_target_replicates, "tags"),
    paired_resamples=1000,
)

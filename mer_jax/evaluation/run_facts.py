"""What a report says about a run in words and numbers: rows of text, the same for the page and the terminal."""

from collections.abc import Mapping
from typing import Any

from mer_jax.evaluation.run_folder import Run, RunRecord
from mer_jax.evaluation.study_figures import StudyFigure

UNDEFINED = "undefined"
NOT_RECORDED = "not recorded"

# Name in the report -> key in scores.json.
_SCORES = {
    "Accuracy": "accuracy",
    "Macro F1": "macro_f1",
    "MCC": "mcc",
    "AUC": "auc",
    "PR AUC": "pr_auc",
    "Brier": "brier",
    "ECE": "ece",
    "Loss": "loss",
}
_LOWER_IS_BETTER = ("Brier", "ECE", "Loss")
DIRECTION = {name: "lower is better" if name in _LOWER_IS_BETTER else "higher is better" for name in _SCORES}
DEFINITIONS = (
    "Macro F1: mean over the classes that occur in labels or predictions. MCC: Matthews correlation over all classes. AUC: one "
    "class against the rest, mean over classes; PR AUC: likewise, precision against recall (average precision). Brier: squared "
    "error between probabilities and one-hot labels, summed over classes, mean over clips (0 to 2). ECE: expected calibration "
    "error, 15 equal-width bins. Loss: cross-entropy in nats. “Undefined” stands where a score would divide 0 by 0, e.g. the "
    "recall of a class without clips."
)

# Key in facts.json -> (label, format); whatever else a run records is listed by its own key.
_RUN_FACTS: dict[str, tuple[str, str]] = {
    "seed": ("Seed", "{}"),
    "split": ("Split", "{}"),
    "fold": ("Fold", "{}"),
    "folds": ("Folds", "{}"),
    "started": ("Started", "{}"),
    "finished": ("Finished", "{}"),
    "wall_s": ("Wall time (s)", "{:,.1f}"),
    "compile_s": ("of which compiling (s)", "{:,.1f}"),
    "num_parameters": ("Parameters", "{:,}"),
    "backend": ("Backend", "{}"),
    "precision": ("Precision of the network", "{}"),
}

_DATA_FACTS = {
    "name": "Name",
    "synthetic": "Synthetic",
    "num_clips": "Clips",
    "num_groups": "Groups",
    "class_valence_arousal": "Valence, arousal of each class",
}


def number(value: float | None) -> str:
    """A score with three decimals.

    >>> number(0.71234), number(None)
    ('0.712', 'undefined')
    """
    return UNDEFINED if value is None or value != value else f"{value:.3f}"


def subtitle(run: Run) -> str:
    """The data set and the split in a line."""
    data, facts = run.facts["data"], run.facts
    parts = [str(data["name"]), f"{len(run.classes)} classes", f"{len(run.labels):,} test clips"]
    if "fold" in facts and "folds" in facts:
        parts.append(f"fold {facts['fold']} of {facts['folds']}")
    elif "split" in facts:
        parts.append(f"split {facts['split']}")
    if "seed" in facts:
        parts.append(f"seed {facts['seed']}")
    return ", ".join(parts)


def split_name(facts: Mapping[str, Any]) -> str:
    """Which split a run was tested on, in words.

    >>> split_name({"fold": 0, "folds": 10, "split": "grouped"}), split_name({"split": "hash"})
    ('fold 0 of 10', 'split hash')
    """
    return f"fold {facts['fold']} of {facts['folds']}" if "fold" in facts else f"split {facts['split']}"


def score_rows(run: Run, spans: Mapping[str, Any]) -> list[list[str]]:
    """Rows of name, validation, test, interval of the test score ("" where none is computed).

    Args:
        run: the run.
        spans: its :func:`mer_jax.evaluation.statistics.bootstrap_intervals`.
    """
    test, validation = run.scores["test"], run.scores.get("validation", {})
    rows = []
    for name, key in _SCORES.items():
        span = spans.get(key)
        found = number(validation[key]) if key in validation else NOT_RECORDED
        rows.append([name, found, number(test.get(key)), f"{span[0]:.3f}–{span[1]:.3f}" if span else ""])
    return rows


def class_rows(run: Run) -> list[list[str]]:
    """Rows of class, precision, recall, F1, clips of the test part."""
    rows = []
    for name in run.classes:
        entry = run.scores["test"]["per_class"][name]
        rows.append(
            [name, *(number(entry[key]) for key in ("precision", "recall", "f1")), f"{entry['support']:,}"]
        )
    return rows


def study_row(figure: StudyFigure) -> list[str]:
    """Cells of one published figure: approach, features, model, accuracy, peak, AUC, how it was read."""
    auc = ""
    if figure.auc is not None:
        low, high = figure.auc
        auc = published_number(low) if low == high else f"{published_number(low)}–{published_number(high)}"
    peak = "" if figure.peak_accuracy is None else published_number(figure.peak_accuracy)
    return [
        str(figure.approach),
        figure.features,
        figure.model,
        published_number(figure.accuracy),
        peak,
        auc,
        figure.reading,
    ]


def published_number(value: float) -> str:
    """As precise as it was published: 0.70 stays 0.70."""
    return f"{value:.2f}" if round(value, 2) == value else f"{value:.3f}"


def fact_tables(run: RunRecord) -> list[tuple[str, list[list[str]]]]:
    """Everything ``facts.json`` records, as (title, rows of label and value); a contract entry that is absent says so."""
    facts = dict(run.facts)
    data = facts.pop("data")
    best, how = run.best_epoch
    facts.pop("best_epoch", None)
    own = [[label, _formatted(facts.pop(key, None), form)] for key, (label, form) in _RUN_FACTS.items()]
    own.append(["Best epoch", f"{best} of {run.epochs[-1]['epoch']} ({how})"])
    tables = [("Run", own), ("Data set", data_rows(data))]
    for key in ("hardware", "versions"):
        tables.append((key.capitalize(), flat(facts.pop(key, None) or {}) or [[key, NOT_RECORDED]]))
    if facts:
        tables.append(("Other facts", flat(facts)))
    return tables


def data_rows(data: Mapping[str, Any]) -> list[list[str]]:
    """What is recorded of a data set but for what the section on data shows, as rows of label and value."""
    shown = {key: value for key, value in data.items() if key not in ("counts", "classes")}
    return [[_DATA_FACTS.get(key, key), value] for key, value in flat(shown)]


def _formatted(value: object, form: str) -> str:
    if value is None:
        return NOT_RECORDED
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return form.format(value)
    return _value(value)


def _value(value: object) -> str:
    if value is None:
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(
            f"({_value(item)})" if isinstance(item, (list, tuple)) else _value(item) for item in value
        )
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def flat(entries: object, prefix: str = "") -> list[list[str]]:
    """Nested entries as rows; the path to an inner one is joined by dots."""
    if not isinstance(entries, Mapping):
        return [[prefix or "value", _value(entries)]]
    rows = []
    for key, value in entries.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        rows += flat(value, path) if isinstance(value, Mapping) else [[path, _value(value)]]
    return rows

"""Scores of models on data sets that they were not trained on, one round for each set that was left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_jax.evaluation import repeated, run_facts, text_table
from mer_jax.evaluation.repeated import Repeats

FILE_NAME = "leave_one_out.json"
# Kind of task -> metric -> heading, in the order of the table; in units of the scale -1 to 1.
_SHOWN = {
    "classes": {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC"},
    "numbers": {"r2": "R2", "ccc": "CCC", "pearson_r": "Pearson r", "rmse": "RMSE"},
    "dynamic": {
        "song_rmse": "song RMSE",
        "song_pearson_r": "song r",
        "song_ccc": "song CCC",
        "rmse": "RMSE",
        "ccc": "CCC",
    },
}
_IN_UNITS = ("rmse", "song_rmse")


def summarise(
    rounds: Mapping[str, Mapping[str, Path]],
    *,
    folder: Path,
    rating_ranges: Mapping[str, tuple[float, float] | None],
) -> dict[str, Any]:
    """Scores of all rounds, for :data:`FILE_NAME`.

    Args:
        rounds: name of the set that was left out -> "without" (the run that was trained on the others), and "within" (the run
            that was trained and tested within it) where there is one.
        folder: where the file will be, above the runs.
        rating_ranges: the scale of each set's listeners; None is [-1, 1].

    Returns:
        ``kind`` of task; ``rounds``, one a set: ``left_out``, ``trained_on``, ``without`` and ``within`` (or None), each with
        ``run``, ``num_clips``, ``num_groups`` of the test part, ``scores``, ``intervals`` (bootstrap over groups) and
        ``native``: errors on the scale of that set's listeners, where it is another one; ``mean``: of each score over the
        sets, each counting alike (None where one is undefined).
    """
    found: list[dict[str, Any]] = []
    kind = ""
    for name, runs in rounds.items():
        parts = {
            which: _scored(repeated.read_runs([path], path), folder, rating_ranges[name])
            for which, path in runs.items()
        }
        kind = parts["without"].pop("kind")
        if "within" in parts:
            parts["within"].pop("kind")
        found.append(
            {
                "left_out": name,
                "trained_on": [other for other in rounds if other != name],
                "without": parts["without"],
                "within": parts.get("within"),
            }
        )
    means = {
        metric: repeated.mean([one["without"]["scores"][metric] for one in found])
        for metric in repeated.METRICS[kind]
    }
    return {"kind": kind, "rounds": found, "mean": means}


def _scored(repeats: Repeats, folder: Path, scale: tuple[float, float] | None) -> dict[str, Any]:
    """One round."""
    found = repeated.summary(repeats, [repeats.path.relative_to(folder).as_posix()])
    out = {
        "kind": repeats.kind,
        "run": found["runs"][0],
        "num_clips": found["num_clips"],
        "num_groups": found["num_groups"],
        "scores": found["scores"],
        "intervals": found["intervals"],
        "native": None,
    }
    if scale is not None and repeats.kind != "classes":
        # Correlation, concordance and R2 are the same on every scale that a straight line leads to; errors are not.
        half = (scale[1] - scale[0]) / 2
        out["native"] = {
            "rating_range": list(scale),
            "scores": {m: half * found["scores"][m] for m in _IN_UNITS if m in found["scores"]},
            "intervals": {
                m: None if span is None else [half * end for end in span]
                for m, span in found["intervals"].items()
                if m in _IN_UNITS
            },
        }
    return out


def table(found: Mapping[str, Any]) -> list[str]:
    """The rounds as lines of text: a score with its 95 % interval over groups."""
    shown = _SHOWN[found["kind"]]
    native = any(one["without"]["native"] for one in found["rounds"])
    in_units = next((metric for metric in shown if metric in _IN_UNITS), "")
    header = ["tested on", "trained on", "clips", "groups", *shown.values()]
    header += [f"{shown[in_units]}, own scale"] if native else []
    rows = []
    for one in found["rounds"]:
        others = " + ".join(one["trained_on"])
        for trained_on, scored in ((others, one["without"]), ("itself", one["within"])):
            if scored is not None:
                rows.append(
                    [one["left_out"], trained_on, *_cells(scored, shown), *_native(scored, in_units, native)]
                )
    means = [run_facts.number(found["mean"][metric]) for metric in shown]
    rows.append(["mean", "the others", "", "", *means, *([""] if native else [])])
    return text_table.columns(header, rows, left=2)


def _cells(scored: Mapping[str, Any], shown: Mapping[str, str]) -> list[str]:
    values = [_with_span(scored["scores"][metric], scored["intervals"][metric]) for metric in shown]
    return [f"{scored['num_clips']:,}", f"{scored['num_groups']:,}", *values]


def _native(scored: Mapping[str, Any], metric: str, wanted: bool) -> list[str]:
    """The error on the listeners' scale, with the scale."""
    if not wanted:
        return []
    own = scored["native"]
    if own is None:
        return [f"{_with_span(scored['scores'][metric], scored['intervals'][metric])} of -1..1"]
    low, high = own["rating_range"]
    return [f"{_with_span(own['scores'][metric], own['intervals'][metric])} of {low:g}..{high:g}"]


def _with_span(value: float | None, span: list[float] | None) -> str:
    shown = run_facts.number(value)
    return shown if span is None else f"{shown} ({span[0]:.3f} to {span[1]:.3f})"

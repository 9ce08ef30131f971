"""The report of a run that predicts numbers or tags: scores of each target, curves, predictions against the truth, facts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import html, run_facts, statistics, target_bootstrap
from mer_jax.evaluation.run_folder import TargetRun
from mer_jax.evaluation.run_sections import RunSections
from mer_jax.evaluation.target_bootstrap import TargetPredictions
from mer_jax.evaluation.target_plots import scatter

# Key -> (name, axis label, value that guessing gives), in the order of the page.
NUMBERS = {
    "pearson_r": ("Pearson r", "Pearson r (−1–1)", 0.0),
    "r2": ("R²", "R² (at most 1)", 0.0),
    "ccc": ("Concordance", "Concordance (−1–1)", 0.0),
    "rmse": ("RMSE", "RMSE (units of the targets)", None),
}
_TAGS = {
    "auc": ("AUC", "AUC, macro (0–1)", 0.5),
    "average_precision": ("Average precision", "Average precision, macro (0–1)", None),
    "f1": ("F1", "F1, macro (0–1)", None),
}
_MEAN_KEYS = {"f1": "macro_f1"}  # of a score whose mean over tags has another name
_RESAMPLES = 1000


def headline_score(run: TargetRun) -> str:
    """The score that a run is judged by: correlation of numbers, area under the ROC curve of tags."""
    return "auc" if run.task == "tags" else "pearson_r"


def subtitle(run: TargetRun) -> str:
    """The data set and the split in a line."""
    data, facts = run.facts["data"], run.facts
    parts = [str(data["name"]), f"{len(run.names)} {'tags' if run.task == 'tags' else 'numbers'}"]
    parts.append(f"{len(run.groups):,} test clips, {run_facts.split_name(facts)}, seed {facts['seed']}")
    return ", ".join(parts)


def interval(run: TargetRun, *, seed: int = 0, level: float = 0.95) -> list[float] | None:
    """Percentile bootstrap interval of :func:`headline_score`, resampling groups; None where it cannot be told."""
    if len(np.unique(run.groups)) < 2:
        return None
    metric = headline_score(run)
    found = target_bootstrap.replicates(
        [TargetPredictions(run.targets, run.predictions, run.groups)],
        "tags" if run.task == "tags" else "numbers",
        metrics=(metric,),
        num_resamples=_RESAMPLES,
        seed=seed,
    )
    return statistics.percentiles(found[metric], level)


def score_rows(run: TargetRun, span: Sequence[float] | None) -> list[list[str]]:
    """Rows of name, validation, test, interval."""
    rows = []
    for key, (name, _, _) in (_TAGS if run.task == "tags" else NUMBERS).items():
        mean = _MEAN_KEYS.get(key, key)
        values = [run_facts.number(run.scores.get(part, {}).get(mean)) for part in ("validation", "test")]
        shown = f"{span[0]:.3f}–{span[1]:.3f}" if span and key == headline_score(run) else ""
        rows.append([name, *values, shown])
    return rows


def target_rows(run: TargetRun) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the scores of each target on the test part."""
    shown = _TAGS if run.task == "tags" else NUMBERS
    header = ["Tag" if run.task == "tags" else "Target", *(name for name, _, _ in shown.values())]
    rows = [
        [name, *(run_facts.number(run.scores["test"]["per_target"][name][key]) for key in shown)]
        for name in run.names
    ]
    return header, rows


@dataclass(frozen=True, kw_only=True)
class TargetSections(RunSections):
    """The sections of the page of one run.

    Attributes:
        run: the run.
        span: interval of the headline score, or None.
    """

    run: TargetRun
    span: list[float] | None

    def headline(self) -> None:
        """Scores of the test part, large, then of both parts, then of each target."""
        rows = score_rows(self.run, self.span)
        tiles = [(name, value, f"95 %: {span}" if span else "test part") for name, _, value, span in rows]
        table = self.page.table(
            "Scores on validation and test part, means over targets",
            ["Score", "Validation", "Test", "95 % interval (test)"],
            rows,
            align="lrrr",
        )
        header, each = target_rows(self.run)
        by_target = self.page.table(
            "Each target of the test part", header, each, align="l" + "r" * (len(header) - 1)
        )
        note = (
            f"{len(self.run.groups):,} test clips of {len(np.unique(self.run.groups)):,} groups. Interval: percentile "
            f"bootstrap over groups, {_RESAMPLES:,} resamples: the spread over songs for this one trained model."
        )
        self.page.section(
            "Scores",
            html.tiles(tiles),
            html.gallery([table, by_target]),
            html.paragraph(note, class_="note"),
        )

    def curves(self) -> None:
        """Loss and scores by epoch."""
        shown = _TAGS if self.run.task == "tags" else NUMBERS
        self.training({"loss": ("Loss", "Loss", None)} | {_MEAN_KEYS.get(k, k): v for k, v in shown.items()})

    def scatter(self) -> None:
        """Predictions against the truth, a panel for each target."""
        caption = "Predicted against true values of the test part, a point for each clip; on the line both are equal."
        figure = self.picture(
            "predictions",
            lambda **look: scatter(self.run.targets, self.run.predictions, self.run.names, **look),
            alt=caption,
            caption=caption,
            wide=True,
        )
        self.page.section("Predictions", html.gallery([figure]))

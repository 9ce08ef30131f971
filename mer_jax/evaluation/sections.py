"""The sections of a run's report: which tables and pictures stand where, and what is said about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_jax.evaluation import confusion_plots, html, plots, run_facts, scores, target_report
from mer_jax.evaluation.html import element
from mer_jax.evaluation.run_folder import Run
from mer_jax.evaluation.run_sections import RunSections
from mer_jax.evaluation.shared_sections import OwnFigure


@dataclass(frozen=True, kw_only=True)
class Sections(RunSections):
    """The sections of the page of one run.

    Attributes:
        run: the run.
        spans: bootstrap intervals of the test scores.
    """

    run: Run
    spans: Mapping[str, Any]

    def headline(self) -> None:
        """Scores of the test part, large, then of both parts as a table."""
        test, classes = self.run.scores["test"], self.run.classes
        rows, spans = run_facts.score_rows(self.run, self.spans), self.spans
        tiles = [
            (name, value, f"95 %: {span}" if span else run_facts.DIRECTION[name])
            for name, _, value, span in rows
            if name != "Loss"
        ]
        table = self.page.table(
            "Scores on validation and test part",
            ["Score", "Validation", "Test", "95 % interval (test)"],
            rows,
            align="lrrr",
        )
        support = [test["per_class"][name]["support"] for name in classes]
        remarks = [
            f"{len(self.run.labels):,} test clips of {spans['num_groups']:,} groups. Always answering with the test part's "
            f"most frequent class would reach accuracy {max(support) / max(sum(support), 1):.3f}.",
            f"Intervals: percentile bootstrap over groups, {spans['num_resamples']:,} resamples. They state the spread over "
            "songs for this one trained model, not over training runs.",
            run_facts.DEFINITIONS,
        ]
        self.page.section(
            "Scores",
            html.tiles(tiles),
            html.gallery([table, element("div", *(html.paragraph(text, class_="note") for text in remarks))]),
        )

    def numbers(self) -> None:
        """Scores of valence and arousal, of a run that predicts them beside the class."""
        found = self.run.scores["test"].get("valence_arousal")
        if found is None:
            return
        names = {key: name for key, (name, _, _) in target_report.NUMBERS.items()}
        rows = [
            [target, *(run_facts.number(scored[key]) for key in names)]
            for target, scored in found["per_target"].items()
        ]
        rows.append(["mean", *(run_facts.number(found[key]) for key in names)])
        table = self.page.table(
            "Valence and arousal of the test part, on the listeners' scale",
            ["Target", *names.values()],
            rows,
            align="lrrrr",
        )
        self.page.section("Valence and arousal", table)

    def curves(self) -> None:
        """Accuracy, loss, Brier score and AUC by epoch."""
        num_classes = len(self.run.classes)
        self.training(
            {
                "accuracy": ("Accuracy", "Accuracy (0–1)", 1 / num_classes),
                "loss": ("Loss", "Cross-entropy (nats)", float(np.log(num_classes))),
                "brier": ("Brier score", "Brier score (0–2)", 1 - 1 / num_classes),
                "auc": ("AUC", "AUC, macro (0–1)", 0.5),
            }
        )

    def errors(self) -> None:
        """Confusion matrices, reliability, and the scores of each class."""
        run, matrix = self.run, np.asarray(self.run.scores["test"]["confusion"])
        bins = scores.reliability(run.labels, run.probabilities)
        colours = plots.class_colours(run.classes)
        figures = []
        for kind, normalise in (("counts", False), ("normalised", True)):

            def draw(normalise=normalise, **style) -> bytes:
                return confusion_plots.confusion(matrix, run.classes, normalise=normalise, **style)

            unit = "shares of each true class" if normalise else "clips"
            text = f"Confusion matrix of the test part, {unit}; rows: true class, columns: predicted."
            figures.append(self.picture(f"confusion_{kind}", draw, alt=text, caption=text))
        text = (
            "Reliability on the test part: accuracy against confidence in 15 bins. Bars below the diagonal: the model is "
            "more confident than it is right."
        )
        figures.append(
            self.picture(
                "reliability", lambda **style: plots.reliability(bins, **style), alt=text, caption=text
            )
        )
        rows = [
            [str(number), html.join([html.swatch(colours[name]), name]), *cells]
            for number, (name, (_, *cells)) in enumerate(
                zip(run.classes, run_facts.class_rows(run), strict=True), 1
            )
        ]
        table = self.page.table(
            "Each class of the test part",
            ["#", "Class", "Precision", "Recall", "F1", "Clips"],
            rows,
            align="rlrrrr",
        )
        self.page.section("Errors", html.gallery([*figures, table]))

    def study(self) -> None:
        """What the study published, marked as another data set, beside this run."""
        test = self.run.scores["test"]
        own = OwnFigure(
            approach="",
            name=f"this run ({self.note})" if self.note else "this run",
            network="",
            accuracy=float(test["accuracy"]),
            interval=self.spans["accuracy"],
            auc=test["auc"],
        )
        self.published(
            "this run", [own], f"The Brier score of this run is {run_facts.number(test['brier'])}."
        )

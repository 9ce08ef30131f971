"""The sections of a run's report: which tables and pictures stand where, and what is said about them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_jax.evaluation import html, plots, run_facts, scores, study_figures
from mer_jax.evaluation.canvas import Theme
from mer_jax.evaluation.examples import Examples
from mer_jax.evaluation.feature_plots import feature_example
from mer_jax.evaluation.html import Html, element
from mer_jax.evaluation.run_folder import Run

_PARTS = ("train", "validation")


@dataclass(frozen=True)
class Sections:
    """The sections of the page of one run; each adds itself and leaves its pictures under ``figures/``.

    Attributes:
        run: the run.
        page: the page under construction.
        note: warning to write into every picture; "" for none.
        spans: bootstrap intervals of the test scores.
    """

    run: Run
    page: html.Page
    note: str
    spans: Mapping[str, Any]

    def picture(self, name: str, draw: Callable[..., bytes], *, alt: str, caption: str) -> Html:
        """Draw for both backgrounds, save the light one, and return the figure."""
        from mer_jax.data.atomic import atomic_path

        light, dark = (draw(theme=theme, note=self.note) for theme in (plots.LIGHT, plots.DARK))
        folder = self.run.path / "figures"
        folder.mkdir(exist_ok=True)
        with atomic_path(folder / f"{name}.png") as temporary:
            temporary.write_bytes(light)
        return self.page.figure(light, dark, alt=alt, caption=caption)

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

    def curves(self) -> None:
        """Accuracy, loss, Brier score and AUC by epoch."""
        epochs = [int(record["epoch"]) for record in self.run.epochs]
        best, how = self.run.best_epoch
        num_classes = len(self.run.classes)
        wanted = {
            "accuracy": ("Accuracy", "Accuracy (0–1)", 1 / num_classes),
            "loss": ("Loss", "Cross-entropy (nats)", float(np.log(num_classes))),
            "brier": ("Brier score", "Brier score (0–2)", 1 - 1 / num_classes),
            "auc": ("AUC", "AUC, macro (0–1)", 0.5),
        }
        figures, absent = [], []
        for metric, (title, label, chance) in wanted.items():
            series = {part: self.run.curve(part, metric) for part in _PARTS}
            series = {part: values for part, values in series.items() if not np.isnan(values).all()}
            if not series:
                absent.append(metric)
                continue

            def draw(series=series, title=title, label=label, chance=chance, **style) -> bytes:
                return plots.curve(
                    epochs, series, title=title, label=label, best_epoch=best, chance=chance, **style
                )

            caption = f"{title} by epoch: {' and '.join(series)}."
            figures.append(self.picture(f"curve_{metric}", draw, alt=caption, caption=caption))
        remarks = [f"Best epoch: {best} of {epochs[-1]} ({how})."]
        if absent:
            remarks.append(f"Not recorded by epoch: {', '.join(absent)}.")
        self.page.section("Training", html.gallery(figures), html.paragraph(" ".join(remarks), class_="note"))

    def errors(self) -> None:
        """Confusion matrices, reliability, and the scores of each class."""
        run, matrix = self.run, np.asarray(self.run.scores["test"]["confusion"])
        bins = scores.reliability(run.labels, run.probabilities)
        colours = plots.class_colours(run.classes)
        figures = []
        for kind, normalise in (("counts", False), ("normalised", True)):

            def draw(normalise=normalise, **style) -> bytes:
                return plots.confusion(matrix, run.classes, normalise=normalise, **style)

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

    def data(self) -> None:
        """How many clips each class has in each split."""
        run, counts = self.run, self.run.facts["data"]["counts"]
        caption = "Clips of each class in each split."
        figure = self.picture(
            "data_distribution",
            lambda **style: plots.data_distribution(counts, run.classes, **style),
            alt=caption,
            caption=caption,
        )
        splits = list(counts)
        rows = []
        for name in run.classes:
            found = [int(counts[split].get(name, 0)) for split in splits]
            rows.append([name, *(f"{count:,}" for count in [*found, sum(found)])])
        table = self.page.table(
            "Clips of each class",
            ["Class", *splits, "All"],
            rows,
            align="l" + "r" * (len(splits) + 1),
        )
        self.page.section("Data", html.gallery([figure, table]))

    def features(self, examples: Examples) -> None:
        """One picture of each feature, a clip of each class."""
        figures = []
        for number, (name, example) in enumerate(examples.features.items(), 1):

            def draw(name=name, example=example, **style) -> bytes:
                return feature_example(name, example, self.run.classes, **style)

            file = f"example_{number:02d}_{re.sub('[^A-Za-z0-9]+', '_', name).strip('_')[:40]}"
            caption = f"{name}: one clip of each class."
            figures.append(self.picture(file, draw, alt=caption, caption=caption))
        table = self.page.table(
            "Clips that the pictures were computed from",
            ["Class", "Clip"],
            list(examples.clip_ids.items()),
            align="ll",
        )
        self.page.section("Features", html.gallery([*figures, table]))

    def study(self) -> None:
        """What the study published, marked as another data set, beside this run."""
        test, span = self.run.scores["test"], self.spans["accuracy"]
        rows, entries = [], []
        for figure in study_figures.FIGURES:
            peak = None if figure.peak_accuracy is None else (figure.accuracy, figure.peak_accuracy)
            entries.append((f"{figure.features} ({figure.reading})", figure.accuracy, peak, False))
            rows.append(run_facts.study_row(figure))
        # Said of this run alone: as the picture's heading it would seem to be about the study too.
        own = f"this run ({self.note})" if self.note else "this run"
        entries.append((own, float(test["accuracy"]), tuple(span) if span else None, True))
        rows.append(
            ["", own, "", run_facts.number(test["accuracy"]), "", run_facts.number(test["auc"]), "computed"]
        )

        def draw(*, theme: Theme, note: str) -> bytes:
            legend = ("study, private data (bar: to its peak)", "this run (bar: 95 % interval)")
            title = "Accuracy, not on the same data"
            return plots.points(entries, label="Accuracy (0–1)", title=title, legend=legend, theme=theme)

        caption = (
            "Accuracy of the study on its private clips (hollow) and of this run on its own data (filled)."
        )
        table = self.page.table(
            "Figures of the 2021 study (another data set) and of this run",
            ["Approach", "Features", "Model", "Accuracy", "Peak", "AUC", "Reading"],
            rows,
            align="lllrrrl",
        )
        brier = f"The Brier score of this run is {run_facts.number(test['brier'])}."
        self.page.section(
            "The 2021 study beside this run",
            html.paragraph(study_figures.OTHER_DATA, class_="warning"),
            html.paragraph(study_figures.MSE_NOTE, " ", brier),
            table,
            html.gallery([self.picture("study", draw, alt=caption, caption=caption)]),
            html.paragraph(study_figures.SOURCE_NOTE, class_="note"),
        )

    def facts(self) -> None:
        """How the run came about: versions, seed, split, hardware, time, configuration."""
        config = json.dumps(self.run.config, indent=2, ensure_ascii=False)
        tables = [
            self.page.table(title, ["Fact", "Value"], rows, align="ll")
            for title, rows in run_facts.fact_tables(self.run)
        ]
        self.page.section("Run", html.gallery(tables))
        self.page.section("Configuration", html.code_block(config))

"""The sections of a study's report: which tables and pictures stand where, and what is said about them."""

import json
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import (
    confusion_plots,
    curve_plots,
    html,
    run_facts,
    study_facts,
    study_plots,
    study_rows,
)
from mer_jax.evaluation.html import element
from mer_jax.evaluation.shared_sections import OwnFigure, SharedSections
from mer_jax.evaluation.study_facts import NAMES
from mer_jax.evaluation.study_figures import counterparts
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_table import COMPARED, Row, Table
from mer_jax.evaluation.study_verdict import p_value, sentences, signed

_PARTS = ("train", "validation")
_CURVES = ("accuracy", "loss", "brier", "auc")


@dataclass(frozen=True, kw_only=True)
class StudySections(SharedSections):
    """The sections of the page of one study.

    Attributes:
        table: everything that was found.
    """

    table: Table

    def headline(self) -> None:
        """The chosen cells, large; what came out, in sentences; the notes."""
        table, study = self.table, self.table.study
        tiles = []
        for approach, name in APPROACHES.items():
            if approach not in table.choices:
                tiles.append((name, "missing", "no cell is finished"))
                continue
            choice = table.choices[approach]
            span = choice.pooled.intervals["accuracy"]
            detail = f"95 %: {span[0]:.3f}–{span[1]:.3f}; {choice.title}" if span else choice.title
            tiles.append((f"{name}: accuracy", run_facts.number(choice.pooled.scores["accuracy"]), detail))
        for comparison in table.comparisons[:1]:
            found = comparison.differences["accuracy"]
            if found is not None:
                detail = f"95 %: {signed(found.low)} to {signed(found.high)}; {p_value(found.p_value)}"
                tiles.append((study_facts.comparison_name(comparison), signed(found.value), detail))
        unfinished = ""
        if table.incomplete:
            unfinished = html.paragraph(
                f"This study is not finished: {len(table.rows) - len(table.incomplete)} of {len(table.rows)} cells are done. "
                "Run it again to go on.",
                class_="warning",
            )
        notes = [element("li", note) for note in study.facts["notes"]]
        self.page.section(
            "Result",
            unfinished,
            html.tiles(tiles),
            *(html.paragraph(sentence) for sentence in sentences(table)),
            element("ul", *notes) if notes else "",
        )

    def scores(self) -> None:
        """The table, and the same as a picture."""
        study = self.table.study
        arrows = [f"{name}\u00a0{'↓' if less else '↑'}" for name, less in NAMES.values()]  # on one line
        header = [
            "Cell",
            "Valid. acc.",
            *arrows,
            "Parameters",
            "Features (s)",
            "Training (s)",
            "Study",
        ]
        content = self.page.table(
            f"Scores on the test part: {study.data_name}, {study_facts.splits(study)}",
            header,
            study_rows.grouped(self.table, study_rows.score_cells),
            align="l" + "r" * (len(header) - 1),
            compact=True,
        )
        num_classes = len(study.classes)
        metrics = {
            "accuracy": ("Accuracy (0–1)", 1 / num_classes),
            "macro_f1": ("Macro F1 (0–1)", 1 / num_classes),
            "auc": ("AUC, macro (0–1)", 0.5),
        }
        entries = [study_rows.picture_row(row, study, tuple(metrics)) for row in self.table.rows]
        caption = "Scores of all cells, 95 % intervals over songs. Bold names, outlined marks: chosen on validation data."
        figure = self.picture(
            "scores",
            lambda **style: study_plots.scores(entries, metrics, title="Scores on the test part", **style),
            alt=caption,
            caption=caption,
            wide=True,
        )
        notes = (study_facts.SCORES_NOTE, study_facts.CHOICE_NOTE, study_facts.TIME_NOTE)
        self.page.section("Scores", content, figure, *(html.paragraph(note, class_="note") for note in notes))

    def comparison(self) -> None:
        """The chosen cells of the approaches against one another, and the spread over splits."""
        several = len(self.table.study.splits) > 1
        header = ["Comparison", "Score", "Difference", "95 % interval", "p"]
        header += ["Over splits", "p"] if several else ["McNemar"]
        wanted = slice(5, 7) if several else slice(7, 8)
        rows = [[*row[:5], *row[wanted]] for row in study_facts.comparison_rows(self.table)]
        blocks: list[object] = []
        if rows:
            blocks.append(
                self.page.table(
                    "Chosen cells of one approach minus those of another, on the same clips",
                    header,
                    rows,
                    align="ll" + "r" * (len(header) - 2),
                )
            )
            blocks.append(html.paragraph(study_facts.COMPARISON_NOTE, class_="note"))
            if not several:
                blocks.append(html.paragraph(study_facts.MCNEMAR_NOTE, class_="note"))
        else:
            blocks.append(html.paragraph("Nothing to compare yet: two approaches need a finished cell each."))
        choices = [
            [APPROACHES[approach], choice.title, *(run_facts.number(choice.pooled.scores[m]) for m in NAMES)]
            for approach, choice in self.table.choices.items()
        ]
        if choices:
            names = [name for name, _ in NAMES.values()]
            caption = "Cells chosen on validation data, and their test scores"
            blocks.append(self.page.table(caption, ["Approach", "Chosen", *names], choices, align="llrrrrrr"))
        if several:
            blocks += self._over_splits()
        self.page.section("Comparison", *blocks)

    def published_figures(self) -> None:
        """The study's own figures beside the cells that have a counterpart or are chosen."""
        own = []
        for row in self.table.rows:
            cell, pooled = row.cell, row.pooled
            if pooled is None or not (
                row.num_chosen or counterparts(cell.approach, cell.features, cell.network)
            ):
                continue
            accuracy = pooled.scores["accuracy"]
            assert accuracy is not None  # defined wherever there is a clip
            own.append(
                OwnFigure(
                    approach=str(cell.approach),
                    name=cell.title,
                    network=cell.network,
                    accuracy=accuracy,
                    interval=pooled.intervals["accuracy"],
                    auc=pooled.scores["auc"],
                )
            )
        self.published("the cells here", own, "The Brier scores of the cells are in the table of scores.")

    def curves(self) -> None:
        """Accuracy, loss, Brier score and AUC by epoch, all cells."""
        num_classes = len(self.classes)
        metrics = {
            "accuracy": ("Accuracy (0–1)", 1 / num_classes),
            "loss": ("Cross-entropy (nats)", float(np.log(num_classes))),
            "brier": ("Brier score (0–2)", 1 - 1 / num_classes),
            "auc": ("AUC, macro (0–1)", 0.5),
        }
        figures = []
        for approach, rows in study_rows.by_approach(self.table).items():
            cells = [_curves(row) for row in rows if row.cell.runs]
            if not cells:
                continue
            title = f"Training, {study_facts.HEADINGS[approach].lower()}"

            def draw(cells=cells, title=title, **style) -> bytes:
                return curve_plots.curves(cells, metrics, title=title, **style)

            caption = (
                f"{title}. A line a split; loss and Brier score are cut at twice what guessing gives; the AUC is recorded for "
                "the validation part."
            )
            figures.append(self.picture(f"curves_{approach}", draw, alt=caption, caption=caption, wide=True))
        self.page.section("Training", *figures or [html.paragraph("No cell has been trained yet.")])

    def errors(self) -> None:
        """Confusion matrices of all finished cells."""
        figures = []
        for approach, rows in study_rows.by_approach(self.table).items():
            matrices = {row.cell.title: row.pooled.confusion for row in rows if row.pooled is not None}
            if not matrices:
                continue
            title = f"Confusion matrices, {study_facts.HEADINGS[approach].lower()}"

            def draw(matrices=matrices, title=title, **style) -> bytes:
                return confusion_plots.confusions(matrices, self.classes, title=title, **style)

            caption = f"{title}. Rows: true class, columns: predicted; shares of each true class, all test parts pooled."
            figures.append(
                self.picture(f"confusion_{approach}", draw, alt=caption, caption=caption, wide=True)
            )
        self.page.section("Errors", *figures or [html.paragraph("No cell is finished yet.")])

    def facts(self) -> None:
        """What each cell ran on; versions, hardware, splits, settings."""
        study = self.table.study
        header = [
            "Cell",
            "Data",
            "Clips: train / validation / test",
            "Splits done",
            "Epochs (kept)",
            "Base",
            "Ran on",
        ]
        content = self.page.table(
            "What each cell ran on",
            header,
            study_rows.grouped(self.table, study_rows.fact_cells),
            align="lllrrll",
            compact=True,
        )
        facts = dict(study.facts)
        kept = ("data", "versions", "hardware", "settings", "notes")
        own = [["Splits", study_facts.splits(study)], ["Selected on", "validation part"]]
        own += run_facts.flat({key: facts[key] for key in facts if key not in (*kept, "folds", "seeds")})
        tables = [("Study", own), ("Data set", run_facts.data_rows(facts["data"]))]
        tables += [(key.capitalize(), run_facts.flat(facts[key])) for key in ("hardware", "versions")]
        shown = [self.page.table(title, ["Fact", "Value"], rows, align="ll") for title, rows in tables]
        settings = json.dumps(facts["settings"], indent=2, ensure_ascii=False)
        self.page.section("Cells", content)
        self.page.section("Study", html.gallery(shown))
        self.page.section("Settings", html.code_block(settings))

    def _over_splits(self) -> list[object]:
        header = ["Cell"]
        for metric in COMPARED:
            header += [NAMES[metric][0], "sd", "95 % interval"]
        content = self.page.table(
            f"Mean over {len(self.table.study.splits)} splits",
            header,
            study_rows.grouped(self.table, study_rows.over_splits_cells),
            align="l" + "r" * (len(header) - 1),
            compact=True,
        )
        return [content, html.paragraph(study_facts.OVER_SPLITS_NOTE, class_="note")]


def _curves(row: Row) -> curve_plots.Curves:
    runs = list(row.cell.runs.values())
    return curve_plots.Curves(
        name=row.cell.title,
        runs=[{part: {m: run.curve(part, m) for m in _CURVES} for part in _PARTS} for run in runs],
        epochs=[np.array([int(record["epoch"]) for record in run.epochs]) for run in runs],
        best_epochs=[run.facts.get("best_epoch") for run in runs],
    )

"""The sections of a study's report that do not depend on what is predicted; those that do lie beside this file."""

import json
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import (
    curve_plots,
    html,
    run_facts,
    study_facts,
    study_plots,
    study_rows,
)
from mer_jax.evaluation.html import element
from mer_jax.evaluation.measures import CLASSES, Measures
from mer_jax.evaluation.shared_sections import SharedSections
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_table import Row, Table
from mer_jax.evaluation.study_verdict import p_value, sentences, signed

_PARTS = ("train", "validation")


@dataclass(frozen=True, kw_only=True)
class StudySections(SharedSections):
    """The sections of the page of one study.

    Attributes:
        table: everything that was found.
    """

    table: Table

    @property
    def known(self) -> Measures:
        """How predictions are scored."""
        return self.table.study.measures

    def guesses(self) -> dict[str, float | None]:
        """What guessing gives, by score: in the table and by epoch."""
        pooled = [row.pooled for row in self.table.rows if row.pooled is not None]
        truth = pooled[0].predictions[0].truth if pooled else None
        found = {**self.known.curves, **self.known.table}
        return {metric: measure.guess(len(self.classes), truth) for metric, measure in found.items()}

    def headline(self) -> None:
        """The chosen cells, large; what came out, in sentences; the notes."""
        table, study = self.table, self.table.study
        headline, tiles = self.known.headline, []
        for approach, name in APPROACHES.items():
            if approach not in table.choices:
                tiles.append((name, "missing", "no cell is finished"))
                continue
            choice = table.choices[approach]
            span = study_facts.spanned(choice.pooled.intervals[headline], 3)
            detail = f"95 %: {span}; {choice.title}" if span else choice.title
            title = f"{name}: {self.known.main_in_words}"
            tiles.append((title, run_facts.number(choice.pooled.scores[headline]), detail))
        for comparison in table.comparisons[:1]:
            found = comparison.differences[headline]
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
        # A no-break space: on one line.
        arrows = [
            f"{one.title}\u00a0{'↓' if one.smaller_is_better else '↑'}" for one in self.known.table.values()
        ]
        header = ["Cell", study_facts.validation_name(self.known), *arrows]
        header += ["Parameters", "Features (s)", "Training (s)"]
        header += ["Study"] if self.known is CLASSES else []
        content = self.page.table(
            f"Scores on the test part: {study.data_name}, {study_facts.splits(study)}",
            header,
            study_rows.grouped(self.table, study_rows.score_cells),
            align="l" + "r" * (len(header) - 1),
            compact=True,
        )
        guesses = self.guesses()
        metrics = {name: (self.known.table[name].label, guesses[name]) for name in self.known.pictured}
        entries = [study_rows.picture_row(row, study, tuple(metrics)) for row in self.table.rows]
        caption = "Scores of all cells, 95 % intervals over songs. Bold names, outlined marks: chosen on validation data."
        figure = self.picture(
            "scores",
            lambda **style: study_plots.scores(entries, metrics, title="Scores on the test part", **style),
            alt=caption,
            caption=caption,
            wide=True,
        )
        notes = [study_facts.scores_note(self.known), study_facts.choice_note(self.known)]
        notes.append(study_facts.TIME_NOTE)
        if self.known is CLASSES:
            notes.append(study_facts.STUDY_NOTE)
        self.page.section("Scores", content, figure, *(html.paragraph(note, class_="note") for note in notes))

    def comparison(self) -> None:
        """The chosen cells of the approaches against one another, and the spread over splits."""
        several = len(self.table.study.splits) > 1
        header = ["Comparison", "Score", "Difference", "95 % interval", "p"]
        mcnemar = not several and self.known is CLASSES
        header += ["Over splits", "p"] if several else ["McNemar"] if mcnemar else []
        wanted = slice(5, 7) if several else slice(7, 8) if mcnemar else slice(0, 0)
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
            blocks.append(html.paragraph(study_facts.comparison_note(self.known), class_="note"))
            if mcnemar:
                blocks.append(html.paragraph(study_facts.MCNEMAR_NOTE, class_="note"))
        else:
            blocks.append(html.paragraph("Nothing to compare yet: two approaches need a finished cell each."))
        choices = [
            [APPROACHES[approach], choice.title, *map(run_facts.number, choice.pooled.scores.values())]
            for approach, choice in self.table.choices.items()
        ]
        if choices:
            names = [one.title for one in self.known.table.values()]
            caption = "Cells chosen on validation data, and their test scores"
            header = ["Approach", "Chosen", *names]
            blocks.append(self.page.table(caption, header, choices, align="ll" + "r" * len(names)))
        if several:
            blocks += self._over_splits()
        self.page.section("Comparison", *blocks)

    def curves(self) -> None:
        """Loss and scores by epoch, all cells."""
        guesses = self.guesses()
        metrics = {name: (one.label, guesses[name]) for name, one in self.known.curves.items()}
        cut = [one.title for name, one in self.known.curves.items() if one.smaller_is_better]
        figures = []
        for approach, rows in study_rows.by_approach(self.table).items():
            cells = [_curves(row, tuple(metrics)) for row in rows if row.cell.runs]
            if not cells:
                continue
            title = f"Training, {study_facts.HEADINGS[approach].lower()}"

            def draw(cells=cells, title=title, **style) -> bytes:
                return curve_plots.curves(cells, metrics, title=title, **style)

            caption = (
                f"{title}. A line a split; {' and '.join(cut)} are cut at twice what guessing gives. What has no line for the "
                "training part is recorded for the validation part alone."
            )
            figures.append(self.picture(f"curves_{approach}", draw, alt=caption, caption=caption, wide=True))
        self.page.section("Training", *figures or [html.paragraph("No cell has been trained yet.")])

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
        for metric in self.known.compared:
            header += [self.known.table[metric].title, "sd", "95 % interval"]
        content = self.page.table(
            f"Mean over {len(self.table.study.splits)} splits",
            header,
            study_rows.grouped(self.table, study_rows.over_splits_cells),
            align="l" + "r" * (len(header) - 1),
            compact=True,
        )
        return [content, html.paragraph(study_facts.OVER_SPLITS_NOTE, class_="note")]


def _curves(row: Row, metrics: tuple[str, ...]) -> curve_plots.Curves:
    runs = list(row.cell.runs.values())
    return curve_plots.Curves(
        name=row.cell.title,
        runs=[{part: {m: run.curve(part, m) for m in metrics} for part in _PARTS} for run in runs],
        epochs=[np.array([int(record["epoch"]) for record in run.epochs]) for run in runs],
        best_epochs=[run.facts.get("best_epoch") for run in runs],
    )

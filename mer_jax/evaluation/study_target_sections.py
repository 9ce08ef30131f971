"""The sections of a study's report on numbers or tags alone: the score of each target, predictions, how targets are spread."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import html, plots, run_facts, study_facts, study_plots, study_rows, target_plots
from mer_jax.evaluation.html import Html
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_pooling import target_intervals
from mer_jax.evaluation.study_sections import StudySections
from mer_jax.evaluation.study_table import Choice, Row

_WIDE = 12  # with more targets than this, they are the rows of the table and cells its columns


@dataclass(frozen=True, kw_only=True)
class TargetStudySections(StudySections):
    """The sections of the page of one study of numbers or tags."""

    def targets(self) -> None:
        """The score of each target: a picture of the chosen cells, a table of all."""
        finished = [row for row in self.table.rows if row.pooled is not None]
        if not finished:
            self.page.section("Targets", html.paragraph("No cell is finished yet."))
            return
        measure = self.known.main
        spans = {
            approach: target_intervals(self.table.study, choice.pooled)
            for approach, choice in self.table.choices.items()
        }
        values = {
            approach: {name: self._value(choice.pooled.per_target[name]) for name in self.classes}
            for approach, choice in self.table.choices.items()
        }
        what = f"{measure.title} of each {'tag' if self.known.kind == 'tags' else 'target'}"
        caption = (
            f"{what}, the chosen cell of each approach on the test part; bars are 95 % intervals over songs."
        )
        picture = self.picture(
            "targets",
            lambda **style: study_plots.per_target(
                values, spans, self.classes, label=measure.label, guess=self.guesses()[self.known.headline],
                title=f"{what}, chosen cells", **style,
            ),
            alt=caption,
            caption=caption,
        )  # fmt: skip
        note = "All scores of each target are in results.json."
        self.page.section(
            "Targets",
            self._table(what, finished),
            html.gallery([picture]),
            html.paragraph(note, class_="note"),
        )

    def predictions(self) -> None:
        """Predictions of the chosen cells against the truth, of numbers."""
        figures = []
        for approach, choice in self.table.choices.items():
            truth, found = _answers(choice)
            title = f"Predicted against true values, {APPROACHES[approach].lower()}"
            caption = (
                f"{title} ({choice.title}): test parts, a point for each clip"
                f"{' and seed' if len(choice.pooled.predictions) > 1 else ''}."
            )

            def draw(truth=truth, found=found, title=title, **style) -> bytes:
                return target_plots.scatter(truth, found, self.classes, title=title, **style)

            name = f"predictions_{approach}"
            figures.append(self.picture(name, draw, alt=caption, caption=caption, wide=True))
        if figures:
            self.page.section("Predictions", *figures)

    def target_data(self, values: Mapping[str, np.ndarray], remark: str) -> None:
        """How the targets are spread over each part.

        Args:
            values: part -> (clips, targets) true values.
            remark: what to say of the parts; "" for nothing.
        """
        said = html.paragraph(remark, class_="note") if remark else ""
        if self.known.kind == "tags":
            counts = {part: dict(zip(self.classes, _counts(y), strict=True)) for part, y in values.items()}
            caption = "Clips that have each tag, in each part."
            drawn = counts
            if len(self.classes) > _WIDE:  # a bar a part would be a picture of several screens
                drawn = {
                    "": dict(zip(self.classes, _counts(np.concatenate(list(values.values()))), strict=True))
                }

            def draw(**style) -> bytes:
                return plots.data_distribution(drawn, self.classes, title="Clips that have each tag", **style)

            figure = self.picture("data_distribution", draw, alt=caption, caption=caption)
            header = ["Tag", *values, "All", "Share"]
            rows = []
            for name in self.classes:
                found = [counts[part][name] for part in values]
                share = sum(found) / sum(map(len, values.values()))
                rows.append([name, *(f"{n:,}" for n in [*found, sum(found)]), f"{100 * share:.1f} %"])
            table = self.page.table(caption, header, rows, align="l" + "r" * (len(header) - 1))
            self.page.section("Data", html.gallery([figure, table]), said)
            return
        caption = "Values of each target: share of the clips of each part."
        figure = self.picture(
            "data_distribution",
            lambda **style: target_plots.distribution(values, self.classes, **style),
            alt=caption,
            caption=caption,
            wide=True,
        )
        whole = np.concatenate(list(values.values()))
        rows = [
            [name, *(f"{value:.3g}" for value in (y.mean(), y.std(), y.min(), np.median(y), y.max()))]
            for name, y in zip(self.classes, whole.T, strict=True)
        ]
        header = ["Target", "Mean", "Std", "Lowest", "Median", "Highest"]
        table = self.page.table(f"Values of each target, {len(whole):,} clips", header, rows, align="lrrrrr")
        self.page.section("Data", figure, table, said)

    def _table(self, what: str, finished: list[Row]) -> Html:
        """The score of each target by cell."""
        caption = f"{what} on the test part"
        if len(self.classes) > _WIDE:
            header = ["Tag" if self.known.kind == "tags" else "Target", *(row.cell.title for row in finished)]
            rows: list = [[name, *(self._cell(row, name) for row in finished)] for name in self.classes]
        else:
            header = ["Cell", *self.classes, "Mean"]
            rows = study_rows.grouped(
                self.table,
                lambda row, study: [
                    study_rows.name(row, study),
                    *(self._cell(row, name) for name in self.classes),
                    study_facts.score(row, self.known.headline),
                ],
            )
        return self.page.table(caption, header, rows, align="l" + "r" * (len(header) - 1), compact=True)

    def _cell(self, row: Row, name: str) -> str:
        return (
            study_facts.DASH
            if row.pooled is None
            else run_facts.number(self._value(row.pooled.per_target[name]))
        )

    def _value(self, scores: Mapping[str, float | None]) -> float | None:
        return scores[self.known.headline]


def _answers(choice: Choice) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted values of all seeds."""
    parts = choice.pooled.predictions
    return tuple(
        np.concatenate([getattr(part, name) for part in parts]) for name in ("targets", "predictions")
    )  # type: ignore[return-value]


def _counts(y: np.ndarray) -> list[int]:
    return y.sum(axis=0).astype(int).tolist()

"""The sections of a study's report on classes alone: the 2021 study's figures, confusion matrices."""

from dataclasses import dataclass

from mer_jax.evaluation import confusion_plots, html, study_facts, study_rows
from mer_jax.evaluation.shared_sections import OwnFigure
from mer_jax.evaluation.study_figures import counterparts
from mer_jax.evaluation.study_sections import StudySections


@dataclass(frozen=True, kw_only=True)
class ClassSections(StudySections):
    """The sections of the page of one study of classes."""

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

"""Sections that the report of a run and that of a study have in common."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_jax.evaluation import html, plots, run_facts, study_figures
from mer_jax.evaluation.canvas import Theme
from mer_jax.evaluation.examples import Examples
from mer_jax.evaluation.feature_plots import feature_example
from mer_jax.evaluation.html import Html


@dataclass(frozen=True)
class OwnFigure:
    """A result of ours, to stand beside the published ones.

    Attributes:
        approach: "1", "2", "3", or "" where that does not matter.
        name: of the run or the cell.
        network: its network, or "".
        accuracy: 0..1.
        interval: [low, high] of the accuracy, or None.
        auc: 0..1, or None where undefined.
    """

    approach: str
    name: str
    network: str
    accuracy: float
    interval: list[float] | None
    auc: float | None


@dataclass(frozen=True, kw_only=True)
class SharedSections:
    """The sections of a page; each adds itself and leaves its pictures under ``figures/``.

    Attributes:
        path: the folder of the run or the study.
        classes: names of the classes.
        page: the page under construction.
        note: warning to write into every picture; "" for none.
    """

    path: Path
    classes: tuple[str, ...]
    page: html.Page
    note: str

    def picture(
        self, name: str, draw: Callable[..., bytes], *, alt: str, caption: str, wide: bool = False
    ) -> Html:
        """Draw for both backgrounds, save the light one, and return the figure."""
        from mer_jax.data.atomic import atomic_path

        light, dark = (draw(theme=theme, note=self.note) for theme in (plots.LIGHT, plots.DARK))
        with atomic_path(self.path / "figures" / f"{name}.png") as temporary:
            temporary.write_bytes(light)
        return self.page.figure(light, dark, alt=alt, caption=caption, wide=wide)

    def data(self, counts: Mapping[str, Mapping[str, int]], remark: str = "") -> None:
        """How many clips each class has in each part."""
        caption = "Clips of each class in each split."
        figure = self.picture(
            "data_distribution",
            lambda **style: plots.data_distribution(counts, self.classes, **style),
            alt=caption,
            caption=caption,
        )
        splits = list(counts)
        rows = []
        for name in self.classes:
            found = [int(counts[split].get(name, 0)) for split in splits]
            rows.append([name, *(f"{count:,}" for count in [*found, sum(found)])])
        table = self.page.table(
            "Clips of each class",
            ["Class", *splits, "All"],
            rows,
            align="l" + "r" * (len(splits) + 1),
        )
        said = html.paragraph(remark, class_="note") if remark else ""
        self.page.section("Data", html.gallery([figure, table]), said)

    def features(
        self,
        examples: Examples,
        *,
        names: Sequence[str] = (),
        header: str = "Class",
        each: str = "one clip of each class",
    ) -> None:
        """One picture of each feature.

        Args:
            examples: clips and their features.
            names: what the clips stand for, in order; the classes unless given.
            header: what ``names`` are.
            each: the clips in words.
        """
        figures = []
        names = names or self.classes
        for number, (name, example) in enumerate(examples.features.items(), 1):

            def draw(name=name, example=example, **style) -> bytes:
                return feature_example(name, example, names, **style)

            file = f"example_{number:02d}_{re.sub('[^A-Za-z0-9]+', '_', name).strip('_')[:40]}"
            caption = f"{name}: {each}."
            figures.append(self.picture(file, draw, alt=caption, caption=caption))
        table = self.page.table(
            "Clips that the pictures were computed from",
            [header, "Clip"],
            list(examples.clip_ids.items()),
            align="ll",
        )
        self.page.section("Features", html.gallery([*figures, table]))

    def published(self, who: str, own: Sequence[OwnFigure], brier: str) -> None:
        """What the study published, marked as another data set, beside our own figures.

        Args:
            who: what our figures are of, e.g. "this run".
            own: our figures.
            brier: a sentence on the Brier score that is reported here.
        """
        rows, entries = [], []
        for figure in study_figures.FIGURES:
            peak = None if figure.peak_accuracy is None else (figure.accuracy, figure.peak_accuracy)
            entries.append((f"{figure.features} ({figure.reading})", figure.accuracy, peak, False))
            rows.append(run_facts.study_row(figure))
        # The warning is said of our figures alone: as the picture's heading it would seem to be about the study too.
        for found in own:
            interval = (found.interval[0], found.interval[1]) if found.interval else None
            entries.append((found.name, found.accuracy, interval, True))
            scores = [run_facts.number(found.accuracy), "", run_facts.number(found.auc)]
            rows.append([found.approach, found.name, found.network, *scores, "computed"])

        def draw(*, theme: Theme, note: str) -> bytes:
            ours = f"{who}, {self.note}" if self.note else who
            legend = ("study, private data (bar: to its peak)", f"{ours} (bar: 95 % interval)")
            title = "Accuracy, not on the same data"
            return plots.points(entries, label="Accuracy (0–1)", title=title, legend=legend, theme=theme)

        caption = f"Accuracy of the study on its private clips (hollow) and of {who} on the data of this report (filled)."
        table = self.page.table(
            f"Figures of the 2021 study (another data set) and of {who}",
            ["Approach", "Features", "Model", "Accuracy", "Peak", "AUC", "Reading"],
            rows,
            align="lllrrrl",
        )
        self.page.section(
            f"The 2021 study beside {who}",
            html.paragraph(study_figures.OTHER_DATA, class_="warning"),
            html.paragraph(study_figures.MSE_NOTE, " ", brier),
            table,
            html.gallery([self.picture("study", draw, alt=caption, caption=caption)]),
            html.paragraph(study_figures.SOURCE_NOTE, class_="note"),
        )

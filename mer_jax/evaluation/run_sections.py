"""Sections that the reports of all runs have in common, whatever they were trained for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import html, plots, run_facts
from mer_jax.evaluation.run_folder import RunRecord
from mer_jax.evaluation.shared_sections import SharedSections


@dataclass(frozen=True, kw_only=True)
class RunSections(SharedSections):
    """The sections of the page of one run.

    Attributes:
        run: the run.
    """

    run: RunRecord

    def training(self, wanted: Mapping[str, tuple[str, str, float | None]]) -> None:
        """Loss and scores by epoch.

        Args:
            wanted: metric -> (title, label of its axis, value that guessing gives, or None).
        """
        epochs = [int(record["epoch"]) for record in self.run.epochs]
        best, how = self.run.best_epoch
        figures, absent = [], []
        for metric, (title, label, chance) in wanted.items():
            series = {part: self.run.curve(part, metric) for part in ("train", "validation")}
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

    def facts(self) -> None:
        """How the run came about: versions, seed, split, hardware, time, configuration."""
        config = json.dumps(self.run.config, indent=2, ensure_ascii=False)
        tables = [
            self.page.table(title, ["Fact", "Value"], rows, align="ll")
            for title, rows in run_facts.fact_tables(self.run)
        ]
        self.page.section("Run", html.gallery(tables))
        self.page.section("Configuration", html.code_block(config))

"""What a study shows while it runs: a line a cell, and how far a feature is."""

import sys
import time
from typing import Any

from mer_jax.evaluation.measures import Measures
from mer_jax.evaluation.run_facts import number


class Progress:
    """Cells done, the scores of each, and the time that is left.

    Args:
        jobs_in_all: cells times splits.
        done_before: how many an earlier run finished.
        shown: show anything at all.
        measures: which scores to show of a cell.
    """

    def __init__(self, *, jobs_in_all: int, done_before: int, shown: bool, measures: Measures) -> None:
        self.total = jobs_in_all
        self.before = self.done = done_before
        self.shown = shown
        self.measures = measures
        self.started = time.perf_counter()
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        if self.shown and self.before:
            print(f"{self.before} of {self.total} cells are done already", flush=True)
        if self.shown and sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=Console(file=sys.stdout))
            self._cells = self._bar.add_task("cells", total=self.total, completed=self.before)
            self._feature = self._bar.add_task("features", total=None, visible=False)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def features(self, title: str, done: int, total: int) -> None:
        """``done`` of ``total`` clips have gone through a front-end."""
        if self._bar is not None:
            self._bar.update(
                self._feature,
                description=f"computing {title}",
                completed=done,
                total=total,
                visible=done < total,
            )
        elif self.shown and done == total:
            print(f"computed {title} of {total} clips", flush=True)

    def begin(self, job: Any) -> None:
        """A cell starts to train."""
        if self._bar is not None:
            self._bar.update(self._cells, description=f"{job.cell.id} fold {job.fold} seed {job.seed}")

    def end(self, job: Any, result: dict[str, Any]) -> None:
        """A cell is done."""
        self.done += 1
        if not self.shown:
            return
        per_job = (time.perf_counter() - self.started) / (self.done - self.before)
        left_s = per_job * (self.total - self.done)
        test, table = result["scores"]["test"], self.measures.table
        said = "  ".join(f"{table[name].title} {number(test[name])}" for name in self.measures.compared)
        line = (
            f"[{self.done}/{self.total}] {job.cell.id} fold {job.fold} seed {job.seed}: "
            f"{said}  {result['epochs']} epochs, "
            f"{result['train_s']:.0f} s; about {left_s:.0f} s left"
        )
        if self._bar is not None:
            self._bar.console.print(line)
            self._bar.advance(self._cells)
        else:
            print(line, flush=True)

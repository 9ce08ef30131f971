"""What ``mer-jax prepare`` shows while it runs."""

import sys
import time
from typing import Any


class Progress:
    """A bar with the time that is left in a terminal; elsewhere a line every ten seconds or so. On standard error.

    Args:
        title: what is prepared.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None
        self._said = time.monotonic()

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(file=sys.stderr),
            )
            self._task = self._bar.add_task(self._title, total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int) -> None:
        """``done`` of ``total`` clips are written or refused."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            print(f"{self._title}: {done} of {total} clips", file=sys.stderr, flush=True)

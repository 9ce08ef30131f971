"""What ``mer-jax audit`` does."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mer_jax.checks import ArgumentError
from mer_jax.data.audit.engine import Progress, audit


def command(
    data: str, other: str | None, *, json_file: Path | None, strict: bool, id_ranges: Sequence[int]
) -> int:
    """Audit, show the tables, and write the JSON. Exit status 0, or 1 with ``strict`` if there are errors."""
    if json_file:
        _check_writable(json_file)
    with _progress() as progress:
        result = audit(data, other, id_ranges=id_ranges, progress=progress)
    result.show()
    if json_file:
        result.write(json_file)
        print(f"wrote {json_file}")
    return 1 if strict and result.count("error") else 0


def _check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before the work, not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(
            "--json",
            f"the folder of {str(path)!r} cannot be made ({error.strerror})",
            remedy="name another file",
        ) from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ArgumentError("--json", f"{str(path)!r} cannot be written", remedy="name another file")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for each thing that is done, where there is a terminal; a line each where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(file=sys.stdout)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks = {}
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)
            if not console.is_terminal and done == total:
                print(f"{what}: {total} done", flush=True)

        yield tell

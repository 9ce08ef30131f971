"""The table of ``mer-jax datasets``: what there is, and what of it is prepared on this machine."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mer_jax.checks import DataError
from mer_jax.data import files, ondisk
from mer_jax.data.builders import registry

_DEEPEST = 3


@dataclass(frozen=True)
class Row:
    """A data set.

    Attributes:
        name: what ``mer-jax prepare`` calls it, with the variant where it is not the default one.
        items: clips of the full archive.
        labels: what is known of each.
        groups: what a split must not cut.
        splits: published splits.
        licence: what may be done with it.
        homepage: the page to get it from.
        prepared: folders where it is prepared, with the number of clips in each.
    """

    name: str
    items: int
    labels: str
    groups: str
    splits: tuple[str, ...]
    licence: str
    homepage: str
    prepared: tuple[tuple[Path, int], ...]


def rows(search: Iterable[Path]) -> list[Row]:
    """All data sets that have a builder; ``search`` are folders to look for prepared ones in (three folders deep)."""
    there: dict[str, list[tuple[Path, int]]] = {}
    for folder, name, clips in _prepared(search):
        there.setdefault(name, []).append((folder, clips))
    found = []
    for name in registry.NAMES:
        about = registry.builder_class(name).about
        for variant, items in about.items.items():
            default = variant == next(iter(about.items))
            found.append(
                Row(
                    name if default else f"{name}:{variant}",
                    items,
                    about.labels,
                    about.groups,
                    about.splits,
                    about.licence,
                    about.homepage,
                    tuple(there.get("_".join(filter(None, (name, variant))), ())),
                )
            )
    return found


def command(search: tuple[Path, ...]) -> None:
    """``mer-jax datasets``: print the table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, header_style="bold", padding=(0, 1))
    for title in ("data set", "clips", "labels", "group", "published splits", "licence", "prepared here"):
        table.add_column(title, overflow="fold", justify="right" if title == "clips" else "left")
    for row in rows(search):
        where = "\n".join(
            f"{folder}" + (f" ({clips} clips)" if clips != row.items else "")
            for folder, clips in row.prepared
        )
        table.add_row(
            row.name,
            str(row.items),
            row.labels,
            row.groups,
            ", ".join(row.splits),
            row.licence,
            where or "no",
        )
    # Into a pipe or file: as wide as it needs to be, so that no cell is broken.
    console = Console()
    Console(width=None if console.is_terminal else 240).print(table)
    print(
        "mer-jax prepare NAME --manual-dir FOLDER --data-dir OUT reads an unpacked archive; docs/datasets.md has the pages"
    )


def _prepared(search: Iterable[Path]) -> Iterator[tuple[Path, str, int]]:
    """Folder, name and number of clips of each prepared data set."""
    seen = set()
    for top in search:
        if not top.is_dir():
            raise DataError(top, "is not a folder", expected="folders to look for prepared data sets in")
        for parent, folders, names in os.walk(top):
            folder = Path(parent)
            deep = len(folder.relative_to(top).parts) >= _DEEPEST
            here = ondisk.INDEX_NAME in names
            folders[:] = [] if deep or here else sorted(f for f in folders if not files.is_clutter(f))
            if here and folder.resolve() not in seen:
                seen.add(folder.resolve())
                try:
                    yield folder, *ondisk.summary(folder)
                except DataError:
                    continue  # another program's catalog.json

"""One name for every kind of data set."""

import dataclasses
import json
from difflib import get_close_matches
from pathlib import Path

from mer_jax.checks import DataError
from mer_jax.data.catalog import Catalog

SYNTHETIC = "synthetic"
FACTS = "facts.json"
"""Name, licence, citation and the like, beside a manifest or in a data folder: an object of strings."""
_KINDS = (
    '"synthetic" (or "synthetic:900" for so many clips), a folder with one sub-folder a class, a manifest CSV '
    "(path,label,group), a prepared data set or a JSON file that names several of these"
)


def load(spec: str | Path, *, sr: int = 22050, read_headers: bool = True) -> Catalog:
    """Open a data set by name or place.

    Args:
        spec: ``"synthetic"`` (the data set that this package composes itself; ``"synthetic:900"`` for so many clips), a
            folder with one sub-folder a class (:mod:`.folder`), a manifest CSV (:mod:`.manifest`), a folder that
            :func:`.prepare.prepare` wrote, or a JSON file that names several of these (:mod:`.joined`). A ``facts.json`` in
            the folder or beside the manifest is read into :attr:`Catalog.facts`.
        sr: rate to deliver, in Hz.
        read_headers: see :func:`.folder.catalog`.

    Returns:
        A catalog whose audio is kept in memory as it is decoded, if it fits (:mod:`.memory`).

    Raises:
        DataError: there is no such thing, or it cannot be used.
    """
    from mer_jax.data import memory

    return memory.in_memory(open_catalog(spec, sr=sr, read_headers=read_headers))


def open_catalog(spec: str | Path, *, sr: int, read_headers: bool) -> Catalog:
    """Like :func:`load`, but the audio is not kept in memory."""
    from mer_jax.data import folder, joined, manifest, ondisk
    from mer_jax.data.builders import registry

    path = Path(spec)
    name, separator, count = str(spec).partition(":")
    if name == SYNTHETIC and not (separator and path.exists()):
        return _composed(spec, count if separator else None, sr)
    if ondisk.is_prepared(path):
        return ondisk.catalog(path, sr=sr)
    if path.is_dir():
        return _with_facts(folder.catalog(path, sr=sr, read_headers=read_headers), path / FACTS)
    if path.is_file() and path.suffix.lower() == ".csv":
        return _with_facts(manifest.catalog(path, sr=sr, read_headers=read_headers), path.with_name(FACTS))
    if path.is_file() and path.suffix.lower() == joined.SUFFIX:
        return joined.catalog(path, sr=sr, read_headers=read_headers)
    if path.exists():
        raise DataError(path, "is a file, but not a CSV", expected=_KINDS)
    if registry.is_name(str(spec)):
        raise DataError(
            spec,
            "is a data set that has to be prepared first",
            expected="the folder that it was prepared to",
            remedy=f"mer-jax prepare {spec} --manual-dir FOLDER --data-dir OUT",
        )
    neighbours = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, [SYNTHETIC, *registry.NAMES, *neighbours], n=1)
    raise DataError(
        spec,
        "there is no such data set",
        expected=_KINDS,
        remedy=f"did you mean {near[0]!r}?" if near else "",
    )


def _with_facts(catalog: Catalog, path: Path) -> Catalog:
    """The catalog with what ``path`` says of it, if there is such a file."""
    if not path.is_file():
        return catalog
    expected = "a JSON object whose values are strings"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(path, f"cannot be read ({error})", expected=expected) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise DataError(path, "holds something else", expected=expected)
    name = found.pop("name", catalog.name)
    return dataclasses.replace(catalog, name=name, facts={**catalog.facts, **found})


def _composed(spec: str | Path, count: str | None, sr: int) -> Catalog:
    """The synthetic data set, of its usual size or of ``count`` clips."""
    from mer_jax.data import synthetic

    if count is None:
        return synthetic.catalog(sr=sr)
    if not count.isdecimal() or int(count) < 1:
        raise DataError(spec, f"has {count!r} for a number of clips", expected="synthetic, or synthetic:900")
    return synthetic.catalog(int(count), sr=sr)

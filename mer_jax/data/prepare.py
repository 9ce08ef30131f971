"""Decode and resample a data set once, into a folder that opens at once and reads without decoding."""

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer_jax.checks import DataError
from mer_jax.data import loading, locking, ondisk
from mer_jax.data.catalog import Catalog

if TYPE_CHECKING:
    from mer_jax.data.builders.base import ClipBuilder


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` did.

    Attributes:
        path: the prepared data set; :func:`mer_jax.data.load` opens it.
        num_clips: clips written.
        seconds: seconds of audio written.
        refused: clips left out, each with its fault; also in ``refused.csv`` in the folder.
    """

    path: Path
    num_clips: int
    seconds: float
    refused: tuple[ondisk.Refusal, ...]


def prepare(
    source: str | Path | Catalog,
    out_dir: str | Path,
    *,
    manual_dir: str | Path | None = None,
    partial: bool = False,
    sr: int = 22050,
    dtype: str = "int16",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Write a data set as TFDS ArrayRecord: mono waveforms at one rate, with an index.

    Everything is written to a folder ``.<name>.partial`` beside ``out_dir`` and renamed at the end, so ``out_dir`` is whole or
    not there. If the process is killed, finished record files (64 MiB each) wait in that folder; the same call goes on after
    them, to the same bytes as if never interrupted. Another data set, rate, dtype, other files or versions: they begin anew.

    Args:
        source: a catalog, what :func:`mer_jax.data.load` accepts, or the name of a data set in
            :mod:`.builders.registry`, with its variant after a colon (``"merge:balanced"``).
        out_dir: the folder to make.
        manual_dir: where the archive of a data set named by ``source`` was unpacked.
        partial: of such a data set, take the clips that are there; otherwise it must be complete.
        sr: rate to store, in Hz (a catalog's own must be equal).
        dtype: "int16" or "float32".
        overwrite: replace ``out_dir`` if it is a prepared data set.
        progress: called with (clips done, clips in all).

    Raises:
        DataError: the source cannot be used, no clip can be decoded, or ``out_dir`` is in the way.
    """
    out_dir = Path(out_dir)
    _check_out(out_dir, overwrite)
    work = out_dir.with_name(f".{out_dir.name}.partial")
    with locking.exclusive(work):
        try:
            with _quiet():
                builder = _builder(
                    source, manual_dir, partial=partial, sr=sr, dtype=dtype, data_dir=work, progress=progress
                )
                builder.download_and_prepare()
            if out_dir.exists():
                os.replace(out_dir, work / "replaced")
            os.replace(builder.data_dir, out_dir)
        except BaseException:
            if not _holds_shards(work):
                shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)
    written = ondisk.catalog(out_dir)
    assert written.durations_s is not None
    return Prepared(out_dir, len(written), float(written.durations_s.sum()), tuple(builder.refused))


def command(
    source: str, out_dir: Path, *, manual_dir: Path | None, partial: bool, sr: int, dtype: str
) -> int:
    """``mer-jax prepare``: prepare, say what was written, and list what was refused. Exit status 0 if nothing was."""
    from mer_jax.data.prepare_progress import Progress

    with Progress(source) as progress:
        try:
            result = prepare(
                source,
                out_dir,
                manual_dir=manual_dir,
                partial=partial,
                sr=sr,
                dtype=dtype,
                progress=progress.update,
            )
        except KeyboardInterrupt:
            print("interrupted; the same command goes on after the last finished file", file=sys.stderr)
            return 130
    for refusal in result.refused:
        print(f"left out {refusal.problem}", file=sys.stderr)
    if result.refused:
        print(f"listed in {result.path / ondisk.REFUSED_NAME}", file=sys.stderr)
    print(f"{result.path}: {result.num_clips} clips, {result.seconds / 3600:.2f} hours at {sr} Hz")
    return 2 if result.refused else 0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without TFDS's warning of a configuration that it has not met before: every rate is one."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_out(out_dir: Path, overwrite: bool) -> None:
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return
    if not ondisk.is_prepared(out_dir):
        raise DataError(
            out_dir, "exists and is not a prepared data set", remedy="name a folder that does not exist"
        )
    if not overwrite:
        raise DataError(out_dir, "exists already", remedy="name another folder, or remove it first")


def _builder(
    source: str | Path | Catalog,
    manual_dir: str | Path | None,
    *,
    partial: bool,
    sr: int,
    **arguments: Any,
) -> "ClipBuilder":
    from mer_jax.data.builders import registry
    from mer_jax.data.builders.base import Clips

    if isinstance(source, str) and registry.is_name(source):
        if manual_dir is None:
            raise DataError(
                source,
                "is a data set to fetch by hand, and where it was unpacked is not said",
                expected=f"--manual-dir FOLDER; {registry.builder_class(source).about.layout}",
                remedy=f"get it from {registry.builder_class(source).about.homepage}, or write ./{source} if a folder of that "
                "name is meant",
            )
        return registry.builder_class(source)(
            variant=registry.variant_of(source), manual_dir=manual_dir, partial=partial, sr=sr, **arguments
        )
    if manual_dir is not None:
        raise DataError(
            source if not isinstance(source, Catalog) else source.name,
            "--manual-dir goes with the name of a data set",
            expected=f"one of {', '.join(registry.NAMES)}",
        )
    # Headers are not read beforehand: a bad file is to be refused by itself, not to stop the rest.
    catalog = (
        source if isinstance(source, Catalog) else loading.open_catalog(source, sr=sr, read_headers=False)
    )
    return Clips(catalog, sr=sr, **arguments)


def _holds_shards(work: Path) -> bool:
    from mer_jax.data.builders import shards

    return shards.holds_some(work)

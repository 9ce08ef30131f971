"""Decode and resample a data set once, into a folder that opens at once and reads without decoding."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mer_jax.checks import DataError
from mer_jax.data import loading, ondisk
from mer_jax.data.catalog import Catalog


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` did.

    Attributes:
        path: the prepared data set; :func:`mer_jax.data.load` opens it.
        num_clips: clips written.
        seconds: seconds of audio written.
        refused: clips left out, each with its fault; also under ``refused`` in the index.
    """

    path: Path
    num_clips: int
    seconds: float
    refused: tuple[ondisk.Refusal, ...]


def prepare(
    source: str | Path | Catalog,
    out_dir: str | Path,
    *,
    sr: int = 22050,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Write a data set as TFDS ArrayRecord: 16-bit mono waveforms at one rate, with an index.

    Everything is written to a temporary folder beside ``out_dir`` and renamed at the end, so ``out_dir`` is whole or not there.
    Memory holds one shard (64 MiB) at a time.

    Args:
        source: a catalog, or what :func:`mer_jax.data.load` accepts.
        out_dir: the folder to make.
        sr: rate to store, in Hz (a catalog's own must be equal).
        overwrite: replace ``out_dir`` if it is a prepared data set.
        progress: called with (clips done, clips in all).

    Raises:
        DataError: the source cannot be used, no clip can be decoded, or ``out_dir`` is in the way.
    """
    out_dir = Path(out_dir)
    _check_out(out_dir, overwrite)
    # Headers are not read beforehand: a bad file is to be refused by itself, not to stop the rest.
    catalog = (
        source if isinstance(source, Catalog) else loading.open_catalog(source, sr=sr, read_headers=False)
    )
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        built, refused = _build(catalog, temporary, sr, progress)
        if out_dir.exists():
            os.replace(out_dir, temporary / "replaced")
        os.replace(built, out_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    written = ondisk.catalog(out_dir)
    assert written.durations_s is not None
    return Prepared(out_dir, len(written), float(written.durations_s.sum()), tuple(refused))


def command(source: str, out_dir: Path, *, sr: int) -> int:
    """``mer-jax prepare``: prepare, say what was written, and list what was refused. Exit status 0 if nothing was."""
    result = prepare(source, out_dir, sr=sr, progress=_show_progress if sys.stderr.isatty() else None)
    for refusal in result.refused:
        print(f"left out {refusal.problem}", file=sys.stderr)
    print(f"{result.path}: {result.num_clips} clips, {result.seconds / 3600:.2f} hours at {sr} Hz")
    return 2 if result.refused else 0


def _show_progress(done: int, total: int) -> None:
    print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _check_out(out_dir: Path, overwrite: bool) -> None:
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return
    if not ondisk.is_prepared(out_dir):
        raise DataError(
            out_dir, "exists and is not a prepared data set", remedy="name a folder that does not exist"
        )
    if not overwrite:
        raise DataError(out_dir, "exists already", remedy="name another folder, or remove it first")


def _build(
    catalog: Catalog, folder: Path, sr: int, progress: Callable[[int, int], None] | None
) -> tuple[Path, list[ondisk.Refusal]]:
    """Run the TFDS builder below ``folder``; returns the folder it wrote and what it left out."""
    from mer_jax.data.builders.base import Clips

    with contextlib.redirect_stdout(io.StringIO()):  # TFDS announces downloads, of which there are none
        builder = Clips(catalog, data_dir=folder, sr=sr, progress=progress)
        builder.download_and_prepare()
    return Path(builder.data_dir), builder.refused

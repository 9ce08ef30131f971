"""Record files of a data set that is being prepared: a finished one stays, so that a run that was killed goes on after it."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from array_record.python import array_record_module

from mer_jax._shapes import Int
from mer_jax._version import __version__
from mer_jax.checks import AudioError
from mer_jax.data import files, memory, ondisk
from mer_jax.data.atomic import atomic_path
from mer_jax.data.catalog import Catalog

# A shard is what a killed run loses at most. It is never held in memory.
SHARD_BYTES = 64 << 20
_GUESSED_SECONDS = 30.0
_SUFFIX = ".array_record"


@dataclass(frozen=True)
class Shard:
    """A finished record file.

    Attributes:
        path: the file.
        rows: rows of the catalog in it, in order.
        lengths: samples of each.
        refused: the rows that were to be in it as well, and why they are not.
    """

    path: Path
    rows: tuple[int, ...]
    lengths: tuple[int, ...]
    refused: tuple[ondisk.Refusal, ...]


def divide(catalog: Catalog, item_bytes: int) -> list[Int[np.ndarray, "_"]]:
    """Rows of each shard, in the order of the catalog."""
    known = catalog.durations_s
    seconds = len(catalog) * _GUESSED_SECONDS if known is None else known.sum()
    shards = min(len(catalog), max(1, round(item_bytes * seconds * catalog.sr / SHARD_BYTES)))
    return np.array_split(np.arange(len(catalog)), shards)


def key(catalog: Catalog, divided: Sequence[Int[np.ndarray, "_"]], settings: str) -> str | None:
    """A name for all that decides the records: clips, labels, rate, files, settings and versions; None if that cannot be told.

    A source says what it reads by a method ``fingerprint``; of one without it, nothing is ever taken over.
    """
    source = memory.not_kept(catalog.source)
    if not hasattr(source, "fingerprint"):
        return None
    import soundfile
    import soxr

    told = [
        ondisk.describe(catalog, range(len(catalog))),
        source.fingerprint(),
        [len(rows) for rows in divided],
        # What decides the samples of a decoded file.
        [settings, __version__, soundfile.__version__, soundfile.__libsndfile_version__, soxr.__version__],
    ]
    return hashlib.sha1(json.dumps(told).encode()).hexdigest()[:16]


def write(
    folder: Path,
    catalog: Catalog,
    divided: Sequence[Int[np.ndarray, "_"]],
    *,
    serialize: Callable[[int], tuple[bytes, int]],
    progress: Callable[[int, int], None],
) -> list[Shard]:
    """Write the shards that ``folder`` does not hold yet.

    Clips are decoded and serialised in threads that go on from one shard to the next; what they have ready is all that is held.

    Args:
        folder: where to; a shard appears there whole or not at all.
        catalog: what is written.
        divided: rows of each shard.
        serialize: makes the record of a row; returns it with the number of its samples. It may raise :class:`AudioError`.
        progress: called with (clips done, clips in all).
    """
    folder.mkdir(parents=True, exist_ok=True)
    finished = [_finished(folder, number) for number in range(len(divided))]
    done = sum(len(rows) for rows, shard in zip(divided, finished, strict=True) if shard)
    if done:
        progress(done, len(catalog))

    def record(row: int) -> tuple[bytes, int] | AudioError:
        try:
            return serialize(row)
        except AudioError as error:
            return error

    left = [row for rows, shard in zip(divided, finished, strict=True) if not shard for row in rows.tolist()]
    with closing(files.ordered_map(record, left, threads=files.num_threads())) as records:
        for number, rows in enumerate(divided):
            if finished[number] is None:
                finished[number] = _write(
                    folder / f"{number:05d}{_SUFFIX}",
                    catalog,
                    rows.tolist(),
                    records,
                    progress=lambda written, before=done: progress(before + written, len(catalog)),  # type: ignore[misc]
                )
                done += len(rows)
    return [shard for shard in finished if shard]


def holds_some(folder: Path) -> bool:
    """Whether there is a finished shard anywhere below ``folder``."""
    return any(folder.rglob(f"*{_SUFFIX}.json"))


def _write(
    path: Path,
    catalog: Catalog,
    rows: list[int],
    records: Iterator[tuple[bytes, int] | AudioError],
    *,
    progress: Callable[[int], None],
) -> Shard:
    lengths: dict[int, int] = {}
    refused = []
    with atomic_path(path) as temporary:
        # One record a group, uncompressed: 16-bit music shrinks by 7 %, and reading takes a third of the time.
        writer = array_record_module.ArrayRecordWriter(os.fspath(temporary), "group_size:1,uncompressed")
        for written, row in enumerate(rows, start=1):
            record = next(records)
            if isinstance(record, AudioError):
                refused.append(ondisk.Refusal(catalog.ids[row], str(record)))
            else:
                writer.write(record[0])
                lengths[row] = record[1]
            progress(written)
        writer.close()
    shard = Shard(path, tuple(lengths), tuple(lengths.values()), tuple(refused))
    # Written last: it says that the shard is whole.
    with atomic_path(path.with_name(path.name + ".json")) as temporary:
        told = {
            "bytes": path.stat().st_size,
            "rows": shard.rows,
            "lengths": shard.lengths,
            "refused": [[r.id, r.problem] for r in refused],
        }
        temporary.write_text(json.dumps(told), encoding="utf-8")
    return shard


def _finished(folder: Path, number: int) -> Shard | None:
    path = folder / f"{number:05d}{_SUFFIX}"
    try:
        told = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
        if path.stat().st_size != told["bytes"]:
            return None
    except FileNotFoundError:
        return None
    refused = tuple(ondisk.Refusal(*pair) for pair in told["refused"])
    return Shard(path, tuple(told["rows"]), tuple(told["lengths"]), refused)

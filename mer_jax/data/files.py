"""Audio files as the source of a catalog."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from mer_jax import audio
from mer_jax._shapes import Float, Int
from mer_jax.checks import AudioError, DataError
from mer_jax.data.memory import to_int16

# What file managers, archives and version control leave among the files.
_CLUTTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx"}
# Audio that cannot be decoded here: better refused than passed over.
_UNSUPPORTED = {".aac", ".ape", ".m4a", ".mka", ".mp4", ".mpc", ".ra", ".webm", ".wma", ".wv"}
_SHOWN = 5

Item = TypeVar("Item")
Result = TypeVar("Result")


class FileSource:
    """Files decoded when they are asked for.

    Args:
        paths: one file a clip.
        sr: rate to deliver, in Hz.
    """

    def __init__(self, paths: Sequence[Path], *, sr: int) -> None:
        self.paths = tuple(paths)
        self.sr = sr

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]:
        return audio.load(self.paths[row], sr=self.sr)[0]

    def clip(self, row: int) -> Int[np.ndarray, "samples"]:
        """A clip in 16 bits, decoded piece by piece: of a long file no more than that is held."""
        return np.concatenate([to_int16(piece) for piece in audio.blocks(self.paths[row], sr=self.sr)])

    def fingerprint(self) -> str:
        """A name for what is read: another one once a file is replaced."""
        seen = hashlib.sha1()
        for path in self.paths:
            try:
                status = path.stat()
                seen.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            except OSError:
                seen.update(f"{path.absolute()}\n".encode())
        return seen.hexdigest()

    def excerpt(self, row: int, start: int, num_samples: int) -> Float[np.ndarray, "samples"]:
        """Samples ``start`` to ``start + num_samples`` of a file, sought rather than decoded up to."""
        return audio.load(
            self.paths[row], sr=self.sr, offset_s=start / self.sr, duration_s=num_samples / self.sr
        )[0]


def num_threads() -> int:
    """Threads for decoding: libsndfile and soxr leave Python's lock, so one a core is right."""
    return min(8, os.cpu_count() or 1)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Generator[Result, None, None]:
    """Apply ``function`` in threads and yield the results in order, holding at most twice ``threads`` of them."""
    waiting: list[Future[Result]] = []
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 2 * threads))
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def find_audio(folder: Path) -> list[Path]:
    """Audio files anywhere under ``folder``, sorted by path; hidden files and clutter are passed over.

    Raises:
        DataError: there is audio in a format that cannot be decoded (passing it over would lose it in silence).
    """
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not is_clutter(name))
        for name in names:
            extension = os.path.splitext(name)[1].lower()
            if is_clutter(name):
                continue
            if extension in _UNSUPPORTED:
                raise DataError(
                    Path(parent) / name,
                    f"audio files of type {extension} cannot be decoded",
                    expected=f"one of {', '.join(audio.AUDIO_EXTENSIONS)}",
                    remedy="convert them (for instance with ffmpeg), or move them elsewhere",
                )
            if extension in audio.AUDIO_EXTENSIONS:
                found.append(Path(parent) / name)
    return sorted(found)


def is_clutter(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or left by a file manager or archive."""
    return name.startswith(".") or name.lower() in _CLUTTER


def durations(paths: Sequence[Path], *, sr: int, where: object) -> Float[np.ndarray, "n"]:
    """Seconds of each file once resampled to ``sr``, from the headers alone.

    Raises:
        DataError: some cannot be opened as audio; the first few are named.
    """

    def measure(path: Path) -> float | AudioError:
        try:
            header = audio.info(path)
        except AudioError as error:
            return error
        return -(-header.frames * sr // header.sr) / sr

    measured = list(ordered_map(measure, paths, threads=num_threads()))
    bad = [item for item in measured if isinstance(item, AudioError)]
    if bad:
        shown = " | ".join(str(error) for error in bad[:_SHOWN])
        more = f" | and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(
            where,
            f"{len(bad)} of {len(paths)} audio files cannot be used: {shown}{more}",
            remedy="mend or remove them, or prepare the data set, which leaves them out and lists them",
        )
    return np.asarray(measured, dtype=np.float64)

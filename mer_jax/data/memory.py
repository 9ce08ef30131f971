"""Decoded audio kept in memory as 16-bit integers.

Sixteen bits are what almost every data set was recorded, distributed or prepared with; they take half the memory of float32,
and their rounding, 96 dB below full scale, is inaudible to any feature here. Values do not depend on whether they come from
memory: a source read through :class:`Memory` is rounded either way.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float, Int
from mer_jax.data import pages
from mer_jax.data.catalog import AudioSource, Catalog, ExcerptSource

DEFAULT_BUDGET_BYTES = 2 << 30
_FULL_SCALE = 32768
UNIT = np.float32(1 / _FULL_SCALE)
"""What a step of 16 bits is worth at full scale 1."""
_BLOCK = 1 << 18


def to_int16(y: Float[np.ndarray, "samples"]) -> Int[np.ndarray, "samples"]:
    """Round samples of full scale 1 to 16 bits; what exceeds full scale is clipped.

    >>> to_int16(np.array([0.0, 0.5, -1.0, 1.0], dtype=np.float32)).tolist()
    [0, 16384, -32768, 32767]
    """
    rounded = np.empty(y.shape, np.int16)
    for begin in range(0, y.size, _BLOCK):  # so that a long clip is not held three times over
        block = y[begin : begin + _BLOCK] * np.float32(_FULL_SCALE)
        np.rint(block, out=block)
        rounded[begin : begin + _BLOCK] = np.clip(block, -_FULL_SCALE, _FULL_SCALE - 1, out=block)
    return rounded


def to_float32(y: Int[np.ndarray, "*samples"]) -> Float[np.ndarray, "*samples"]:
    """Samples of full scale 1 from 16-bit ones, exactly."""
    return y.astype(np.float32) * UNIT


class Memory:
    """A source that decodes each clip once and keeps it, if all of them fit.

    Where the durations say beforehand that they do not, nothing is kept and only the stretch that is asked for is read. Where
    nothing is known beforehand, clips are kept until the budget is spent. Safe to use from many threads.

    Args:
        source: what is read.
        lengths: samples of each clip, or None if unknown.
        budget_bytes: memory to use at most.
    """

    def __init__(self, source: AudioSource, lengths: list[int] | None, *, budget_bytes: int) -> None:
        self.source = source
        self._budget = budget_bytes
        self._kept: list[np.ndarray | None] = [None] * len(source)
        self._lengths = lengths
        self._lock = threading.Lock()
        self._laying = threading.Lock()
        self._pages: pages.Pages | None = None
        self._laid_for = 0
        self.used_bytes = 0
        self.keeps = lengths is None or 2 * sum(lengths) <= budget_bytes

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]:
        return to_float32(self.clip(row))

    def clip(self, row: int) -> Int[np.ndarray, "samples"]:
        """A whole clip in 16 bits; not to be written to."""
        kept = self._kept[row]
        if kept is not None:
            return kept
        y = read_int16(self.source, row)
        y.flags.writeable = False
        with self._lock:
            if self.keeps and self._kept[row] is None and self.used_bytes + y.nbytes <= self._budget:
                self._kept[row] = y
                self.used_bytes += y.nbytes
        return y

    def length(self, row: int) -> int:
        """Samples in a clip: counted where it is decoded anyway (a header may be wrong), else as the catalog states."""
        return self.clip(row).size if self.keeps or self._lengths is None else self._lengths[row]

    def stretch(self, row: int, start: int, num_samples: int) -> Int[np.ndarray, "samples"]:
        """Samples ``start`` to ``start + num_samples`` of a clip in 16 bits, fewer where it ends sooner."""
        if not self.keeps and isinstance(self.source, ExcerptSource):
            return to_int16(self.source.excerpt(row, start, num_samples))
        return self.clip(row)[start : start + num_samples]

    def in_pages(self, num_samples: int, *, threads: int = 1) -> pages.Pages:
        """All clips in one array, whatever the budget, to lie on a device.

        It is made once. Single clips are views of it from then on, so the audio is held once, and a CPU device takes it over
        as it is.

        Args:
            num_samples: of what will be cut from it.
            threads: clips decoded at a time.
        """
        with self._laying:
            if self._pages is None or num_samples > self._laid_for:
                self._pages, self._laid_for = self._lay(num_samples, threads), num_samples
            return self._pages

    def _lay(self, num_samples: int, threads: int) -> pages.Pages:
        with ThreadPoolExecutor(threads) as pool:
            clips = list(pool.map(self.clip, range(len(self))))
        found = pages.empty([clip.size for clip in clips], num_samples)
        samples = found.values.reshape(-1)
        for row, first in enumerate(found.firsts.tolist()):
            place = samples[first * pages.PAGE :][: clips[row].size]
            place[:] = clips[row]
            place.flags.writeable = False
            # Read from here, and the clip by itself let go at once: no moment holds all audio twice.
            clips[row] = self._kept[row] = place
        found.values.flags.writeable = False
        with self._lock:
            self.keeps, self.used_bytes = True, found.values.nbytes
        return found


def read_int16(source: AudioSource, row: int) -> Int[np.ndarray, "samples"]:
    """A clip in 16 bits; without a detour over float where it is stored so."""
    y = source.clip(row) if hasattr(source, "clip") else source[row]
    return y if y.dtype == np.int16 else to_int16(y)


def not_kept(source: AudioSource) -> AudioSource:
    """What a :class:`Memory` reads from, for going through a data set once; any other source as it is."""
    return source.source if isinstance(source, Memory) else source


def in_memory(catalog: Catalog, *, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> Catalog:
    """The same catalog with its audio kept in memory once decoded (as it is, if that is already so).

    Loaders, folds and runs that share the catalog share the memory.
    """
    checks.positive_int("budget_bytes", budget_bytes, minimum=0)
    if isinstance(catalog.source, Memory):
        return catalog
    lengths = None
    if catalog.durations_s is not None:
        lengths = np.rint(catalog.durations_s * catalog.sr).astype(np.int64).tolist()
    return replace(catalog, source=Memory(catalog.source, lengths, budget_bytes=budget_bytes))

"""Batches of waveforms in a reproducible order; Grain makes them, ahead and in parallel.

Every batch is a function of (seed, epoch, position): which clips, in which order, cut where. So a run that is interrupted
anywhere and resumed from :meth:`Batches.get_state` sees exactly the batches it would have seen.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Bool, Float, Int
from mer_jax.checks import ArgumentError, DataError
from mer_jax.data import files, memory
from mer_jax.data.catalog import Catalog
from mer_jax.data.pages import Pages

CROPS = ("random", "center", "start")
# 2: orders and crops drawn by NumPy.
_STATE_FORMAT = 2
# What a seed and an epoch are told apart by.
_ORDER, _CROP = 1, 2

Batch: TypeAlias = dict[str, np.ndarray]


class Loader:
    """Batches of equally long waveforms from some rows of a catalog.

    Each batch is a dictionary of NumPy arrays::

        "waveform"         float32 (batch, num_samples)  cropped, or padded with zeros at the end
        "start"            int32   (batch,)              sample of the clip at which the waveform begins
        "length"           int32   (batch,)              samples before the padding
        "label"            int32   (batch,)              -1 where there is none
        "valence_arousal"  float32 (batch, 2)            zeros where there is none
        "target"           float32 (batch, targets)      no column where there is none
        "index"            int32   (batch,)              row of the catalog
        "weight"           float32 (batch,)              1; 0 for filler

    With ``drop_remainder=False`` the last batch of an epoch is filled up to ``batch_size``, so that shapes never change and
    nothing is compiled twice. Filler repeats the batch's first clip (real audio, so that no mean over it is 0/0) with weight 0.

    Waveforms are rounded to 16 bits (:mod:`.memory`) and kept in memory once decoded, if the whole catalog fits.

    Args:
        catalog: the data set. What :func:`mer_jax.data.load` returns shares its memory between loaders.
        indices: rows to use.
        batch_size: clips in a batch.
        num_samples: samples in each.
        shuffle: a new order in each epoch, or the order of ``indices`` in all.
        seed: seeds order and crops, 0..2**32-1.
        crop: which part of a longer clip: "random" (drawn anew for each clip in each epoch), "center" or "start".
        drop_remainder: leave out the clips that do not fill a batch (other ones in each epoch if shuffled).
        num_epochs: how often to go through the rows; None goes on for ever.
        threads: batches made ahead in parallel; None chooses by the number of cores, 0 makes them when asked for.
        budget_bytes: memory for decoded audio, where ``catalog`` does not come with its own.

    Raises:
        DataError: there are no rows, some are not in the catalog, or they do not fill a batch.
        ArgumentError: another argument is out of range.
    """

    def __init__(
        self,
        catalog: Catalog,
        indices: Sequence[int] | Int[np.ndarray, "rows"],
        *,
        batch_size: int,
        num_samples: int,
        shuffle: bool,
        seed: int,
        crop: str = "random",
        drop_remainder: bool,
        num_epochs: int | None = None,
        threads: int | None = None,
        budget_bytes: int = memory.DEFAULT_BUDGET_BYTES,
    ) -> None:
        checks.positive_int("batch_size", batch_size)
        checks.positive_int("num_samples", num_samples)
        checks.one_of("crop", crop, CROPS)
        checks.positive_int("seed", seed, minimum=0)
        if seed >= 2**32:
            raise ArgumentError("seed", f"is {seed}", expected="at most 2**32 - 1")
        if num_epochs is not None:
            checks.positive_int("num_epochs", num_epochs)
        self.catalog = memory.in_memory(catalog, budget_bytes=budget_bytes)
        self.rows = _checked_rows(catalog, indices)
        self.batch_size = batch_size
        self.num_samples = num_samples
        self.shuffle = shuffle
        self.seed = seed
        self.crop = crop
        self.drop_remainder = drop_remainder
        self.num_epochs = num_epochs
        self._threads = files.num_threads() if threads is None else threads
        if self.steps_per_epoch == 0:
            raise DataError(
                catalog.name,
                f"{len(self.rows)} clips do not fill one batch of {batch_size}",
                remedy="choose a smaller batch, or keep the remainder",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self.rows), self.batch_size)
        return whole if self.drop_remainder or rest == 0 else whole + 1

    def __iter__(self) -> "Batches":
        return Batches(self)

    @property
    def store(self) -> object:
        """What holds the clips: loaders with the same one give batches of the same data."""
        return self.catalog.source

    def all_clips(self) -> Pages:
        """What batches are made of, to lie on a device: every clip of the catalog, whole, in 16 bits."""
        source = self.catalog.source
        assert isinstance(source, memory.Memory)
        return source.in_pages(self.num_samples, threads=files.num_threads())

    def rows_of_epoch(
        self, epoch: int
    ) -> tuple[Int[np.ndarray, "steps batch"], Bool[np.ndarray, "steps batch"]]:
        """Which clips the batches of an epoch hold, without making them.

        Args:
            epoch: from 0.

        Returns:
            Rows of the catalog as in ``index``, and False where they are filler.
        """
        positions = self._positions_of_epoch(epoch)
        real = np.arange(positions.size) < len(self.rows)
        return self.rows[positions].astype(np.int32), real.reshape(positions.shape)

    def starts_of_epoch(self, epoch: int) -> Int[np.ndarray, "steps batch"]:
        """Where the clips of :meth:`rows_of_epoch` are cut, as in ``start``."""
        positions = self._positions_of_epoch(epoch)
        starts = [self.crop_start(epoch, position) for position in positions.ravel().tolist()]
        return np.array(starts, np.int32).reshape(positions.shape)

    def places_of_batch(self, number: int) -> list[tuple[int, int]]:
        """(epoch, position in ``rows``) of each clip of a batch; batches are numbered from 0 through all epochs."""
        epoch, k = divmod(number, self.steps_per_epoch)
        order = _positions(len(self.rows), self.seed, self.shuffle, epoch)
        return [(epoch, position) for position in order[k * self.batch_size :][: self.batch_size].tolist()]

    def _positions_of_epoch(self, epoch: int) -> Int[np.ndarray, "steps batch"]:
        """Positions in ``rows`` of what each batch holds."""
        places = self.steps_per_epoch * self.batch_size
        positions = _positions(len(self.rows), self.seed, self.shuffle, epoch)[:places]
        # Filler repeats the first clip of the last batch.
        first = positions[places - self.batch_size]
        filler = np.full(places - positions.size, first, np.int32)
        return np.concatenate([positions, filler]).reshape(-1, self.batch_size)

    def fingerprint(self) -> dict[str, Any]:
        """What determines the batches, for recognising a state that belongs to other ones."""
        names = "\n".join(self.catalog.ids[row] for row in self.rows)
        return {
            "clips": f"{len(self.rows)}:{zlib.crc32(names.encode()):08x}",
            "batch_size": self.batch_size,
            "num_samples": self.num_samples,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "crop": self.crop,
            "drop_remainder": self.drop_remainder,
        }

    def assemble(self, places: Sequence[tuple[int, int]]) -> Batch:
        """Make a batch.

        Args:
            places: (epoch, position in ``rows``) of each clip; at most ``batch_size``.
        """
        size, real = self.batch_size, len(places)
        rows = np.empty(size, np.int32)
        waveform = np.zeros((size, self.num_samples), np.float32)
        start, length = np.empty(size, np.int32), np.empty(size, np.int32)
        source = self.catalog.source
        assert isinstance(source, memory.Memory)
        for i, (epoch, position) in enumerate(places):
            rows[i] = row = self.rows[position]
            start[i] = begin = self.crop_start(epoch, position)
            y = source.stretch(int(row), begin, self.num_samples)
            np.multiply(y, memory.UNIT, out=waveform[i, : y.size])
            length[i] = y.size
        for column in (rows, waveform, start, length):
            column[real:] = column[0]
        cut = {"waveform": waveform, "start": start, "length": length}
        return cut | self.columns(rows, np.arange(size) < real)

    def columns(self, rows: Int[np.ndarray, "rows"], real: Bool[np.ndarray, "rows"]) -> Batch:
        """What a batch holds of clips besides their audio; ``real`` is False for filler."""
        ratings, targets = self.catalog.valence_arousal, self.catalog.targets
        return {
            "label": self.catalog.labels[rows],
            "valence_arousal": np.zeros((len(rows), 2), np.float32) if ratings is None else ratings[rows],
            "target": np.zeros((len(rows), 0), np.float32) if targets is None else targets[rows],
            "index": rows,
            "weight": real.astype(np.float32),
        }

    def crop_start(self, epoch: int, position: int) -> int:
        """The sample at which the clip at a position of ``rows`` is cut in an epoch."""
        source, row = self.catalog.source, int(self.rows[position])
        assert isinstance(source, memory.Memory)
        spare = source.length(row) - self.num_samples
        if spare <= 0 or self.crop == "start":
            return 0
        if self.crop == "center":
            return spare // 2
        return int(_drawn_shares(self.seed, epoch, len(self.catalog))[row] * (spare + 1))


class Batches:
    """Iterator over the batches of a :class:`Loader`, with a state that can be saved and restored between any two."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._iterator = iter(_dataset(loader))

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Batch:
        return next(self._iterator)

    def get_state(self) -> dict[str, Any]:
        """Where the iterator stands, as what JSON can hold."""
        return {
            "format": _STATE_FORMAT,
            "loader": self._loader.fingerprint(),
            "grain": self._iterator.get_state(),
        }

    def state_after(self, batches: int) -> dict[str, Any]:
        """What :meth:`get_state` gives after so many batches, without making them."""
        return self.get_state() | {"grain": {"next_index": batches}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go to where :meth:`get_state` was called, on this iterator or on one of another process.

        Raises:
            DataError: the state is not one, or belongs to a loader with other clips or settings.
        """
        if state.get("format") != _STATE_FORMAT or "grain" not in state:
            raise DataError(
                "loader state", "is not the state of a loader", expected="what get_state() returned"
            )
        mine, theirs = self._loader.fingerprint(), state.get("loader", {})
        different = [name for name in mine if mine[name] != theirs.get(name)]
        if different:
            name = different[0]
            raise DataError(
                "loader state",
                f"was saved with {name} {theirs.get(name)!r}, not {mine[name]!r}",
                remedy="resume with the data and settings of the first run",
            )
        self._iterator.set_state(state["grain"])


def _checked_rows(catalog: Catalog, indices: Sequence[int] | np.ndarray) -> Int[np.ndarray, "rows"]:
    rows = np.asarray(indices, dtype=np.int64)
    if rows.ndim != 1 or rows.size == 0:
        raise DataError(
            catalog.name, f"no rows to load (shape {rows.shape})", expected="a list of row numbers"
        )
    outside = rows[(rows < 0) | (rows >= len(catalog))]
    if outside.size:
        raise DataError(catalog.name, f"has no row {outside[0]}", expected=f"0..{len(catalog) - 1}")
    return rows


@lru_cache(maxsize=64)
def _positions(n: int, seed: int, shuffle: bool, epoch: int) -> Int[np.ndarray, "n"]:
    """Positions in ``rows`` in the order of an epoch.

    Not by Grain's own shuffle, which takes 20 us for each of them: 17 ms of an epoch of 850 clips, whose 26 dense steps
    take 40.
    """
    found = np.arange(n, dtype=np.int32)
    if shuffle:
        found = np.random.default_rng((seed, epoch, _ORDER)).permutation(found)
    found.flags.writeable = False  # it is kept
    return found


@lru_cache(maxsize=64)
def _drawn_shares(seed: int, epoch: int, clips: int) -> Float[np.ndarray, "clips"]:
    """Where each clip of a catalog is cut in an epoch, as a share in [0, 1) of its spare samples; folds of one seed agree."""
    return np.random.default_rng((seed, epoch, _CROP)).random(clips)


def _dataset(loader: Loader) -> Any:
    """The Grain data set: numbers of batches, epoch after epoch -> batches."""
    import grain

    dataset = grain.MapDataset.range(loader.steps_per_epoch).repeat(loader.num_epochs)
    # Numbers run on from epoch to epoch.
    dataset = dataset.map_with_index(lambda number, _: loader.assemble(loader.places_of_batch(number)))
    # A thread makes a batch; the buffer holds batches that are made before they are asked for. Grain's worker processes do not
    # pay: decoding leaves Python's lock, two workers took 4 to 8 s to start on two cores, and then gave 1,075 s of Ogg audio a
    # second against 1,113 from threads (prepared data: 714 against 7,881), each with its own copy of the memory.
    options = grain.ReadOptions(num_threads=loader._threads, prefetch_buffer_size=2 * loader._threads)
    return dataset.to_iter_dataset(options)

"""One pass over the audio of a data set: levels and fingerprint of each clip, and nothing of the audio kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from mer_jax import audio
from mer_jax._shapes import Float
from mer_jax.checks import AudioError, DataError
from mer_jax.data import files, memory
from mer_jax.data.audit.fingerprint import RATE_HZ, Fingerprint, fingerprint
from mer_jax.data.audit.levels import LevelMeter, Levels
from mer_jax.data.catalog import Catalog

# Longer files are decoded a piece at a time: a stereo minute at 44.1 kHz is 21 MB.
_BLOCK_S = 120


@dataclass(frozen=True)
class Heard:
    """A clip that was listened to."""

    levels: Levels
    fingerprint: Fingerprint


def listen(catalog: Catalog, *, progress: Callable[[int], None] | None = None) -> list[Heard | str]:
    """Decode every clip once, on all cores.

    Args:
        catalog: the data set.
        progress: called with the number of clips done.

    Returns:
        For each row what was heard, or why it cannot be decoded.
    """

    def hear(row: int) -> Heard | str:
        meter: LevelMeter | None = None
        parts = []
        try:
            for y, sr, mono in _blocks(catalog, row):
                meter = meter or LevelMeter(sr)
                meter.add(y)
                parts.append(mono)
        except (AudioError, DataError) as error:
            return str(error)
        assert meter is not None
        return Heard(meter.result(), fingerprint(np.concatenate(parts)))

    heard = []
    for found in files.ordered_map(hear, range(len(catalog)), threads=files.num_threads()):
        heard.append(found)
        if progress:
            progress(len(heard))
    return heard


def at_fingerprint_rate(catalog: Catalog, row: int) -> Float[np.ndarray, "samples"]:
    """A clip as it is fingerprinted: mono at :data:`RATE_HZ`."""
    return np.concatenate([mono for _, _, mono in _blocks(catalog, row)])


def _blocks(catalog: Catalog, row: int) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Pieces of a clip: (channels, samples) at the rate ``sr``, ``sr``, and the same mono at :data:`RATE_HZ`."""
    stream = None
    for y, sr, last in _pieces(catalog, row):
        # Low quality suffices for bands up to 2 kHz and takes a third of the time.
        stream = stream or soxr.ResampleStream(sr, RATE_HZ, 1, dtype="float32", quality="LQ")
        yield y, sr, stream.resample_chunk(y.mean(axis=0), last=last)


def _pieces(catalog: Catalog, row: int) -> Iterator[tuple[np.ndarray, int, bool]]:
    """(channels, samples), their rate, and whether they are the last.

    Files are read at their own rate, with all channels: resampling and mixing down hide clipping.
    """
    source = memory.not_kept(catalog.source)
    if not isinstance(source, files.FileSource):
        yield source[row][None], catalog.sr, True
        return
    path = source.paths[row]
    duration_s = audio.info(path).duration_s
    if duration_s <= _BLOCK_S:
        y, sr = audio.load(path, sr=None, mono=False)
        yield y, sr, True
        return
    starts: Sequence[int] = range(0, int(np.ceil(duration_s)), _BLOCK_S)
    for start in starts:
        last = start == starts[-1]
        y, sr = audio.load(path, sr=None, offset_s=start, duration_s=None if last else _BLOCK_S, mono=False)
        yield y, sr, last

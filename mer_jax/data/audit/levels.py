"""Peak, offset, clipping and silence of a clip, from its samples as they were decoded."""

from dataclasses import dataclass

import numpy as np

from mer_jax._shapes import Bool, Float

FULL_SCALE = 32766 / 32768
"""What counts as full scale: the last but one of 16 bits, which some converters stop at. Lossy decoders overshoot it."""
CLIPPED_RUN = 3
"""Samples at full scale in a row that are clipping: a loud peak that is not cut touches it with one or two."""
SILENCE_DB = -60.0
"""Loudness below which a stretch is silent, dB RMS re full scale."""
_FRAME_S = 0.05


@dataclass(frozen=True)
class Levels:
    """What :class:`LevelMeter` measured.

    Attributes:
        duration_s: length.
        peak: largest magnitude; full scale is 1.
        offset: mean of the samples (DC), of the channel where it is largest.
        clipped_share: samples inside runs of at least :data:`CLIPPED_RUN` at full scale, of all.
        silent_start_s, silent_end_s: silence before the first and after the last sound; both are the whole length of a clip
            that is silent throughout.
    """

    duration_s: float
    peak: float
    offset: float
    clipped_share: float
    silent_start_s: float
    silent_end_s: float

    @property
    def silent(self) -> bool:
        """Whether there is no sound at all."""
        return self.silent_start_s >= self.duration_s


class LevelMeter:
    """Measures a clip block by block; memory does not grow with its length.

    Args:
        sr: rate of the samples, in Hz.
    """

    def __init__(self, sr: int) -> None:
        self._sr = sr
        self._frame = max(1, round(_FRAME_S * sr))
        self._samples = 0
        self._peak = 0.0
        self._sum = np.zeros(1)  # of each channel
        self._clipped = 0
        self._values = 0
        self._first_sound: int | None = None
        self._last_sound = 0

    def add(self, y: Float[np.ndarray, "channels samples"]) -> None:
        """Measure the next block. A run at full scale that goes on from block to block counts as two."""
        self._sum = self._sum + y.sum(axis=1, dtype=np.float64)
        magnitude = np.abs(y)
        self._peak = max(self._peak, float(magnitude.max(initial=0.0)))
        if self._peak >= FULL_SCALE:
            self._clipped += sum(_in_runs(channel >= FULL_SCALE) for channel in magnitude)
        self._values += y.size
        edges = np.arange(0, y.shape[1], self._frame)
        power = np.add.reduceat((y * y).max(axis=0), edges) / np.diff(np.append(edges, y.shape[1]))
        loud = edges[power > 10 ** (SILENCE_DB / 10)]
        if len(loud):
            if self._first_sound is None:
                self._first_sound = self._samples + int(loud[0])
            self._last_sound = self._samples + min(int(loud[-1]) + self._frame, y.shape[1])
        self._samples += y.shape[1]

    def result(self) -> Levels:
        """What was measured of all blocks."""
        offsets = self._sum / max(1, self._samples)
        first = self._samples if self._first_sound is None else self._first_sound
        return Levels(
            duration_s=self._samples / self._sr,
            peak=self._peak,
            offset=float(offsets[np.abs(offsets).argmax()]),
            clipped_share=self._clipped / max(1, self._values),
            silent_start_s=first / self._sr,
            silent_end_s=(self._samples - self._last_sound) / self._sr,
        )


def _in_runs(full: Bool[np.ndarray, "samples"]) -> int:
    """Samples in runs of at least :data:`CLIPPED_RUN` at full scale."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIPPED_RUN].sum())

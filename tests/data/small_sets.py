"""Clips and sources that tell where each sample is from."""

import numpy as np

from mer_jax.data.catalog import Catalog

SR = 8000


def tone(number: int, seconds: float, sr: int = SR) -> np.ndarray:
    t = np.arange(round(seconds * sr)) / sr
    return (0.3 * np.sin(2 * np.pi * (200 + 10 * number) * t) * (0.5 + 0.5 * t / seconds)).astype(np.float32)


class Tones:
    """An in-memory source that counts how often each clip is rendered.

    Sample k of clip r is the 16-bit number ``stride * r + k`` (modulo 2**16), so that every stretch tells where it is from.
    """

    def __init__(self, lengths: list[int], stride: int = 1400) -> None:
        self.lengths = lengths
        self.stride = stride
        self.renderings = [0] * len(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        self.renderings[row] += 1
        numbers = self.stride * row + np.arange(self.lengths[row])
        return (numbers.astype(np.int16) / 32768).astype(np.float32)


class SeekableTones(Tones):
    """The same, with cheap stretches."""

    def __init__(self, lengths: list[int], stride: int = 1400) -> None:
        super().__init__(lengths, stride)
        self.excerpts = 0

    def excerpt(self, row: int, start: int, num_samples: int) -> np.ndarray:
        self.excerpts += 1
        whole = super().__getitem__(row)
        self.renderings[row] -= 1
        return whole[start : start + num_samples]


def tones_catalog(source: Tones, *, durations: bool = True, ratings: bool = True) -> Catalog:
    n = len(source)
    return Catalog(
        name="tones",
        classes=("Happy", "Sad"),
        ids=tuple(f"clip {i}" for i in range(n)),
        groups=tuple(f"song {i // 2}" for i in range(n)),
        labels=(np.arange(n) % 2).astype(np.int32),
        valence_arousal=np.linspace(-1, 1, 2 * n, dtype=np.float32).reshape(n, 2) if ratings else None,
        sr=SR,
        durations_s=np.asarray(source.lengths) / SR if durations else None,
        source=source,
    )

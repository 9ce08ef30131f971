"""Songs whose audio tells their ratings: the level of every half second is what it was rated."""

import dataclasses

import numpy as np

from mer_jax.data.catalog import Catalog, Dynamic

SR = 8000
RATE_HZ = 2.0
STEP = int(SR / RATE_HZ)


class Levels:
    """Noise whose level changes with every half second of the clip; silence before the first rating."""

    def __init__(self, levels: list[np.ndarray], start_s: np.ndarray, tail_s: float = 0.0) -> None:
        self.levels, self.start_s, self.tail_s = levels, start_s, tail_s

    def __len__(self) -> int:
        return len(self.levels)

    def length(self, row: int) -> int:
        return round((self.start_s[row] + self.tail_s) * SR) + STEP * len(self.levels[row])

    def __getitem__(self, row: int) -> np.ndarray:
        y = np.zeros(self.length(row), np.float32)
        begin = round(self.start_s[row] * SR)
        rated = np.repeat(self.levels[row], STEP)
        noise = np.random.default_rng(row).choice([-1.0, 1.0], len(rated))
        y[begin : begin + len(rated)] = rated * noise
        return y


def rated_songs(
    count: int,
    steps: int = 16,
    *,
    start_s: float = 1.5,
    rating_range: tuple[float, float] | None = None,
    unrated: tuple[int, ...] = (),
    tail_s: float = 0.0,
) -> Catalog:
    """Arousal is the level (0.02 to 0.5, on a logarithmic scale from -1 to 1); valence its negative half."""
    rng = np.random.default_rng(0)
    arousal = [rng.uniform(-1, 1, steps).astype(np.float32) for _ in range(count)]
    levels = [0.1 * 5.0**a for a in arousal]
    starts = np.full(count, start_s)
    source = Levels(levels, starts, tail_s)
    series = [np.stack([-0.5 * a, a], axis=1).astype(np.float32) for a in arousal]
    for row in unrated:
        series[row] = np.zeros((0, 2), np.float32)
    return Catalog(
        name="levels",
        classes=("Q1", "Q3"),
        ids=tuple(f"song {i}" for i in range(count)),
        groups=tuple(f"artist {i // 2}" for i in range(count)),
        labels=np.zeros(count, np.int32),
        valence_arousal=None,
        sr=SR,
        durations_s=np.array([source.length(row) for row in range(count)]) / SR,
        source=source,
        facts={"synthetic": "yes"},
        dynamic=Dynamic(RATE_HZ, starts, tuple(series), rating_range),
    )


def shifted(catalog: Catalog, seconds: float) -> Catalog:
    """The same songs, their ratings said to be of later audio."""
    dynamic = catalog.dynamic
    return dataclasses.replace(
        catalog, dynamic=dataclasses.replace(dynamic, start_s=dynamic.start_s + seconds)
    )

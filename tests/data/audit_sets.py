"""Clips of composed music, encoded in many ways, and data sets with planted defects."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mer_jax.data import synthetic
from mer_jax.data.catalog import Catalog, Dynamic
from mer_jax.data.files import FileSource

SR = 22050


def music(number: int) -> np.ndarray:
    """The first section of a song of the composed data set, 5 s."""
    return synthetic.render(3 * number, sr=SR)[0]


class Arrays:
    """Clips in memory."""

    def __init__(self, clips: list[np.ndarray]) -> None:
        self.clips = [np.asarray(clip, dtype=np.float32) for clip in clips]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.clips[row]


def catalog(source, *, name="set", sr=SR, **columns) -> Catalog:
    """A catalog of one class, a group a clip, unless columns say otherwise."""
    n = len(source)
    ids = columns.pop("ids", tuple(f"clip {i}" for i in range(n)))
    columns.setdefault("groups", ids)
    columns.setdefault("classes", ("Happy", "Sad"))
    columns.setdefault("labels", np.zeros(n, np.int32))
    columns.setdefault("valence_arousal", None)
    return Catalog(name=name, ids=ids, sr=sr, durations_s=None, source=source, **columns)


def files_catalog(paths: list[Path], **columns) -> Catalog:
    return catalog(FileSource(paths, sr=SR), ids=tuple(path.name for path in paths), **columns)


def encode(path: Path, y: np.ndarray, subtype: str, *, sr: int, gain=1.0, delay=0, level=None) -> Path:
    """Write 22,050 Hz audio at another rate, later by ``delay`` samples; ``level`` 0 is best, 1 smallest."""
    z = gain * soxr.resample(np.pad(y, (delay, 0)), SR, sr)
    options = {} if level is None else {"compression_level": level}
    kind = "OGG" if path.suffix == ".opus" else path.suffix[1:].upper()
    with soundfile.SoundFile(path, "w", sr, 1, subtype, format=kind, **options) as file:
        file.write(z.astype(np.float32))
    return path


def rated(exchanged, *, n=300, seed=0, first_id=2) -> Catalog:
    """A catalog with ratings of clips and over time; those of the clips that ``exchanged(id)`` names are exchanged.

    As in DEAM: valence and arousal correlate at about 0.5, and each with its mean over time at about 0.95.
    """
    draw = np.random.default_rng(seed)
    numbers = first_id + np.sort(draw.choice(2000, n, replace=False))
    true = draw.multivariate_normal([0, 0], 0.09 * np.array([[1, 0.5], [0.5, 1]]), n)
    static = np.clip(true, -1, 1)
    swap = np.array([exchanged(number) for number in numbers])
    static[swap] = static[swap, ::-1]
    means = 0.6 * true + draw.normal(0, 0.06, (n, 2)) + [0.1, -0.05]
    series = tuple(np.clip(mean + draw.normal(0, 0.05, (20, 2)), -1, 1).astype(np.float32) for mean in means)
    shuffled = draw.permutation(n)  # the order of the rows says nothing
    return replace(
        catalog(Arrays([np.zeros(800)] * n), ids=tuple(f"{numbers[i]}.mp3" for i in shuffled), name="deam"),
        valence_arousal=static[shuffled].astype(np.float32),
        dynamic=Dynamic(2.0, np.full(n, 15.0), tuple(series[i] for i in shuffled)),
    )

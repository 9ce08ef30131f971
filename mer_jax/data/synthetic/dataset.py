"""The synthetic clips as a data set: a catalog in memory, or a folder of sound files."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float
from mer_jax.checks import DataError
from mer_jax.data import manifest
from mer_jax.data.catalog import Catalog
from mer_jax.data.synthetic.moods import CLASSES
from mer_jax.data.synthetic.rendering import DURATION_S, SAMPLE_RATE_HZ, check_format, render
from mer_jax.data.synthetic.sampling import cues

# Raised whenever the same index and seed would sound different, so that two tables can be told apart.
VERSION = "1.0.0"


class Rendered:
    """Clips of a synthetic data set, rendered each time they are asked for (about 20 ms for 5 s at 22,050 Hz on one core).

    :func:`mer_jax.data.memory.in_memory` keeps them where they are read more than once.

    Args:
        num_clips: length of the data set.
        seed: seed of the data set.
        duration_s: length of a clip in seconds.
        sr: sampling rate in Hz.
    """

    def __init__(self, num_clips: int, *, seed: int, duration_s: float, sr: int) -> None:
        self.num_clips = num_clips
        self.seed = seed
        self.duration_s = duration_s
        self.sr = sr

    def __len__(self) -> int:
        return self.num_clips

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]:
        if not 0 <= row < self.num_clips:
            raise IndexError(f"clip {row} of a synthetic data set of {self.num_clips}")
        return render(int(row), seed=self.seed, duration_s=self.duration_s, sr=self.sr)[0]

    def fingerprint(self) -> str:
        """A name for what is rendered."""
        return f"{VERSION} {self.num_clips} {self.seed} {self.duration_s!r} {self.sr}"


def facts(*, seed: int, duration_s: float, sr: int) -> Mapping[str, str]:
    """Return what a report must say about these clips, first of all that they are synthetic."""
    return MappingProxyType(
        {
            "synthetic": "yes",
            "description": "composed and rendered by mer_jax from musical cues; no recording, no listener",
            "labels": "the mood whose cue distribution a clip was drawn from",
            "ratings": "linear model of the cues plus noise, not listeners' answers",
            "generator_version": VERSION,
            "seed": str(seed),
            "duration_s": f"{duration_s:g}",
            "sr": str(sr),
            "licence": "Apache-2.0, as the program that makes them",
            "citation": "mer_jax; cues after Gabrielsson & Lindström (2010), Juslin & Laukka (2004), Eerola et al. (2013)",
        }
    )


def catalog(
    num_clips: int = 300, *, seed: int = 0, duration_s: float = DURATION_S, sr: int = SAMPLE_RATE_HZ
) -> Catalog:
    """Return the synthetic data set of a size and a seed; nothing is rendered before it is asked for.

    A larger set of the same seed begins with the clips of the smaller one. Any multiple of 15 clips is balanced.

    Args:
        num_clips: number of clips; three make a song.
        seed: seed, from 0.
        duration_s: length of each clip in seconds, 0.25..600.
        sr: sampling rate in Hz, 4000..192000.

    Raises:
        ArgumentError: an argument is outside its range.

    >>> small = catalog(15)
    >>> len(small), small.classes[small.labels[0]], small.facts["synthetic"]
    (15, 'Happy', 'yes')
    """
    checks.positive_int("num_clips", num_clips)
    check_format(duration_s, sr)
    drawn = [cues(index, seed) for index in range(num_clips)]
    return Catalog(
        name="synthetic",
        classes=CLASSES,
        ids=tuple(clip.clip_id for clip in drawn),
        groups=tuple(clip.group for clip in drawn),
        labels=np.array([clip.label for clip in drawn], dtype=np.int32),
        valence_arousal=np.array([(clip.valence, clip.arousal) for clip in drawn], dtype=np.float32),
        sr=sr,
        durations_s=np.full(num_clips, round(duration_s * sr) / sr),
        source=Rendered(num_clips, seed=seed, duration_s=duration_s, sr=sr),
        facts=facts(seed=seed, duration_s=duration_s, sr=sr),
    )


def write_folder(
    out_dir: str | Path,
    num_clips: int = 300,
    *,
    seed: int = 0,
    duration_s: float = DURATION_S,
    sr: int = SAMPLE_RATE_HZ,
) -> Path:
    """Render the data set into a folder: one sub-folder a mood, 16-bit WAV files, ``manifest.csv`` and ``facts.json``.

    The manifest has a row a clip (``path,label,group,valence,arousal,id``; path relative to the folder). The folder is built
    under a temporary name beside ``out_dir`` and renamed, so it is there whole or not at all.

    Args:
        out_dir: the folder to make; it must not exist, or be empty.
        num_clips: number of clips.
        seed: seed, from 0.
        duration_s: length of each clip in seconds.
        sr: sampling rate in Hz.

    Returns:
        The folder.

    Raises:
        DataError: ``out_dir`` is a file, or a folder with something in it.
        ArgumentError: an argument is outside its range.
    """
    target = Path(out_dir)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(
            target,
            "is already there",
            expected="a folder that does not exist yet, or an empty one",
            remedy="name another folder or remove this one",
        )
    data = catalog(num_clips, seed=seed, duration_s=duration_s, sr=sr)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        building.mkdir()
        _fill(building, data)
        if target.is_dir():
            target.rmdir()
        os.rename(building, target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return target


def _fill(folder: Path, data: Catalog) -> None:
    """Write sound files, manifest and facts."""
    import soundfile

    assert data.valence_arousal is not None  # every synthetic clip is rated
    for mood in data.classes:
        (folder / mood).mkdir()
    rows = []
    for row, name in enumerate(data.ids):
        mood = data.classes[data.labels[row]]
        path = folder / mood / f"{name}.wav"
        soundfile.write(path, data.source[row], data.sr, subtype="PCM_16")
        valence, arousal = data.valence_arousal[row].tolist()
        rows.append(
            {
                "path": path,
                "label": mood,
                "group": data.groups[row],
                "valence": f"{valence:.6f}",
                "arousal": f"{arousal:.6f}",
                "id": name,
            }
        )
    manifest.write(folder / "manifest.csv", rows)
    (folder / "facts.json").write_text(
        json.dumps({"name": data.name, **data.facts}, indent=2) + "\n", encoding="utf-8"
    )

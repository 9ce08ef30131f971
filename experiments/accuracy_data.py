"""EMOPIA and Emotify as vectors: from the files of either data set to what a model of one vector a clip learns from."""

import csv
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from emopia_manifest import song_and_quadrant
from flax import nnx

from mer_jax import audio, checks, features
from mer_jax.data.builders.emotify import GENRES, SAME_RECORDING

SR, BATCH = 22050, 16
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
EMOTIONS = (
    *("amazement", "solemnity", "tenderness", "nostalgia", "calmness"),
    *("power", "joyful_activation", "tension", "sadness"),
)


@dataclass(frozen=True)
class Clips:
    """A data set.

    Attributes:
        name: of the data set.
        feature_set: what the vectors are, by name.
        ids: (clips,) names of the files, without what follows the dot.
        vectors: (clips, features).
        feature_names: of the columns.
        goals: (clips,) classes, or (clips, targets) numbers.
        strata: (clips,) what folds are stratified by.
        groups: (clips,) what no fold may cut.
        features_s: seconds that decoding and features took.
    """

    name: str
    feature_set: str
    ids: tuple[str, ...]
    vectors: np.ndarray
    feature_names: tuple[str, ...]
    goals: np.ndarray
    strata: np.ndarray
    groups: np.ndarray
    features_s: float


def emopia(folder: Path, feature_set: str) -> Clips:
    """Clips, quadrants and songs of EMOPIA."""
    files = _audio_files(folder)
    songs, quadrants = zip(*(song_and_quadrant(path.stem) for path in files), strict=True)
    labels = np.array([QUADRANTS.index(quadrant) for quadrant in quadrants])
    return _clips("EMOPIA", feature_set, files, 15.0, labels, labels, np.array(songs))


def emotify(folder: Path, feature_set: str) -> Clips:
    """Tracks, mean votes and genres of Emotify; a recording that stands there twice is one group."""
    votes: dict[int, list[list[float]]] = defaultdict(list)
    with open(folder / "data.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            votes[int(row["track id"])].append([float(row[emotion]) for emotion in EMOTIONS])
    files = _audio_files(folder)
    genres, numbers = zip(*(path.stem.split("_") for path in files), strict=True)
    # Tracks are numbered through, a hundred a genre; the file number starts again in each.
    ids = [100 * GENRES.index(genre) + int(number) for genre, number in zip(genres, numbers, strict=True)]
    targets = np.array([np.mean(votes[track], axis=0) for track in ids])
    recordings = np.array([f"track {SAME_RECORDING.get(track, track)}" for track in ids])
    return _clips("Emotify", feature_set, files, 30.0, targets, np.array(genres), recordings)


def _audio_files(folder: Path) -> list[Path]:
    files = sorted(p for p in (folder / "audio").glob("*") if p.suffix.lower() in audio.AUDIO_EXTENSIONS)
    if not files:
        raise checks.DataError(folder, "holds no audio", expected="files in a folder named audio")
    return files


def _clips(
    name: str,
    feature_set: str,
    files: list[Path],
    clip_s: float,
    goals: np.ndarray,
    strata: np.ndarray,
    groups: np.ndarray,
) -> Clips:
    built = features.build(feature_set, kind="vector", sr=SR, rngs=nnx.Rngs(0))
    frontend, summary = built.frontend, built.summary
    assert summary is not None  # a vector has one
    compiled = jax.jit(lambda waveforms, mask: summary(frontend(waveforms), mask))
    num_samples = int(clip_s * SR)
    started, found = time.perf_counter(), []
    for first in range(0, len(files), BATCH):
        waveforms, lengths = np.zeros((BATCH, num_samples), np.float32), np.ones(BATCH, int)
        for row, path in enumerate(files[first : first + BATCH]):
            y = np.asarray(audio.load(path, sr=SR)[0])[:num_samples]
            waveforms[row, : len(y)], lengths[row] = y, len(y)
        vectors = compiled(waveforms, frontend.frame_mask(jnp.asarray(lengths), num_samples))
        found.append(np.asarray(vectors, np.float64)[: len(files) - first])
    seconds = time.perf_counter() - started
    print(f"{name}, {feature_set}: {len(files)} clips, {summary.num_features} features, {seconds:.0f} s")
    ids = tuple(path.stem for path in files)
    return Clips(
        name, feature_set, ids, np.concatenate(found), summary.feature_names, goals, strata, groups, seconds
    )

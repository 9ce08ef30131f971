"""Accuracy on real music: EMOPIA (four quadrants) and Emotify (nine felt emotions), from audio, as docs/accuracy.md says.

    python experiments/accuracy.py --emopia-dir EMOPIA --emotify-dir EMOTIFY --out accuracy.json      # 20 minutes on 2 cores

``EMOPIA`` holds ``audio/Q1_<song>_<n>.ogg``; ``EMOTIFY`` holds ``audio/<genre>_<number>.ogg`` and ``data.csv`` with one row a
vote. Either may be left out. Prints each fold, and writes scores, intervals, choices, versions and machine as JSON.
"""

import csv
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from accuracy_models import CANDIDATES, is_labels
from emopia_manifest import song_and_quadrant
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from mer_jax import audio, checks
from mer_jax.data.splits import VALIDATION_FOLDS
from mer_jax.evaluation import scores, statistics
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.features.musical import MusicalFeatures, MusicalStatistics
from mer_jax.machine import describe_machine, describe_versions, load_average

SR, FOLDS, BATCH, RESAMPLES = 22050, 10, 16, 2000
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
EMOTIONS = (
    *("amazement", "solemnity", "tenderness", "nostalgia", "calmness"),
    *("power", "joyful_activation", "tension", "sadness"),
)
# Emotify numbers its tracks through: the file number starts again in each genre.
GENRES = {"classical": 0, "rock": 100, "electronic": 200, "pop": 300}


@dataclass(frozen=True)
class Clips:
    """A data set.

    Attributes:
        name: of the data set.
        vectors: (clips, features).
        feature_names: of the columns.
        goals: (clips,) classes, or (clips, targets) numbers.
        strata: (clips,) what folds are stratified by.
        groups: (clips,) what no fold may cut.
        features_s: seconds that decoding and features took.
    """

    name: str
    vectors: np.ndarray
    feature_names: tuple[str, ...]
    goals: np.ndarray
    strata: np.ndarray
    groups: np.ndarray
    features_s: float


def emopia(folder: Path) -> Clips:
    """Clips, quadrants and songs of EMOPIA."""
    files = _audio_files(folder)
    songs, quadrants = zip(*(song_and_quadrant(path.stem) for path in files), strict=True)
    labels = np.array([QUADRANTS.index(quadrant) for quadrant in quadrants])
    return _clips("EMOPIA", files, 15.0, labels, labels, np.array(songs))


def emotify(folder: Path) -> Clips:
    """Tracks, mean votes and genres of Emotify."""
    votes: dict[int, list[list[float]]] = defaultdict(list)
    with open(folder / "data.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            votes[int(row["track id"])].append([float(row[emotion]) for emotion in EMOTIONS])
    files = _audio_files(folder)
    genres, numbers = zip(*(path.stem.split("_") for path in files), strict=True)
    ids = [GENRES[genre] + int(number) for genre, number in zip(genres, numbers, strict=True)]
    targets = np.array([np.mean(votes[track], axis=0) for track in ids])
    return _clips("Emotify", files, 30.0, targets, np.array(genres), np.array([path.stem for path in files]))


def _audio_files(folder: Path) -> list[Path]:
    files = sorted(p for p in (folder / "audio").glob("*") if p.suffix.lower() in audio.AUDIO_EXTENSIONS)
    if not files:
        raise checks.DataError(folder, "holds no audio", expected="files in a folder named audio")
    return files


def _clips(
    name: str, files: list[Path], clip_s: float, goals: np.ndarray, strata: np.ndarray, groups: np.ndarray
) -> Clips:
    frontend = MusicalFeatures(sr=SR)
    summary = MusicalStatistics(frontend.feature_names, frame_rate_hz=frontend.frame_rate_hz)
    compiled = jax.jit(lambda waveforms, mask: summary(frontend(waveforms), mask))
    num_samples = int(clip_s * SR)
    started, found = time.perf_counter(), []
    for first in range(0, len(files), BATCH):
        waveforms, lengths = np.zeros((BATCH, num_samples), np.float32), np.ones(BATCH, int)
        for row, path in enumerate(files[first : first + BATCH]):
            y = np.asarray(audio.load(path, sr=SR)[0])[:num_samples]
            waveforms[row, : len(y)], lengths[row] = y, len(y)
        vectors = compiled(waveforms, frontend.frame_mask(lengths, num_samples))
        found.append(np.asarray(vectors, np.float64)[: len(files) - first])
    seconds = time.perf_counter() - started
    print(f"{name}: {len(files)} clips, {summary.num_features} features, {seconds:.0f} s")
    return Clips(name, np.concatenate(found), summary.feature_names, goals, strata, groups, seconds)


def folds(
    strata: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of each fold."""
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(strata, strata, groups))


def predict(clips: Clips, train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Predictions of every candidate; vectors are standardised by the training rows."""
    scaler = StandardScaler().fit(clips.vectors[train])
    x, x_new = scaler.transform(clips.vectors[train]), scaler.transform(clips.vectors[test])
    return {name: model(x, clips.goals[train], x_new, seed) for name, model in CANDIDATES.items()}


def score(goals: np.ndarray, predictions: np.ndarray) -> float:
    """Accuracy of class probabilities; mean over targets of Pearson's r of numbers."""
    if is_labels(goals):
        return float((predictions.argmax(axis=1) == goals).mean())
    return float(np.mean(correlations(goals, predictions)))


def correlations(goals: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Pearson's r of each target."""
    a, b = goals - goals.mean(axis=0), predictions - predictions.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))


def combine(predictions: dict[str, np.ndarray], classes: bool) -> np.ndarray:
    """All candidates with equal weights: mean of the log-probabilities, scaled to sum to 1, or mean of the numbers."""
    parts = np.stack(list(predictions.values()))
    if not classes:
        return parts.mean(axis=0)
    pooled = np.exp(np.log(parts + 1e-6).mean(axis=0))
    return pooled / pooled.sum(axis=1, keepdims=True)


def cross_validate(clips: Clips, seed: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Pooled out-of-fold predictions of each candidate, of the one chosen in each fold, and of all combined; and the choices.

    The choice is made on the first of eight folds of the training rows; what is chosen is then fitted to all of them.
    """
    out: dict[str, np.ndarray] = {}
    choices = []
    for number, (rest, test) in enumerate(folds(clips.strata, clips.groups, FOLDS, seed)):
        inner, held = folds(clips.strata[rest], clips.groups[rest], VALIDATION_FOLDS, seed)[0]
        on_held = predict(clips, rest[inner], rest[held], seed)
        goals = clips.goals[rest[held]]
        best = max(on_held, key=lambda name: score(goals, on_held[name]))
        choices.append(best)
        found = predict(clips, rest, test, seed)
        found |= {"chosen": found[best], "combined": combine(found, is_labels(clips.goals))}
        for name, predictions in found.items():
            shape = (len(clips.goals), predictions.shape[1])
            out.setdefault(name, np.zeros(shape))[test] = predictions
        of_test = score(clips.goals[test], found["chosen"])
        print(f"{clips.name}, seed {seed}, fold {number}: {best} is chosen, {of_test:.3f}", flush=True)
    return out, choices


def evaluate(clips: Clips, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Scores of everything under all seeds, with intervals over groups."""
    started = time.perf_counter()
    runs, choices = zip(*(cross_validate(clips, seed) for seed in seeds), strict=True)
    describe = _classification if is_labels(clips.goals) else _regression
    return {
        "data": clips.name,
        "clips": len(clips.goals),
        "groups": len(np.unique(clips.groups)),
        "features": len(clips.feature_names),
        "folds": FOLDS,
        "seeds": list(seeds),
        "features_s": round(clips.features_s, 1),
        "models_s": round(time.perf_counter() - started, 1),
        "choices": {str(seed): list(chosen) for seed, chosen in zip(seeds, choices, strict=True)},
        "scores": {name: describe(clips, [run[name] for run in runs]) for name in runs[0]},
    }


def _classification(clips: Clips, runs: list[np.ndarray]) -> dict[str, Any]:
    found = [scores.compute(clips.goals, run, QUADRANTS) for run in runs]
    names = ("accuracy", "macro_f1", "mcc", "auc", "brier", "ece")
    parts = [Predictions(clips.goals, run, clips.groups) for run in runs]
    return {
        "mean": {name: float(np.mean([one[name] for one in found])) for name in names},
        "seeds": [{name: float(one[name]) for name in names} for one in found],
        "interval": statistics.bootstrap_intervals(parts, num_resamples=RESAMPLES),
        "confusion": np.sum([one["confusion"] for one in found], axis=0).tolist(),
    }


def _regression(clips: Clips, runs: list[np.ndarray]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(len(clips.goals), size=len(clips.goals))  # a track is a group of its own
        drawn.append(np.mean([score(clips.goals[rows], run[rows]) for run in runs]))
    each = np.mean([correlations(clips.goals, run) for run in runs], axis=0)
    return {
        "mean": {"pearson_r": float(each.mean())},
        "seeds": [{"pearson_r": score(clips.goals, run)} for run in runs],
        "interval": {"pearson_r": np.percentile(drawn, [2.5, 97.5]).tolist(), "num_resamples": RESAMPLES},
        "targets": dict(zip(EMOTIONS, each.tolist(), strict=True)),
    }


def main(
    out: Path,
    emopia_dir: Path | None = None,
    emotify_dir: Path | None = None,
    seeds: tuple[int, ...] = (0, 1),
) -> None:
    """Measure, print a table, and write ``out``."""
    sets = [read(path) for read, path in ((emopia, emopia_dir), (emotify, emotify_dir)) if path is not None]
    results = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "load_average": load_average(),
        "results": [evaluate(clips, seeds) for clips in sets],
    }
    for result in results["results"]:
        print(
            f"\n{result['data']}: {result['clips']} clips, {result['folds']} folds, seeds {result['seeds']}"
        )
        for name, found in result["scores"].items():
            metric = next(iter(found["mean"]))
            low, high = found["interval"][metric]
            print(f"  {name:36s} {metric} {found['mean'][metric]:.3f}, 95 % {low:.3f} to {high:.3f}")
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"accuracy: {error}")

"""Accuracy on real music: EMOPIA (four quadrants) and Emotify (nine felt emotions), from audio, as docs/accuracy.md says.

    python experiments/accuracy.py --emopia-dir EMOPIA --emotify-dir EMOTIFY --out accuracy.json   # half an hour on 2 cores

``EMOPIA`` holds ``audio/Q1_<song>_<n>.ogg``; ``EMOTIFY`` holds ``audio/<genre>_<number>.ogg`` and ``data.csv`` with one row a
vote. Either may be left out. Prints each fold, and writes scores, intervals, choices, versions and machine as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from accuracy_data import EMOTIONS, QUADRANTS, Clips, emopia, emotify
from accuracy_models import CANDIDATES, is_labels
from sklearn.preprocessing import StandardScaler

from mer_jax import checks
from mer_jax.data.atomic import atomic_path
from mer_jax.data.splits import FOLDS, grouped_split
from mer_jax.evaluation import scores, statistics
from mer_jax.evaluation.bootstrap import Predictions, resamples
from mer_jax.machine import describe_machine, describe_versions, load_average

RESAMPLES = 2000
SEEDS = (0, 1)

#: Out-of-fold predictions by model, one entry a seed.
Runs = dict[str, list[np.ndarray]]


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

    The choice is made on the validation part; what is chosen is then fitted to it and the training part.
    """
    out: dict[str, np.ndarray] = {}
    choices = []
    strata = np.unique(clips.strata, return_inverse=True)[1]
    for number in range(FOLDS):
        split = grouped_split(strata, list(clips.groups), fold=number, seed=seed)
        on_held = predict(clips, split.train, split.validation, seed)
        goals, test = clips.goals[split.validation], split.test
        best = max(on_held, key=lambda name: score(goals, on_held[name]))
        choices.append(best)
        rest = np.sort(np.concatenate([split.train, split.validation]))
        found = predict(clips, rest, test, seed)
        found |= {"chosen": found[best], "combined": combine(found, is_labels(clips.goals))}
        for name, predictions in found.items():
            shape = (len(clips.goals), predictions.shape[1])
            out.setdefault(name, np.zeros(shape))[test] = predictions
        of_test = score(clips.goals[test], found["chosen"])
        print(
            f"{clips.name}, {clips.feature_set}, seed {seed}, fold {number}: {best} is chosen, {of_test:.3f}",
            flush=True,
        )
    return out, choices


def evaluate(clips: Clips) -> tuple[dict[str, Any], Runs]:
    """Scores of everything under all seeds, with intervals over groups; and the predictions."""
    started = time.perf_counter()
    found, choices = zip(*(cross_validate(clips, seed) for seed in SEEDS), strict=True)
    runs: Runs = {name: [of_seed[name] for of_seed in found] for name in found[0]}
    seconds = time.perf_counter() - started
    describe = classification if is_labels(clips.goals) else _regression
    result = {
        "data": clips.name,
        "feature_set": clips.feature_set,
        "features": len(clips.feature_names),
        "clips": len(clips.goals),
        "groups": len(np.unique(clips.groups)),
        "folds": FOLDS,
        "seeds": list(SEEDS),
        "features_s": round(clips.features_s, 1),
        "models_s": round(seconds, 1),
        "choices": {str(seed): list(chosen) for seed, chosen in zip(SEEDS, choices, strict=True)},
        "scores": {name: describe(clips, run) for name, run in runs.items()},
    }
    return result, runs


def classification(clips: Clips, run: list[np.ndarray]) -> dict[str, Any]:
    """Scores of class probabilities, mean over seeds and each, with intervals over groups."""
    found = [scores.compute(clips.goals, one, QUADRANTS) for one in run]
    names = ("accuracy", "macro_f1", "mcc", "auc", "brier", "ece")
    return {
        "mean": {name: float(np.mean([one[name] for one in found])) for name in names},
        "seeds": [{name: float(one[name]) for name in names} for one in found],
        "interval": statistics.bootstrap_intervals(_parts(clips, run), num_resamples=RESAMPLES),
        "confusion": np.sum([one["confusion"] for one in found], axis=0).tolist(),
    }


def _regression(clips: Clips, run: list[np.ndarray]) -> dict[str, Any]:
    each = np.mean([correlations(clips.goals, one) for one in run], axis=0)
    interval = np.percentile(_resampled(clips, run), [2.5, 97.5]).tolist()
    return {
        "mean": {"pearson_r": float(each.mean())},
        "seeds": [{"pearson_r": score(clips.goals, one)} for one in run],
        "interval": {
            "pearson_r": interval,
            "num_resamples": RESAMPLES,
            "num_groups": len(np.unique(clips.groups)),
        },
        "targets": dict(zip(EMOTIONS, each.tolist(), strict=True)),
    }


def compare(clips: Clips, first: Runs, second: Runs) -> dict[str, Any]:
    """What the first feature set scores more than the second, model by model: paired bootstrap over groups."""
    return {name: difference(clips, first[name], second[name]) for name in first}


def difference(clips: Clips, first: list[np.ndarray], second: list[np.ndarray]) -> dict[str, Any]:
    """Score of the first predictions less that of the second, one entry a seed in each: paired bootstrap over groups."""
    if is_labels(clips.goals):
        parts = [_parts(clips, run) for run in (first, second)]
        found = statistics.paired_difference(*parts, metrics=("accuracy",))["accuracy"]
        assert found is not None  # there are hundreds of groups
        return {"difference": found.value, "interval": [found.low, found.high], "p": found.p_value}
    value = np.mean([score(clips.goals, one) for one in first]) - np.mean(
        [score(clips.goals, one) for one in second]
    )
    drawn = _resampled(clips, first) - _resampled(clips, second)
    return {
        "difference": float(value),
        "interval": np.percentile(drawn, [2.5, 97.5]).tolist(),
        "p": float(min(1, 2 * (min((drawn <= 0).sum(), (drawn >= 0).sum()) + 1) / (RESAMPLES + 1))),
    }


def _parts(clips: Clips, run: list[np.ndarray]) -> list[Predictions]:
    return [Predictions(clips.goals, one, clips.groups) for one in run]


def _resampled(clips: Clips, run: list[np.ndarray]) -> np.ndarray:
    """Mean correlation in each of the same resamples of recordings."""
    drawn = resamples([clips.groups], num_resamples=RESAMPLES)
    return np.array([np.mean([score(clips.goals[rows], one[rows]) for one in run]) for (rows,) in drawn])


def show(result: dict[str, Any]) -> None:
    """Print the scores of one data set and feature set."""
    print(
        f"\n{result['data']}, {result['feature_set']}: {result['clips']} clips, {FOLDS} folds, seeds {SEEDS}"
    )
    for name, found in result["scores"].items():
        metric = next(iter(found["mean"]))
        low, high = found["interval"][metric]
        of_seeds = ", ".join(f"{one[metric]:.3f}" for one in found["seeds"])
        print(f"  {name:34s} {metric} {found['mean'][metric]:.3f} ({of_seeds}), 95 % {low:.3f} to {high:.3f}")


def main(
    out: Path,
    emopia_dir: Path | None = None,
    emotify_dir: Path | None = None,
    feature_sets: tuple[str, ...] = ("time_frequency", "musical"),
) -> None:
    """Measure, print tables, and write ``out``.

    Args:
        out: JSON file to write.
        emopia_dir: folder of EMOPIA; left out if None.
        emotify_dir: folder of Emotify; left out if None.
        feature_sets: clip vectors by name, as ``mer-jax train --network dense --frontend.name`` takes it; the last is compared
            with the first.
    """
    results: list[dict[str, Any]] = []
    differences: dict[str, Any] = {}
    for read, folder in ((emopia, emopia_dir), (emotify, emotify_dir)):
        if folder is None:
            continue
        runs_of: dict[str, Runs] = {}
        for feature_set in feature_sets:
            clips = read(folder, feature_set)
            result, runs_of[feature_set] = evaluate(clips)
            results.append(result)
            show(result)
            _write(out, results, differences)
        first, last = feature_sets[0], feature_sets[-1]
        if first != last:
            differences[f"{clips.name}: {last} less {first}"] = compare(clips, runs_of[last], runs_of[first])
            _write(out, results, differences)


def _write(out: Path, results: list[dict[str, Any]], differences: dict[str, Any]) -> None:
    """What is there so far: a run that is cut off leaves the data sets that it finished."""
    write_record(out, {"results": results, "differences": differences})


def write_record(out: Path, found: dict[str, Any]) -> None:
    """Write what was found as JSON, with the machine and the versions that it was found on."""
    measured_on = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "load_average": load_average(),
    }
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(measured_on | found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"accuracy: {error}")

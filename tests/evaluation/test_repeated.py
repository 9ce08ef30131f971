"""Folds and seeds scored together, and two configurations compared, on run folders made up here."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from mer_jax import checks
from mer_jax.evaluation import comparison, repeated, scores, target_scores

CLASSES = ("Happy", "Sad", "Calm")
FOLDS, SEEDS, CLIPS = 3, 2, 60


def write(out, fold, seed, arrays, found, task="classes", names=CLASSES):
    out.mkdir(parents=True)
    np.savez(out / "predictions.npz", **arrays)
    part = {"validation": found, "test": found}
    (out / "scores.json").write_text(json.dumps(part))
    (out / "config.json").write_text("{}")
    (out / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "validation": {"loss": 1.0}}) + "\n")
    facts = {
        "fold": fold,
        "folds": FOLDS,
        "seed": seed,
        "task": {"name": task},
        "data": {
            "name": "made up",
            "synthetic": "yes",
            "classes": list(names) if task == "classes" else [],
            "targets": [] if task == "classes" else list(names),
            "counts": {"train": {"": 36}, "validation": {"": 4}, "test": {"": 20}},
        },
    }
    (out / "facts.json").write_text(json.dumps(facts))


def classifier(folder, skill, *, seeds=SEEDS, noise=0):
    """Runs of a made-up classifier on all folds and seeds."""
    truth = np.random.default_rng(0).integers(0, 3, CLIPS)
    paths = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, noise])
        logits = skill * np.eye(3)[truth] + rng.normal(size=(CLIPS, 3))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        for fold in range(FOLDS):
            rows = rng.permutation(np.arange(fold, CLIPS, FOLDS))
            arrays = {
                "ids": np.array([f"clip {r}" for r in rows]),
                "groups": np.array([f"song {r // 6}" for r in rows]),
                "labels": truth[rows],
                "probabilities": p[rows].astype(np.float32),
                "classes": np.array(CLASSES),
            }
            out = folder / f"fold{fold}_seed{seed}"
            write(out, fold, seed, arrays, scores.compute(arrays["labels"], arrays["probabilities"], CLASSES))
            paths.append(out)
    return paths


def regressor(folder, skill):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(CLIPS, 2))
    paths = []
    for fold in range(FOLDS):
        rows = np.arange(fold, CLIPS, FOLDS)
        guess = skill * truth[rows] + rng.normal(size=(len(rows), 2))
        arrays = {
            "ids": np.array([f"clip {r}" for r in rows]),
            "groups": np.array([f"song {r // 6}" for r in rows]),
            "targets": truth[rows],
            "predictions": guess,
            "names": np.array(["valence", "arousal"]),
        }
        out = folder / f"fold{fold}_seed0"
        found = target_scores.regression(truth[rows], guess, ("valence", "arousal"))
        write(out, fold, 0, arrays, found, "valence_arousal", ("valence", "arousal"))
        paths.append(out)
    return paths


def crossval(folder, make, *args, **options):
    found = repeated.summarise(make(folder, *args, **options), folder=folder)
    (folder / repeated.FILE_NAME).write_text(json.dumps(found))
    return found


def test_scores_are_those_of_each_seed_pooled(tmp_path):
    found = crossval(tmp_path / "a", classifier, 1.5)
    by_seed = []
    for seed in range(SEEDS):
        parts = [np.load(tmp_path / "a" / f"fold{k}_seed{seed}" / "predictions.npz") for k in range(FOLDS)]
        y = np.concatenate([part["labels"] for part in parts])
        p = np.concatenate([part["probabilities"] for part in parts]).astype(np.float64)
        one_hot = np.eye(3)[y]
        by_seed.append(
            (
                metrics.accuracy_score(y, p.argmax(axis=1)),
                metrics.f1_score(y, p.argmax(axis=1), average="macro"),
                metrics.matthews_corrcoef(y, p.argmax(axis=1)),
                metrics.roc_auc_score(one_hot, p, average="macro"),
                metrics.average_precision_score(one_hot, p, average="macro"),
                ((p - one_hot) ** 2).sum(axis=1).mean(),
            )
        )
    expected = dict(
        zip(("accuracy", "macro_f1", "mcc", "auc", "pr_auc", "brier"), np.mean(by_seed, axis=0), strict=True)
    )
    assert found["scores"] == pytest.approx(expected | {"ece": found["scores"]["ece"]}, abs=1e-12)
    low, high = found["intervals"]["accuracy"]
    assert low < found["scores"]["accuracy"] < high
    assert found["intervals"]["ece"] is None
    assert (found["num_clips"], found["num_groups"], len(found["splits"])) == (CLIPS, 10, FOLDS * SEEDS)


def test_the_interval_over_splits_is_corrected_for_shared_clips(tmp_path):
    found = crossval(tmp_path / "a", classifier, 1.5)
    values = np.array([split["scores"]["accuracy"] for split in found["splits"]])
    over = found["over_splits"]["accuracy"]
    half = stats.t.ppf(0.975, 5) * np.sqrt((1 / 6 + 20 / 36) * values.var(ddof=1))
    assert (over["low"], over["high"]) == pytest.approx((values.mean() - half, values.mean() + half))


def test_the_better_of_two_is_told(tmp_path):
    crossval(tmp_path / "good", classifier, 4.0, noise=1)
    crossval(tmp_path / "bad", classifier, 0.3, noise=2)
    found = comparison.compare(tmp_path / "good", tmp_path / "bad")
    one = found["metrics"]["accuracy"]
    assert one["difference"] == pytest.approx(one["first"] - one["second"])
    assert one["bootstrap"]["interval"][0] > 0
    assert one["bootstrap"]["p"] < 0.01
    assert one["over_splits"]["p_value"] < 0.05
    assert found["metrics"]["brier"]["difference"] < 0
    assert "mcnemar_p" not in found
    back = comparison.compare(tmp_path / "bad", tmp_path / "good")["metrics"]["accuracy"]
    assert back["difference"] == -one["difference"]
    text = comparison.table(found, "good", "bad")
    assert "accuracy" in text
    assert "Nadeau" in text


def test_a_configuration_does_not_differ_from_itself(tmp_path):
    crossval(tmp_path / "a", classifier, 1.0)
    one = comparison.compare(tmp_path / "a", tmp_path / "a")["metrics"]["accuracy"]
    assert one["difference"] == 0
    assert one["bootstrap"]["p"] == 1
    assert one["over_splits"] is None  # no spread to judge by


def test_two_single_runs(tmp_path):
    (first, *_), (second, *_) = (classifier(tmp_path / n, s) for n, s in (("a", 4.0), ("b", 0.0)))
    found = comparison.compare(first, second)
    assert found["num_splits"] == 1
    assert 0 < found["mcnemar_p"] < 0.05
    assert found["metrics"]["accuracy"]["over_splits"] is None


def test_numbers_are_pooled_and_compared_too(tmp_path):
    found = crossval(tmp_path / "good", regressor, 3.0)
    parts = [np.load(tmp_path / "good" / f"fold{k}_seed0" / "predictions.npz") for k in range(FOLDS)]
    y, p = (np.concatenate([part[name] for part in parts]) for name in ("targets", "predictions"))
    expected = np.mean([stats.pearsonr(y[:, k], p[:, k]).statistic for k in range(2)])
    assert found["scores"]["pearson_r"] == pytest.approx(expected, abs=1e-12)
    assert found["scores"]["r2"] == pytest.approx(metrics.r2_score(y, p), abs=1e-12)
    crossval(tmp_path / "bad", regressor, 0.2)
    one = comparison.compare(tmp_path / "good", tmp_path / "bad")["metrics"]["pearson_r"]
    assert one["bootstrap"]["interval"][0] > 0


def test_what_cannot_be_compared(tmp_path):
    crossval(tmp_path / "a", classifier, 1.0)
    crossval(tmp_path / "one_seed", classifier, 1.0, seeds=1)
    crossval(tmp_path / "numbers", regressor, 1.0)
    with pytest.raises(checks.DataError, match="was not tested on the clips"):
        comparison.compare(tmp_path / "a", tmp_path / "one_seed")
    with pytest.raises(checks.DataError, match="is about valence, arousal"):
        comparison.compare(tmp_path / "a", tmp_path / "numbers")

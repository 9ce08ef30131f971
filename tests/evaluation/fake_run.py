"""A made-up but plausible run folder: seeded, with probabilities drawn, not learnt."""

import json
from pathlib import Path

import numpy as np
from sklearn import metrics

MOODS = ("Aggressive", "Dramatic", "Happy", "Romantic", "Sad")


def make(path: Path, *, classes=MOODS, synthetic=True, num_epochs=24, num_clips=240, seed=0, examples=True):
    """Write a run folder; its scores are computed by scikit-learn and NumPy here, not by the code under test."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True)
    labels, probabilities, groups = predictions(rng, len(classes), num_clips)
    np.savez(
        path / "predictions.npz",
        ids=np.array([f"clip-{k:04d}" for k in range(num_clips)]),
        groups=groups,
        labels=labels,
        probabilities=probabilities,
        classes=np.array(classes),
    )
    splits = {"train": 1400, "validation": 200, "test": num_clips}
    counts = {
        name: {
            c: int(n)
            for c, n in zip(
                classes, rng.multinomial(total, np.ones(len(classes)) / len(classes)), strict=True
            )
        }
        for name, total in splits.items()
    }
    counts["test"] = {c: int((labels == k).sum()) for k, c in enumerate(classes)}
    test = expected_scores(labels, probabilities, classes)
    facts = {
        "data": {
            "name": "synthetic moods" if synthetic else "private moods",
            "synthetic": synthetic,
            "num_clips": sum(splits.values()),
            "classes": list(classes),
            "counts": counts,
            "num_groups": 310,
            "class_valence_arousal": [[-0.25, 0.7512345] for _ in classes],
            "licence": "CC0-1.0",
        },
        "seed": 0,
        "fold": 0,
        "folds": 10,
        "versions": {
            "python": "3.11.7",
            "jax": "0.10.2",
            "flax": "0.12.8",
            "numpy": "2.4.6",
            "mer_jax": "0.1.0",
        },
        "hardware": {"device": "cpu", "cores": 2, "memory_gib": 7.6},
        "started": "2026-11-23T10:00:00+00:00",
        "finished": "2026-11-23T10:03:12+00:00",
        "wall_s": 192.34,
        "compile_s": 11.2,
        "num_parameters": 1_234_567,
        "backend": "mer_jax",
    }
    config = {
        "approach": 1,
        "frontend": {"name": "TimeDomain", "sr": 22050},
        "learning_rate": 1e-3,
        "batch_size": 32,
    }
    (path / "facts.json").write_text(json.dumps(facts))
    (path / "config.json").write_text(json.dumps(config))
    validation = {key: test[key] for key in test if key not in ("per_class", "confusion")}
    (path / "scores.json").write_text(json.dumps({"test": test, "validation": validation}))
    lines = [json.dumps(record) for record in epochs(rng, num_epochs)]
    (path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if examples:
        write_examples(path, rng, classes)
    return path


def predictions(rng, num_classes, num_clips):
    labels = rng.permutation(np.arange(num_clips) % num_classes).astype(np.int32)
    logits = rng.normal(size=(num_clips, num_classes)) + 2.0 * np.eye(num_classes)[labels]
    probabilities = np.exp(1.3 * logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    groups = np.array([f"song-{k // 3}" for k in range(num_clips)])
    return labels, probabilities.astype(np.float32), groups


def expected_scores(labels, probabilities, classes):
    index = range(len(classes))
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted, labels=list(index))
    parts = metrics.precision_recall_fscore_support(labels, predicted, labels=list(index), zero_division=0)
    return {
        "accuracy": float((labels == predicted).mean()),
        "brier": float(((probabilities - np.eye(len(classes))[labels]) ** 2).sum(axis=1).mean()),
        "macro_f1": float(parts[2].mean()),
        "mcc": float(metrics.matthews_corrcoef(labels, predicted)),
        "auc": float(metrics.roc_auc_score(np.eye(len(classes))[labels], probabilities, average="macro")),
        "ece": 0.061,
        "loss": float(metrics.log_loss(labels, probabilities, labels=list(index))),
        "num_clips": len(labels),
        "per_class": {
            name: {
                "precision": float(parts[0][k]),
                "recall": float(parts[1][k]),
                "f1": float(parts[2][k]),
                "support": int(parts[3][k]),
            }
            for k, name in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }


def epochs(rng, num_epochs):
    for number in range(1, num_epochs + 1):
        progress = 1 - np.exp(-number / 6)
        overfit = 0.012 * max(0, number - 14)
        noise = rng.normal(scale=0.01, size=6)
        yield {
            "epoch": number,
            "train": {
                "loss": 1.6 - 1.2 * progress + noise[0],
                "accuracy": 0.2 + 0.65 * progress + noise[1],
                "brier": 0.8 - 0.55 * progress + noise[2],
            },
            "validation": {
                "loss": 1.6 - 0.95 * progress + overfit + noise[3],
                "accuracy": 0.2 + 0.5 * progress + noise[4],
                "brier": 0.8 - 0.4 * progress + overfit / 2 + noise[5],
                "macro_f1": 0.19 + 0.5 * progress,
                "mcc": 0.6 * progress,
                "auc": 0.5 + 0.42 * progress,
                "ece": 0.05,
            },
            "learning_rate": 1e-3,
            "seconds": 7.9,
            "audio_s_per_s": 880.0,
        }


def write_examples(path, rng, classes):
    from mer_jax.evaluation import examples

    frame_rate_hz, frames, bins = 22050 / 512, 216, 128
    time = np.arange(frames) / frame_rate_hz
    envelope = {
        c: np.abs(np.sin(2 * np.pi * (k + 1) * 0.4 * time)) * (0.4 + 0.1 * k) + 0.03 * rng.random(frames)
        for k, c in enumerate(classes)
    }
    frequency = np.geomspace(30, 11025, bins)
    mel = {}
    for k, c in enumerate(classes):
        peak = np.exp(-(((np.arange(bins)[:, None] - 30 - 12 * k - 10 * np.sin(time * (k + 1))) / 9) ** 2))
        mel[c] = np.clip(-80 + 75 * peak + 6 * rng.normal(size=(bins, frames)), -80, 0)
    chroma = {c: rng.random((12, frames)) ** (k + 1) for k, c in enumerate(classes)}
    notes = np.array(["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"])
    features = {
        "Amplitude envelope": examples.FeatureExample(envelope, frame_rate_hz, unit="full scale"),
        "Mel spectrogram": examples.FeatureExample(mel, frame_rate_hz, "dB", "Frequency (Hz)", frequency),
        "Chroma (CQT)": examples.FeatureExample(chroma, frame_rate_hz, "", "Pitch class", notes),
    }
    examples.write(path, features, clip_ids={c: f"clip-{k:04d}" for k, c in enumerate(classes)})

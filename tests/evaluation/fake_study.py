"""A made-up but plausible study folder: seeded, with probabilities drawn, not learnt."""

import json

import fake_run
import numpy as np

from mer_jax.evaluation import scores

MOODS = fake_run.MOODS

# id, approach, title, features, network, how far right logits stand out, parameters, trainable, features s, training s, base
CELLS = (
    ("time-ae", 1, "AE", "amplitude envelope", "cnn_bilstm", 0.7, 180_613, 180_613, 0.9, 41.0, None),
    ("time-rms", 1, "RMSE", "rms", "cnn_bilstm", 0.9, 180_613, 180_613, 1.1, 39.5, None),
    ("time-zcr", 1, "ZCR", "zero_crossing_rate", "cnn_bilstm", 0.8, 180_613, 180_613, 1.0, 44.1, None),
    ("time-all", 1, "AE + RMSE + ZCR", "time_domain", "cnn_bilstm", 1.2, 180_997, 180_997, 2.7, 47.3, None),
    ("time-all-lstm", 1, "AE + RMSE + ZCR, LSTM", "time_domain", "lstm", 0.9, 95_301, 95_301, 2.7, 30.2, None),
    ("stat-time", 2, "Time statistics", "time", "dense", 1.1, 189_125, 189_125, 2.9, 4.2, None),
    ("stat-frequency", 2, "Frequency statistics", "frequency", "dense", 1.9, 221_893, 221_893, 20.5, 4.9, None),
    ("stat-both", 2, "Time + frequency statistics", "time + frequency", "dense", 2.1, 230_085, 230_085, 23.2, 5.1, None),
    ("image-spectrogram", 3, "Linear spectrogram", "spectrogram", "vgg19", 1.7, 28_912_645, 8_888_261, 312.4, 21.0, "he"),
    ("image-log-cqt", 3, "Log-CQT", "log_cqt", "vgg19", 1.9, 28_912_645, 8_888_261, 340.9, 22.7, "he"),
    ("image-mfcc", 3, "MFCC", "mfcc", "vgg19", 1.8, 28_912_645, 8_888_261, 318.8, 19.9, "he"),
)  # fmt: skip


def make(
    path,
    *,
    folds=(0,),
    seeds=(0,),
    cells=CELLS,
    classes=MOODS,
    synthetic="yes",
    num_clips=240,
    num_epochs=12,
    missing=(),
    examples=False,
    notes=("VGG19 base starts from He normal weights, not ImageNet.",),
):
    """Write a study folder; ``missing`` holds (cell id, fold, seed) or cell ids that are not done."""
    rng = np.random.default_rng(0)
    path.mkdir(parents=True)
    groups = np.array([f"song-{k // 3}" for k in range(num_clips)])
    ids = np.array([f"clip-{k:04d}" for k in range(num_clips)])
    labels = rng.integers(0, len(classes), num_clips // 3 + 1)[np.arange(num_clips) // 3].astype(np.int32)
    study = {
        "settings": {"data": "synthetic", "image_size": 128, "training": {"epochs": num_epochs}},
        "data": {
            "name": "synthetic moods" if synthetic == "yes" else "private moods",
            "synthetic": synthetic,
            "classes": list(classes),
            "num_clips": num_clips,
            "num_groups": len(set(groups)),
            "counts": {
                part: {
                    name: int(n) for name, n in zip(classes, rng.integers(10, 60, len(classes)), strict=True)
                }
                for part in ("train", "validation", "test")
            },
            "licence": "CC0-1.0",
        },
        "folds": list(folds),
        "seeds": list(seeds),
        "versions": {"python": "3.11.7", "jax": "0.10.2", "mer_jax": "0.1.0"},
        "hardware": {"cpu": "Fast CPU", "cores": 2, "accelerator": "none", "accelerators": 0},
        "started": "2026-11-23T10:00:00+00:00",
        "finished": None if missing else "2026-11-23T10:30:00+00:00",
        "notes": list(notes),
        "cells": [
            dict(zip(("id", "approach", "title", "features", "network"), cell, strict=False))
            for cell in cells
        ],
    }
    (path / "study.json").write_text(json.dumps(study))
    for seed in seeds:
        # Ten folds of songs, as the protocol has them; the next fold is the validation part.
        fold_of_song = np.random.default_rng(seed).permutation(np.arange(num_clips // 3 + 1) % 10)
        fold_of_clip = fold_of_song[np.arange(num_clips) // 3]
        luck = rng.normal(size=(num_clips, len(classes)))  # a song that is hard is hard for every cell
        for fold in folds:
            for cell in cells:
                if cell[0] in missing or (cell[0], fold, seed) in missing:
                    continue
                test = rng.permutation(np.flatnonzero(fold_of_clip == fold))
                validation = np.flatnonzero(fold_of_clip == (fold + 1) % 10)
                p = _probabilities(rng, labels, luck, cell[5], len(classes))
                _write_split(
                    path, cell, fold, seed, ids, groups, labels, p, test, validation, classes, num_epochs, rng
                )
    if examples:
        (path / "examples").mkdir()
        fake_run.write_examples(path / "examples", rng, classes)
    return path


def _probabilities(rng, labels, luck, strength, num_classes):
    logits = 0.7 * luck + 0.7 * rng.normal(size=luck.shape) + strength * np.eye(num_classes)[labels]
    p = np.exp(1.2 * logits)
    return (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


def _write_split(path, cell, fold, seed, ids, groups, labels, p, test, validation, classes, num_epochs, rng):
    folder = path / "cells" / cell[0] / f"fold{fold}_seed{seed}"
    folder.mkdir(parents=True)
    np.savez(
        folder / "predictions.npz",
        ids=ids[test],
        groups=groups[test],
        labels=labels[test],
        probabilities=p[test],
        classes=np.array(classes),
        validation_labels=labels[validation],
        validation_probabilities=p[validation],
        validation_groups=groups[validation],
    )
    records = list(fake_run.epochs(rng, num_epochs))
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    parts = {
        name: scores.compute(labels[rows], p[rows], classes)
        for name, rows in (("validation", validation), ("test", test))
    }
    result = {
        "cell": cell[0],
        "fold": fold,
        "seed": seed,
        "scores": parts,
        "num_parameters": cell[6],
        "num_trainable": cell[7],
        "feature_s": cell[8] if fold == 0 else 0.0,
        "train_s": cell[9] * (1 + 0.05 * rng.normal()),
        "epochs": num_epochs,
        "best_epoch": max(1, num_epochs - 3),
        "base_init": cell[10],
        "selected_on": "validation",
    }
    (folder / "result.json").write_text(json.dumps(result))

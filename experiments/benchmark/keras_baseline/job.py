"""The study as a competent user of librosa and Keras writes it: from audio files to the scores of three networks, timed.

    python experiments/benchmark/keras_baseline/job.py music/manifest.csv --json keras.json

Needs the extra ``keras`` (TensorFlow, Keras, librosa). Amplitude envelope into 1D CNN + BiLSTM, time and frequency features
into dense layers, log-CQT pictures into VGG19 with seven dense layers; scikit-learn's grouped folds; the best epoch by
validation accuracy. VGG19 twice: ``pictures_study`` has the frozen base inside the model, as the study had it, and its epochs
are told from ``--measured-steps`` steps (the result says so); ``pictures_cached`` computes the base's output once.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main() -> None:
    """Run the job and write its times and scores."""
    started = time.perf_counter()
    args = _parser().parse_args()
    import features
    import numpy as np
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedGroupKFold

    with open(args.manifest, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [args.manifest.parent / row["path"] for row in rows]
    classes = sorted({row["label"] for row in rows})
    labels = np.array([classes.index(row["label"]) for row in rows])
    groups = np.array([row["group"] for row in rows])
    test, train, validation = _split(StratifiedGroupKFold, labels, groups, args.seed)

    kinds = ["series", "numbers", "pictures"]
    begun = time.perf_counter()
    found = features.of_files(paths, kinds, sr=args.sr, clip_s=args.clip_s, size=args.image_size)
    features_s = time.perf_counter() - begun
    # After the worker processes: TensorFlow's threads do not survive a fork.
    import keras
    import models
    import tensorflow as tf

    imported_s = time.perf_counter() - started - features_s
    cells: dict[str, Any] = {}
    steps = args.epochs * -(-len(train) // args.batch)

    def dataset(x: Any, part: Any, *, shuffle: bool = False) -> Any:
        pairs = tf.data.Dataset.from_tensor_slices((x[part], labels[part])).cache()
        pairs = pairs.shuffle(len(part), seed=args.seed) if shuffle else pairs
        return pairs.batch(args.batch).prefetch(tf.data.AUTOTUNE)

    def fit(name: str, model: Any, x: Any) -> None:
        start = time.perf_counter()
        keras.utils.set_random_seed(args.seed)
        models.compile_model(model, jit=args.jit, steps=steps)
        best = keras.callbacks.EarlyStopping(
            "val_accuracy", patience=args.epochs, mode="max", restore_best_weights=True
        )
        model.fit(
            dataset(x, train, shuffle=True),
            validation_data=dataset(x, validation),
            epochs=args.epochs,
            callbacks=[best],
            verbose=0,
        )
        predicted = model.predict(dataset(x, test), verbose=0).argmax(axis=1)
        cells[name] = {
            "train_s": time.perf_counter() - start,
            "accuracy": float((predicted == labels[test]).mean()),
            "macro_f1": float(f1_score(labels[test], predicted, average="macro")),
        }

    for name, network in (("series", models.recurrent), ("numbers", models.dense)):
        x = found[name]
        # Standardised by the training part, series frame by frame.
        axes = tuple(range(x.ndim - 1))
        mean, std = x[train].mean(axis=axes), x[train].std(axis=axes)
        fit(name, network(len(classes)), (x - mean) / np.where(std > 0, std, 1))
    # Pictures are RGB; VGG19 of Keras wants BGR without its means.
    pictures = keras.applications.vgg19.preprocess_input(found["pictures"])
    vgg = models.base(args.image_size, args.seed)
    begun = time.perf_counter()
    outputs = vgg.predict(pictures, batch_size=args.batch, verbose=0)
    base_s = time.perf_counter() - begun
    fit("pictures_cached", keras.Sequential(models.head(len(classes))), outputs)
    cells["pictures_cached"]["train_s"] += base_s
    model = keras.Sequential([vgg, *models.head(len(classes))])
    models.compile_model(model, jit=args.jit, steps=steps)
    some = dataset(pictures, train).take(args.measured_steps)
    model.fit(some, epochs=1, verbose=0)  # builds and compiles
    begun = time.perf_counter()
    model.fit(some, epochs=1, verbose=0)
    step_s = (time.perf_counter() - begun) / args.measured_steps
    # Looking at a clip without training on it costs what its base costs.
    looks = args.epochs * len(validation) + len(test)
    cells["pictures_study"] = {
        "train_s": steps * step_s + looks * base_s / len(rows),
        "extrapolated": f"from {args.measured_steps} training steps of {steps}, of {args.batch} clips",
    }
    common_s = imported_s + features_s + cells["series"]["train_s"] + cells["numbers"]["train_s"]
    result = {
        "clips": len(rows),
        "epochs": args.epochs,
        "batch": args.batch,
        "image_size": args.image_size,
        "jit_compile": args.jit,
        "imported_s": imported_s,
        "features_s": features_s,
        "cells": cells,
        "total_s": {vgg: common_s + cells[f"pictures_{vgg}"]["train_s"] for vgg in ("study", "cached")},
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    temporary = args.json.with_name(f".{args.json.name}.tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, args.json)
    print(json.dumps(result, indent=1))


def _split(folds: Any, labels: Any, groups: Any, seed: int) -> tuple[Any, Any, Any]:
    """Test: the first of ten grouped folds; validation: the first of eight on the rest."""
    import numpy as np

    rest, test = next(folds(10, shuffle=True, random_state=seed).split(labels, labels, groups))
    inner = folds(8, shuffle=True, random_state=seed).split(rest, labels[rest], groups[rest])
    train, validation = next(inner)
    return np.asarray(test), rest[train], rest[validation]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="CSV with path,label,group")
    parser.add_argument("--json", type=Path, required=True, help="where times and scores are written")
    parser.add_argument("--jit", action="store_true", help="compile the models with XLA")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--sr", type=int, default=22050)
    parser.add_argument("--clip-s", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measured-steps", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()

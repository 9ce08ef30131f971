"""Run as a process of its own: networks of the Keras baseline with random weights, and what they make of random input.

    python keras_networks.py FOLDER_OF_THE_BASELINE OUT.npz

It runs on JAX, whose settings Keras changes, hence the process.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np


def main(baseline: str, out: str) -> None:
    sys.path.insert(0, baseline)
    import models

    rng = np.random.default_rng(0)
    layers = keras.layers
    last = [
        layers.Conv1D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling1D(2),
        layers.Bidirectional(layers.LSTM(24)),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(5),
    ]
    cases = {
        "flatten": (models.recurrent(5), (3, 31, 3)),
        "last": (keras.Sequential(last), (3, 31, 3)),
        "dense": (models.dense(5), (4, 40)),
        "head": (keras.Sequential(models.head(5)), (2, 4, 4, 512)),
    }
    found = {}
    for name, (model, shape) in cases.items():
        x = rng.normal(size=shape).astype(np.float32)
        model(x)
        # Positive where a variance may be meant.
        weights = [
            (rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else rng.normal(size=w.shape) / np.sqrt(w.shape[0]))
            .astype(np.float32)
            for w in model.get_weights()
        ]  # fmt: skip
        model.set_weights(weights)
        found |= {f"{name}/x": x, f"{name}/y": np.asarray(model(x, training=False))}
        found |= {f"{name}/{k:02d}": weight for k, weight in enumerate(weights)}
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

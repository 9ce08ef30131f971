"""Run as a process of its own: Keras's VGG19 with random weights, its files and its block5_pool, into the folder named.

Keras is the reference, so it writes what it can still write (its .weights.h5 and a whole model as .h5) and does its own
preprocessing; it runs on JAX, whose settings it would change, hence the process.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from keras.applications import vgg19


def main(out: Path) -> None:
    rng = np.random.default_rng(0)
    model = vgg19.VGG19(weights=None, include_top=False)
    weights = {}
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (weight.shape for weight in layer.weights)
            he = np.sqrt(2 / np.prod(kernel[:3]))
            weights[f"{layer.name}/kernel"] = (he * rng.normal(size=kernel)).astype(np.float32)
            weights[f"{layer.name}/bias"] = rng.normal(size=bias).astype(np.float32)
            layer.set_weights([weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"]])
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    features = model(vgg19.preprocess_input(images.copy()))
    model.save_weights(out / "keras3.weights.h5")
    model.save(out / "whole.h5")
    # A model of a user's: the base as one layer of it.
    around = keras.Sequential(
        [keras.Input((64, 64, 3)), model, keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    around.save_weights(out / "around.weights.h5")
    around.save(out / "around.h5")
    np.savez(out / "get_weights.npz", *model.get_weights())
    np.savez(out / "weights.npz", **weights)
    np.savez(out / "expected.npz", images=images, features=np.asarray(features))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The study's models in Keras on TensorFlow, as a competent user writes them: peers of the suite ``models``.

Each comes twice, compiled by XLA (``keras_xla``) and not (``keras``). A training step is the model's own compiled training
function, called on an endless ``tf.data`` pipeline of one batch that lies in memory: what ``fit`` does without its bookkeeping.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mer_jax.benchmark.engine import Contender

CLASSES = 5


def keras_contenders(case: str, parameters: dict[str, Any]) -> list[Contender]:
    """Keras's contenders for a case; none where TensorFlow or Keras is not installed, or Keras runs on another backend."""
    keras = _keras()
    if keras is None or parameters["dtype"] != "float32":
        return []
    build = next((make for start, make in _CASES.items() if case.startswith(start)), None)
    if build is None:
        return []
    return [
        Contender(name, made, np.asarray, scale=scale, note=note)
        for jit, suffix in ((True, "_xla"), (False, ""))
        for name, made, scale, note in build(keras, parameters, jit, suffix)
    ]


def _keras() -> Any:
    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("keras") is None:
        return None
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    return keras if keras.backend.backend() == "tensorflow" else None


#: Name, a function that computes the case (and builds it in its first call), its part of the case, and what that means.
_Made = tuple[str, Callable[[], Any], float, str]


def _lazily(build: Callable[[], Callable[[], Any]]) -> Callable[[], Any]:
    """Build at the first call: what building raises then names the peer as failed, and does not end the suite."""
    built: list[Callable[[], Any]] = []

    def call() -> Any:
        if not built:
            built.append(build())
        return built[0]()

    return call


def _base(keras: Any, *, trainable: bool = False) -> Any:
    base = keras.applications.VGG19(include_top=False, weights=None, input_shape=(224, 224, 3))
    base.trainable = trainable
    return base


def _head(keras: Any) -> list[Any]:
    """The seven dense layers on a flattened ``block5_pool``."""
    layers = [keras.layers.Flatten()]
    for width in (1024, 512, 256, 128, 64, 32):
        layers += [keras.layers.Dense(width, activation="relu"), keras.layers.Dropout(0.3)]
    return [*layers, keras.layers.Dense(CLASSES)]


def _pictures(parameters: dict[str, Any]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (parameters["batch"], 224, 224, 3)).astype(np.float32)


def _forward(keras: Any, parameters: dict[str, Any], jit: bool, suffix: str) -> list[_Made]:
    def build() -> Callable[[], Any]:
        import tensorflow as tf

        model = keras.Sequential([_base(keras), *_head(keras)])
        images = tf.constant(_pictures(parameters))
        forward = tf.function(lambda x: model(x, training=False), jit_compile=jit)
        return lambda: forward(images).numpy()

    return [(f"keras{suffix}", _lazily(build), 1.0, "")]


def _stepping(keras: Any, model: Any, inputs: np.ndarray, labels: np.ndarray, jit: bool) -> Callable[[], Any]:
    """A training step: forward, backward, gradients clipped by their norm, AdamW."""
    import tensorflow as tf

    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    model(inputs[:1])
    batches = iter(tf.data.Dataset.from_tensors((inputs, labels)).cache().repeat().prefetch(2))
    model.make_train_function()
    return lambda: np.asarray(model.train_function(batches)["loss"])


def _labels(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int32) % CLASSES


def _frozen_step(keras: Any, parameters: dict[str, Any], jit: bool, suffix: str) -> list[_Made]:
    def build() -> Callable[[], Any]:
        model = keras.Sequential([_base(keras), *_head(keras)])
        return _stepping(keras, model, _pictures(parameters), _labels(parameters["batch"]), jit)

    return [(f"keras{suffix}", _lazily(build), 1.0, "")]


def _cached_epoch(keras: Any, parameters: dict[str, Any], jit: bool, suffix: str) -> list[_Made]:
    """The study's way, a step with the frozen base inside the model standing for an epoch; and the dense layers alone."""
    clips, batch = parameters["clips"], parameters["batch"]
    pictures = parameters | {"batch": parameters["pictures"]}

    def cached() -> Callable[[], Any]:
        import tensorflow as tf

        model = keras.Sequential(_head(keras))
        found = np.random.default_rng(0).normal(size=(clips, 7, 7, 512)).astype(np.float32)
        step = _stepping(keras, model, found[:batch], _labels(batch), jit)
        pairs = tf.data.Dataset.from_tensor_slices((found, _labels(clips)))
        batches = iter(pairs.cache().shuffle(clips).batch(batch).repeat().prefetch(2))
        del step

        def epoch() -> Any:
            for _ in range(clips // batch):
                logs = model.train_function(batches)
            return np.asarray(logs["loss"])

        return epoch

    step = _frozen_step(keras, pictures, jit, "")[0][1]
    part = clips / parameters["pictures"]
    note = f"keras_study{suffix} is extrapolated from steps of {parameters['pictures']} of {clips} clips"
    return [
        (f"keras_study{suffix}", step, part, note),
        (f"keras_cached{suffix}", _lazily(cached), 1.0, ""),
    ]


def _recurrent_step(keras: Any, parameters: dict[str, Any], jit: bool, suffix: str) -> list[_Made]:
    layers = keras.layers

    def build() -> Callable[[], Any]:
        model = keras.Sequential(
            [
                layers.Conv1D(64, 3, padding="same", activation="relu"),
                layers.MaxPooling1D(2),
                layers.Bidirectional(
                    layers.LSTM(parameters["units"], return_sequences=parameters["pool"] == "flatten")
                ),
                *([layers.Flatten()] if parameters["pool"] == "flatten" else []),
                layers.Dense(64, activation="relu"),
                layers.Dropout(0.3),
                layers.Dense(CLASSES),
            ]
        )
        shape = (parameters["batch"], parameters["frames"], 3)
        inputs = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
        return _stepping(keras, model, inputs, _labels(parameters["batch"]), jit)

    return [(f"keras{suffix}", _lazily(build), 1.0, "")]


def _dense_step(keras: Any, parameters: dict[str, Any], jit: bool, suffix: str) -> list[_Made]:
    layers = keras.layers

    def build() -> Callable[[], Any]:
        stack: list[Any] = []
        for width in (512, 256, 128, 64):
            stack += [layers.Dense(width), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]
        model = keras.Sequential([*stack, layers.Dense(CLASSES)])
        shape = (parameters["batch"], parameters["features"])
        inputs = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
        return _stepping(keras, model, inputs, _labels(parameters["batch"]), jit)

    return [(f"keras{suffix}", _lazily(build), 1.0, "")]


_CASES: dict[str, Callable[[Any, dict[str, Any], bool, str], list[_Made]]] = {
    "vgg19_forward": _forward,
    "vgg19_frozen_step": _frozen_step,
    "vgg19_cached_epoch": _cached_epoch,
    "cnn_bilstm": _recurrent_step,
    "dense_step": _dense_step,
}

"""The networks of the three approaches in Keras: the same layers, initial values, optimiser and loss as mer_jax's."""

from typing import Any

import keras
from keras import layers

HEAD = (1024, 512, 256, 128, 64, 32)


def recurrent(classes: int) -> Any:
    """Conv1D, max-pooling, BiLSTM, dense: for series."""
    return keras.Sequential(
        [
            layers.Conv1D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(classes),
        ]
    )


def dense(classes: int) -> Any:
    """Four dense layers: for numbers."""
    stack: list[Any] = []
    for width in (512, 256, 128, 64):
        stack += [layers.Dense(width), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]
    return keras.Sequential([*stack, layers.Dense(classes)])


def base(size: int, seed: int) -> Any:
    """VGG19's convolutions, frozen, with He-normal weights: what there is without ImageNet's."""
    keras.utils.set_random_seed(seed)
    found = keras.applications.VGG19(include_top=False, weights=None, input_shape=(size, size, 3))
    he = keras.initializers.HeNormal(seed=seed)
    for layer in found.layers:
        if isinstance(layer, layers.Conv2D):
            layer.kernel.assign(he(layer.kernel.shape))
    found.trainable = False
    return found


def head(classes: int) -> list[Any]:
    """Seven dense layers, batch-normalised: for what VGG19 makes of pictures."""
    stack: list[Any] = [layers.BatchNormalization(center=False, scale=False), layers.Flatten()]
    for width in HEAD:
        stack += [layers.Dense(width), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]
    return [*stack, layers.Dense(classes)]


def compile_model(model: Any, *, jit: bool, steps: int) -> Any:
    """AdamW on a cosine schedule after a warm-up, gradients clipped by their norm, cross-entropy."""
    warmup = round(0.05 * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=1e-3, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit,
    )
    return model

"""What a model is asked for: one class of several, numbers, or any of several tags; with it the loss and the outputs.

A task turns a batch into targets (batch, outputs), compares logits with them, and turns logits into what is reported.
Targets are floating point in every task, so that two clips can be mixed (:mod:`mer_jax.training.augmentation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mer_jax._shapes import Array, Float, Int

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Classification:
    """One class of several: softmax and cross-entropy.

    Attributes:
        label_smoothing: share of the target that is spread over all classes.
        class_weights: factor for the clips of each class; None is 1.
    """

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None

    measures = ("accuracy", "brier")
    """What :meth:`measure` gives besides the loss."""

    def targets(self, batch: Batch, num_outputs: int) -> Float[Array, "batch classes"]:
        """One-hot rows of ``batch["label"]``."""
        return jax.nn.one_hot(batch["label"], num_outputs)

    def losses(
        self, logits: Float[Array, "batch classes"], targets: Float[Array, "batch classes"]
    ) -> Float[Array, " batch"]:
        """Cross-entropy of each clip in nats, ``-sum_k q_k log softmax(logits)_k`` with smoothed targets ``q``."""
        smoothed = optax.smooth_labels(targets, self.label_smoothing)
        losses = optax.softmax_cross_entropy(logits, smoothed)
        if self.class_weights is None:
            return losses
        return losses * (targets @ jnp.asarray(self.class_weights, targets.dtype))

    def outputs(self, logits: Float[Array, "batch classes"]) -> Float[Array, "batch classes"]:
        """Probabilities of the classes."""
        return jax.nn.softmax(logits)

    def measure(
        self, logits: Float[Array, "batch classes"], targets: Float[Array, "batch classes"]
    ) -> dict[str, Array]:
        """Whether each clip is right, and its Brier score ``sum_k (p_k - q_k)^2``.

        The Brier score is the mean squared error that means something: Keras's ``mse`` between softmax rows and integer
        labels, which the study reports for its first approach, rises as a model improves. Source: G. W. Brier, Monthly Weather
        Review 78 (1950).
        """
        right = logits.argmax(axis=-1) == targets.argmax(axis=-1)
        return {
            "accuracy": right.astype(jnp.float32),
            "brier": jnp.square(self.outputs(logits) - targets).sum(axis=-1),
        }


@dataclass(frozen=True)
class Regression:
    """Several numbers at a time, such as valence and arousal: mean squared error in units of each target's spread.

    The network works on standardised targets, so that one with a small spread counts as much as any other.

    Attributes:
        mean: of each target over the training part.
        std: standard deviation of each.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    measures = ("mse",)

    def targets(self, batch: Batch, num_outputs: int) -> Float[Array, "batch outputs"]:
        """``batch["target"]``, standardised."""
        del num_outputs
        return (batch["target"] - jnp.asarray(self.mean)[None, :]) / jnp.asarray(self.std)[None, :]

    def losses(
        self, logits: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Squared error of each clip, mean over its standardised targets."""
        return jnp.square(logits - targets).mean(axis=-1)

    def outputs(self, logits: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
        """Predicted values in the targets' own units."""
        return logits * jnp.asarray(self.std)[None, :] + jnp.asarray(self.mean)[None, :]

    def measure(
        self, logits: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> dict[str, Array]:
        """The squared error in the targets' own units, mean over targets."""
        error = (logits - targets) * jnp.asarray(self.std)[None, :]
        return {"mse": jnp.square(error).mean(axis=-1)}


@dataclass(frozen=True)
class MultiLabel:
    """Any number of tags a clip: a sigmoid and binary cross-entropy for each."""

    measures = ("accuracy", "brier")

    def targets(self, batch: Batch, num_outputs: int) -> Float[Array, "batch tags"]:
        """``batch["target"]``: 1 for a tag the clip has, else 0."""
        del num_outputs
        return batch["target"]

    def losses(
        self, logits: Float[Array, "batch tags"], targets: Float[Array, "batch tags"]
    ) -> Float[Array, " batch"]:
        """Binary cross-entropy of each clip in nats, mean over tags."""
        return optax.sigmoid_binary_cross_entropy(logits, targets).mean(axis=-1)

    def outputs(self, logits: Float[Array, "batch tags"]) -> Float[Array, "batch tags"]:
        """Probability of each tag."""
        return jax.nn.sigmoid(logits)

    def measure(
        self, logits: Float[Array, "batch tags"], targets: Float[Array, "batch tags"]
    ) -> dict[str, Array]:
        """Share of tags that are right at one half, and the squared error of the probabilities, mean over tags."""
        right = (logits > 0) == (targets > 0.5)
        return {
            "accuracy": right.astype(jnp.float32).mean(axis=-1),
            "brier": jnp.square(self.outputs(logits) - targets).mean(axis=-1),
        }


Task = Classification | Regression | MultiLabel


def balanced_weights(labels: Int[np.ndarray, " clips"], num_classes: int) -> tuple[float, ...]:
    """Weight of each class, clips / (classes * clips of the class): each class then counts alike, and a clip 1 on average.

    A class without clips gets the weight of a class with one; no loss ever uses it.

    >>> [round(weight, 3) for weight in balanced_weights(np.array([0, 0, 0, 1]), 2)]
    [0.667, 2.0]
    """
    counts = np.bincount(labels, minlength=num_classes)
    return tuple((len(labels) / (num_classes * np.maximum(counts, 1))).tolist())


def standardising(targets: Float[np.ndarray, "clips outputs"]) -> Regression:
    """The regression task whose targets have mean 0 and standard deviation 1 over these clips (1 for a constant one)."""
    spread = targets.std(axis=0, dtype=np.float64)
    return Regression(
        tuple(targets.mean(axis=0, dtype=np.float64).tolist()),
        tuple(np.where(spread > 0, spread, 1.0).tolist()),
    )

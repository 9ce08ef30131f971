"""What a model is asked for: one class of several, numbers, or any of several tags; with it the loss and the outputs.

A task turns a batch into targets (batch, outputs), compares logits with them, and turns logits into what is reported.
Targets are floating point in every task, so that two clips can be mixed (:mod:`mer_jax.training.augmentation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mer_jax._shapes import Array, Float, Int
from mer_jax.training.sequence_task import SequenceRegression

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

    def truth(self, batch: Batch) -> np.ndarray:
        """What outputs are scored against: labels."""
        return np.asarray(batch["label"])

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
    """Several numbers at a time, such as valence and arousal: squared error, or lack of concordance.

    The network works on standardised targets, so that one with a small spread counts as much as any other.

    Attributes:
        mean: of each target over the training part.
        std: standard deviation of each.
        loss: ``"mse"``: mean squared error in units of each target's spread. ``"ccc"``: 1 - Lin's concordance of each target
            over the clips of a batch, mean over targets; it rewards a spread as wide as the truth's, where the squared error
            draws predictions to the mean. Source: Lin, Biometrics 45 (1989).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    loss: Literal["mse", "ccc"] = "mse"

    measures = ("mse",)

    def truth(self, batch: Batch) -> np.ndarray:
        """What outputs are scored against: the targets in their own units."""
        return np.asarray(batch["target"])

    def targets(self, batch: Batch, num_outputs: int) -> Float[Array, "batch outputs"]:
        """``batch["target"]``, standardised."""
        del num_outputs
        return (batch["target"] - jnp.asarray(self.mean)[None, :]) / jnp.asarray(self.std)[None, :]

    def losses(
        self, logits: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Squared error of each clip, mean over its standardised targets; or the batch's lack of concordance, for each clip."""
        if self.loss == "mse":
            return jnp.square(logits - targets).mean(axis=-1)
        return jnp.full(logits.shape[:1], 1 - concordance(logits, targets).mean())

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

    def truth(self, batch: Batch) -> np.ndarray:
        """What outputs are scored against: 0 or 1 for each tag."""
        return np.asarray(batch["target"])

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


@dataclass(frozen=True)
class Joint:
    """A class and several numbers at once, from one network: the losses of both, added.

    Outputs are (batch, classes + numbers), the probabilities first.

    Attributes:
        classification: what is asked about the class.
        regression: what is asked about the numbers.
        weight: of the numbers' loss.
    """

    classification: Classification
    regression: Regression
    weight: float = 1.0

    measures = ("accuracy", "brier", "mse")

    def parts(self, x: Any) -> tuple[Any, Any]:
        """Logits, targets or outputs: those of the class and those of the numbers."""
        numbers = len(self.regression.mean)
        return x[..., :-numbers], x[..., -numbers:]

    def truth(self, batch: Batch) -> np.ndarray:
        """What outputs are scored against: the label, then the targets in their own units."""
        return np.column_stack([np.asarray(batch["label"]), np.asarray(batch["target"])])

    def targets(self, batch: Batch, num_outputs: int) -> Float[Array, "batch outputs"]:
        """One-hot rows and standardised numbers."""
        numbers = len(self.regression.mean)
        one_hot = self.classification.targets(batch, num_outputs - numbers)
        return jnp.concatenate([one_hot, self.regression.targets(batch, numbers)], axis=-1)

    def losses(
        self, logits: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> Float[Array, " batch"]:
        """Cross-entropy plus ``weight`` times the loss of the numbers, for each clip."""
        (a, b), (p, q) = self.parts(logits), self.parts(targets)
        return self.classification.losses(a, p) + self.weight * self.regression.losses(b, q)

    def outputs(self, logits: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
        """Probabilities of the classes, then numbers in their own units."""
        a, b = self.parts(logits)
        return jnp.concatenate([self.classification.outputs(a), self.regression.outputs(b)], axis=-1)

    def measure(
        self, logits: Float[Array, "batch outputs"], targets: Float[Array, "batch outputs"]
    ) -> dict[str, Array]:
        """What both measure."""
        (a, b), (p, q) = self.parts(logits), self.parts(targets)
        return self.classification.measure(a, p) | self.regression.measure(b, q)


Task = Classification | Regression | MultiLabel | Joint | SequenceRegression


def concordance(
    x: Float[Array, "batch outputs"], y: Float[Array, "batch outputs"]
) -> Float[Array, " outputs"]:
    """Lin's concordance of each column, ``2 cov / (var x + var y + (mean x - mean y)^2)``; 0 where both are constant and equal.

    >>> concordance(jnp.array([[0.0], [1.0], [2.0]]), jnp.array([[0.0], [1.0], [2.0]])).tolist()
    [1.0]
    """
    dx, dy = x - x.mean(axis=0)[None, :], y - y.mean(axis=0)[None, :]
    below = jnp.square(dx).mean(axis=0) + jnp.square(dy).mean(axis=0)
    below += jnp.square(x.mean(axis=0) - y.mean(axis=0))
    present = below > 0
    return jnp.where(present, 2 * (dx * dy).mean(axis=0) / jnp.where(present, below, 1), 0)


def balanced_weights(labels: Int[np.ndarray, " clips"], num_classes: int) -> tuple[float, ...]:
    """Weight of each class, clips / (classes * clips of the class): each class then counts alike, and a clip 1 on average.

    A class without clips gets the weight of a class with one; no loss ever uses it.

    >>> [round(weight, 3) for weight in balanced_weights(np.array([0, 0, 0, 1]), 2)]
    [0.667, 2.0]
    """
    counts = np.bincount(labels, minlength=num_classes)
    return tuple((len(labels) / (num_classes * np.maximum(counts, 1))).tolist())


def standardising(
    targets: Float[np.ndarray, "clips outputs"], loss: Literal["mse", "ccc"] = "mse"
) -> Regression:
    """The regression task whose targets have mean 0 and standard deviation 1 over these clips (1 for a constant one)."""
    spread = targets.std(axis=0, dtype=np.float64)
    return Regression(
        tuple(targets.mean(axis=0, dtype=np.float64).tolist()),
        tuple(np.where(spread > 0, spread, 1.0).tolist()),
        loss,
    )

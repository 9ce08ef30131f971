"""What training minimises, and the Brier score beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mer_jax._shapes import Array, Float, Int


def cross_entropy(
    logits: Float[Array, "batch classes"],
    labels: Int[Array, " batch"],
    *,
    label_smoothing: float = 0.0,
    class_weights: Float[Array, " classes"] | None = None,
) -> Float[Array, " batch"]:
    """Cross-entropy of each clip, ``-sum_k q_k log softmax(logits)_k``, in nats.

    Args:
        logits: (batch, classes).
        labels: index of the true class.
        label_smoothing: ``q`` is ``1 - label_smoothing`` on the true class plus ``label_smoothing / classes`` on every one.
        class_weights: factor for the clips of each class; None is 1.
    """
    targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    losses = optax.softmax_cross_entropy(logits, optax.smooth_labels(targets, label_smoothing))
    return losses if class_weights is None else losses * class_weights[labels]


def brier(
    probabilities: Float[Array, "batch classes"], labels: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """Brier score of each clip, ``sum_k (p_k - [k = label])^2``, 0 to 2.

    This is the mean squared error that means something: Keras's ``mse`` between softmax rows and integer labels, which the
    study reports for its first approach, rises as a model improves. Source: G. W. Brier, Monthly Weather Review 78 (1950).
    """
    targets = jax.nn.one_hot(labels, probabilities.shape[-1], dtype=probabilities.dtype)
    return jnp.square(probabilities - targets).sum(axis=-1)


def balanced_weights(labels: Int[np.ndarray, " clips"], num_classes: int) -> Float[Array, " classes"]:
    """Weight of each class, clips / (classes * clips of the class): each class then counts alike, and a clip 1 on average.

    A class without clips gets the weight of a class with one; no loss ever uses it.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.6669999957084656, 2.0]
    """
    counts = np.bincount(labels, minlength=num_classes)
    return jnp.asarray(len(labels) / (num_classes * np.maximum(counts, 1)), jnp.float32)

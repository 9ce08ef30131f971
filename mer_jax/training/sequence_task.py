"""Valence and arousal over time: two numbers for every step of a clip, with steps that have no rating left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from mer_jax._shapes import Array, Float


@dataclass(frozen=True)
class SequenceRegression:
    """Several numbers a step, such as valence and arousal twice a second: squared error, or lack of concordance.

    Batches are those of :class:`mer_jax.data.rated_loader.RatedLoader`. What is compared with the logits (batch, steps,
    outputs) are the standardised ratings with a mask behind them, (batch, steps, outputs + 1): 1 where there is a rating.

    Attributes:
        mean: of each number over the ratings of the training part.
        std: standard deviation of each.
        loss: ``"mse"``: mean squared error in units of each number's spread. ``"ccc"``: 1 - Lin's concordance of each number
            over the rated steps of a batch, mean over numbers.
        rate_hz: steps a second.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    loss: Literal["mse", "ccc"] = "mse"
    rate_hz: float = 2.0

    measures = ("mse",)

    def truth(self, batch: Mapping[str, Any]) -> Float[np.ndarray, "batch steps columns"]:
        """What outputs are scored against: the numbers in their own units, then the clip's row and which rating of it that is.

        The last is -1 where there is no rating. With row and number, scores are taken song by song
        (:mod:`mer_jax.evaluation.dynamic_scores`), and a step that lies in two windows counts once.
        """
        number = np.asarray(batch["rating_index"])
        rows = np.broadcast_to(np.asarray(batch["index"])[:, None], number.shape)
        return np.concatenate(
            [np.asarray(batch["ratings"]), rows[:, :, None], number[:, :, None]], axis=2, dtype=np.float64
        )

    def targets(self, batch: Mapping[str, Any], num_outputs: int) -> Float[Array, "batch steps columns"]:
        """Standardised ratings, zero where there is none, and the mask."""
        del num_outputs
        mask = (jnp.asarray(batch["rating_index"]) >= 0)[:, :, None].astype(jnp.float32)
        standard = (batch["ratings"] - jnp.asarray(self.mean)[None, None]) / jnp.asarray(self.std)[None, None]
        return jnp.concatenate([standard * mask, mask], axis=2)

    def losses(
        self, logits: Float[Array, "batch steps outputs"], targets: Float[Array, "batch steps columns"]
    ) -> Float[Array, " batch"]:
        """Squared error of each clip, mean over its rated steps; or the batch's lack of concordance, for each clip.

        Weighted by the ratings of each clip, as the step weighs them, their mean is that over the batch's rated steps.
        """
        true, mask = targets[:, :, :-1], targets[:, :, -1:]
        if self.loss == "mse":
            return _mean_of_rated(jnp.square(logits - true), mask)
        return jnp.full(logits.shape[:1], 1 - masked_concordance(logits, true, mask).mean())

    def outputs(self, logits: Float[Array, "batch steps outputs"]) -> Float[Array, "batch steps outputs"]:
        """Predicted numbers in their own units."""
        return logits * jnp.asarray(self.std)[None, None] + jnp.asarray(self.mean)[None, None]

    def measure(
        self, logits: Float[Array, "batch steps outputs"], targets: Float[Array, "batch steps columns"]
    ) -> dict[str, Array]:
        """The squared error in the numbers' own units, mean over rated steps and numbers."""
        error = (logits - targets[:, :, :-1]) * jnp.asarray(self.std)[None, None]
        return {"mse": _mean_of_rated(jnp.square(error), targets[:, :, -1:])}


def masked_concordance(
    x: Float[Array, "batch steps outputs"],
    y: Float[Array, "batch steps outputs"],
    mask: Float[Array, "batch steps 1"],
) -> Float[Array, " outputs"]:
    """Lin's concordance of each output over the steps of all clips where ``mask`` is 1; 0 where it would divide 0 by 0.

    >>> x = jnp.array([[[0.0], [1.0], [9.0]]])
    >>> masked_concordance(x, jnp.array([[[0.0], [1.0], [0.0]]]), jnp.array([[[1.0], [1.0], [0.0]]])).tolist()
    [1.0]
    """
    count = jnp.maximum(mask.sum(), 1)
    mean_x, mean_y = ((z * mask).sum(axis=(0, 1)) / count for z in (x, y))
    dx, dy = (x - mean_x[None, None]) * mask, (y - mean_y[None, None]) * mask
    below = (jnp.square(dx) + jnp.square(dy)).sum(axis=(0, 1)) / count + jnp.square(mean_x - mean_y)
    present = below > 0
    return jnp.where(present, 2 * (dx * dy).sum(axis=(0, 1)) / count / jnp.where(present, below, 1), 0)


def _mean_of_rated(
    values: Float[Array, "batch steps outputs"], mask: Float[Array, "batch steps 1"]
) -> Float[Array, " batch"]:
    """Mean over the outputs and the rated steps of each clip; 0 for a clip without any."""
    return (values * mask).sum(axis=1).mean(axis=-1) / jnp.maximum(mask.sum(axis=(1, 2)), 1)

"""AdamW with warm-up, cosine decay and clipped gradients."""

from dataclasses import dataclass
from typing import Literal

import jax
import optax

from mer_jax import checks


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move."""

    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-4
    """Decoupled weight decay (AdamW); biases, normalisation and front-end parameters are left out."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up: cosine decay to zero at the last step, or constant."""
    warmup_fraction: float = 0.05
    """Share of all steps over which the learning rate rises from zero."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient; 0 does not clip."""

    def __post_init__(self) -> None:
        with checks.as_config("optimizer"):
            checks.positive("learning_rate", self.learning_rate)
            checks.in_range("weight_decay", self.weight_decay, 0.0, float("inf"))
            checks.in_range("warmup_fraction", self.warmup_fraction, 0.0, 0.9)
            checks.in_range("clip_norm", self.clip_norm, 0.0, float("inf"))
            checks.one_of("schedule", self.schedule, ("cosine", "constant"))


def learning_rate(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
    """Learning rate by step."""
    warmup = round(config.warmup_fraction * total_steps)
    if config.schedule == "constant":
        after: optax.Schedule = optax.constant_schedule(config.learning_rate)
    else:
        after = optax.cosine_decay_schedule(config.learning_rate, max(1, total_steps - warmup))
    if warmup == 0:
        return after
    rise = optax.linear_schedule(0.0, config.learning_rate, warmup)
    return optax.join_schedules([rise, after], [warmup])


def build(config: OptimizerConfig, total_steps: int) -> optax.GradientTransformation:
    """The optimiser.

    Args:
        config: its settings.
        total_steps: steps of the whole training, which warm-up and decay are shares of.
    """
    checks.positive_int("total_steps", total_steps)
    steps = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    adamw = optax.adamw(learning_rate(config, total_steps), weight_decay=config.weight_decay, mask=_decayed)
    return optax.chain(*steps, adamw)


def _decayed(params: optax.Params) -> optax.Params:
    """True for what weight decay applies to: kernels of layers.

    They have two axes or more; biases, scales and shifts have one. What a front-end learns (filters, frequencies, widths)
    has no reason to be near zero.
    """

    def decayed(path: tuple, leaf: jax.Array) -> bool:
        return leaf.ndim > 1 and "frontend" not in jax.tree_util.keystr(
            path, simple=True, separator="/"
        ).split("/")

    return jax.tree_util.tree_map_with_path(decayed, params)

"""AdamW with warm-up, cosine decay and clipped gradients; a front-end that learns has a rate, decay and start of its own."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import optax

from mer_jax import checks


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move."""

    learning_rate: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 1e-4
    """Decoupled weight decay (AdamW) of the kernels of layers; biases, normalisation and the front-end are left out."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up: cosine decay to zero at the last step, or constant."""
    warmup_fraction: float = 0.05
    """Share of all steps over which the learning rate rises from zero."""
    clip_norm: float = 1.0
    """Largest norm of the gradient, of the front-end and of the rest each; 0 does not clip."""
    frontend_rate: float = 1.0
    """Learning rate of what a front-end learns, as a multiple of learning_rate."""
    frontend_weight_decay: float = 0.0
    """Weight decay of a front-end's matrices and kernels; its windows, frequencies, widths and compression never decay."""
    frontend_freeze_steps: int = 0
    """Steps over which the front-end stays as it started, while the rest learns."""

    def __post_init__(self) -> None:
        with checks.as_config("optimizer"):
            checks.positive("learning_rate", self.learning_rate)
            checks.in_range("weight_decay", self.weight_decay, 0.0, float("inf"))
            checks.in_range("warmup_fraction", self.warmup_fraction, 0.0, 0.9)
            checks.in_range("clip_norm", self.clip_norm, 0.0, float("inf"))
            checks.in_range("frontend_rate", self.frontend_rate, 0.0, float("inf"))
            checks.in_range("frontend_weight_decay", self.frontend_weight_decay, 0.0, float("inf"))
            checks.positive_int("frontend_freeze_steps", self.frontend_freeze_steps, minimum=0)
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


def frontend_learning_rate(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
    """Learning rate of the front-end by step: 0 while it is frozen."""
    schedule = learning_rate(config, total_steps)

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        thawed = jnp.asarray(step) >= config.frontend_freeze_steps
        return jnp.where(thawed, config.frontend_rate * schedule(step), 0.0)

    return rate


def build(config: OptimizerConfig, total_steps: int) -> optax.GradientTransformation:
    """The optimiser.

    Args:
        config: its settings.
        total_steps: steps of the whole training, which warm-up and decay are shares of.
    """
    checks.positive_int("total_steps", total_steps)
    return of_rates(
        learning_rate(config, total_steps),
        frontend_learning_rate(config, total_steps),
        config.weight_decay,
        config.frontend_weight_decay,
        clip_norm=config.clip_norm,
    )


def of_rates(
    rate: optax.Schedule,
    frontend_rate: optax.Schedule,
    weight_decay: jax.typing.ArrayLike,
    frontend_weight_decay: jax.typing.ArrayLike,
    *,
    clip_norm: float,
) -> optax.GradientTransformation:
    """The optimiser, from rates and decays that may be traced: one program then serves models that differ in them.

    Args:
        rate: learning rate by step, of all but the front-end.
        frontend_rate: that of the front-end.
        weight_decay: of kernels and matrices outside the front-end.
        frontend_weight_decay: of those inside.
        clip_norm: as in :class:`OptimizerConfig`.
    """

    def adamw(rate: optax.Schedule, decay: jax.typing.ArrayLike) -> optax.GradientTransformation:
        # Each part by its own norm: filters see gradients of another size than layers do, and a frozen part's do not count.
        clip = [_clip_by_norm(clip_norm)] if clip_norm else []
        return optax.chain(*clip, optax.adamw(rate, weight_decay=decay, mask=_decayed))

    return optax.multi_transform(
        {"frontend": adamw(frontend_rate, frontend_weight_decay), "model": adamw(rate, weight_decay)},
        _labels,
    )


def _clip_by_norm(limit: float) -> optax.GradientTransformation:
    """``optax.clip_by_global_norm``, as a product with one number.

    Optax divides every gradient by the norm and selects; XLA writes that quotient to memory and reads it back. For the 26
    million weights of VGG19's first dense layer that is a quarter of a step's traffic.
    """

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        del params
        norm = optax.tree.norm(updates)
        factor = jnp.where(norm < limit, 1.0, limit / norm)
        return jax.tree.map(lambda gradient: gradient * factor.astype(gradient.dtype), updates), state

    return optax.GradientTransformation(lambda _: optax.EmptyState(), update)


def _labels(params: optax.Params) -> optax.Params:
    """Of each parameter, whether it is the front-end's or the rest's, by its path."""

    def label(path: tuple, _: jax.Array) -> str:
        names = jax.tree_util.keystr(path, simple=True, separator="/").split("/")
        return "frontend" if "frontend" in names else "model"

    return jax.tree_util.tree_map_with_path(label, params)


def _decayed(params: optax.Params) -> optax.Params:
    """True for what weight decay applies to: kernels and matrices.

    They have two axes or more; biases, scales and shifts have one, and so have a front-end's windows, frequencies and widths.
    """
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

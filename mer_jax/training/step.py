"""One training step as a pure function of plain pytrees, so that it compiles once, donates its buffers and can be vmapped."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from mer_jax._shapes import Array, Float
from mer_jax.training.loss import brier, cross_entropy

Batch = Mapping[str, Any]


class TrainState(NamedTuple):
    """Everything that a step changes, and nothing else.

    Attributes:
        params: weights (``nnx.Param``), nested dictionaries of arrays.
        model_state: what the model carries besides, such as running means and the standardisation; the same kind.
        opt_state: the optimiser's moments and count.
        key: data of the random key that dropout is drawn from; constant, folded with ``step``.
        step: steps taken.
        totals: sums over the epoch so far: ``loss``, ``correct``, ``brier``, ``weight``, and ``bad_step``, the first step
            whose loss or gradient was not finite (-1: none).
    """

    params: Any
    model_state: Any
    opt_state: Any
    key: Array
    step: Array
    totals: dict[str, Array]


def split(model: nnx.Module) -> tuple[Any, Any, Any]:
    """A model as its graph (static), its weights and the rest of its state, these two as nested dictionaries.

    ``nnx.merge`` takes them back as they are. Dictionaries, because jax flattens an ``nnx.State`` in Python: 0.1 ms more for
    each call of a compiled step.
    """
    parts: tuple[Any, ...] = nnx.split(model, nnx.Param, ...)
    return parts[0], nnx.to_pure_dict(parts[1]), nnx.to_pure_dict(parts[2])


def create(
    model: nnx.Module, optimizer: optax.GradientTransformation, *, seed: int
) -> tuple[Any, TrainState]:
    """The model's graph (static) and the state before the first step."""
    graph, params, rest = split(model)
    key = jax.random.key_data(jax.random.key(seed))
    # A copy: a donated buffer must belong to one state only, and the model keeps its own.
    params, rest = jax.tree.map(jnp.array, (params, rest))
    state = TrainState(params, rest, optimizer.init(params), key, jnp.zeros((), jnp.int32), zero_totals())
    return graph, state


def zero_totals() -> dict[str, Array]:
    """The sums at the start of an epoch."""
    sums = {name: jnp.zeros(()) for name in ("loss", "correct", "brier", "weight")}
    return sums | {"bad_step": jnp.full((), -1, jnp.int32)}


def make_step(
    graph: Any,
    optimizer: optax.GradientTransformation,
    *,
    label_smoothing: float = 0.0,
    class_weights: Float[Array, " classes"] | None = None,
) -> Callable[[TrainState, Batch], TrainState]:
    """A function (state, batch) -> state. Not compiled yet: the caller jits it, or vmaps it over a model axis first."""

    def step(state: TrainState, batch: Batch) -> TrainState:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        weight = batch["weight"]

        def objective(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(graph, params, state.model_state)
            logits = model(batch["waveform"], batch["length"], deterministic=False, rngs=key)
            losses = cross_entropy(
                logits, batch["label"], label_smoothing=label_smoothing, class_weights=class_weights
            )
            loss = (losses * weight).sum() / jnp.maximum(weight.sum(), 1.0)
            _, _, rest = split(model)
            return loss, (logits, rest)

        (loss, (logits, rest)), grads = jax.value_and_grad(objective, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        return TrainState(
            optax.apply_updates(state.params, updates),
            rest,
            opt_state,
            state.key,
            state.step + 1,
            _add(state, loss, optax.tree.norm(grads), logits, batch),
        )

    return step


def _add(
    state: TrainState, loss: jax.Array, norm: jax.Array, logits: jax.Array, batch: Batch
) -> dict[str, jax.Array]:
    """The epoch's sums with one batch more."""
    totals, weight, labels = state.totals, batch["weight"], batch["label"]
    correct = (logits.argmax(axis=-1) == labels).astype(jnp.float32)
    # The gradient too: a finite loss whose gradient is not leaves weights that are not.
    first_bad = ~jnp.isfinite(loss + norm) & (totals["bad_step"] < 0)
    return {
        "loss": totals["loss"] + loss * weight.sum(),
        "correct": totals["correct"] + (correct * weight).sum(),
        "brier": totals["brier"] + (brier(jax.nn.softmax(logits), labels) * weight).sum(),
        "weight": totals["weight"] + weight.sum(),
        "bad_step": jnp.where(first_bad, state.step, totals["bad_step"]),
    }


def make_predict(graph: Any) -> Callable[[Any, Any, Batch], jax.Array]:
    """A function (params, model_state, batch) -> class probabilities, without dropout."""

    def predict(params: Any, model_state: Any, batch: Batch) -> jax.Array:
        model = nnx.merge(graph, params, model_state)
        return jax.nn.softmax(model(batch["waveform"], batch["length"], deterministic=True))

    return predict

"""One training step as a pure function of plain pytrees, so that it compiles once, donates its buffers and can be vmapped."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array
from mer_jax.models import EmotionModel
from mer_jax.training.augmentation import AugmentationConfig, Mixture, augment_features, augment_waveforms
from mer_jax.training.task import Batch, Classification, Task


def put(model: nnx.Module, params: Any, rest: Any) -> None:
    """Give ``model`` the weights and the state that :func:`split` took from one like it."""
    graph, _, _ = split(model)
    # A checkpoint holds NumPy arrays.
    params, rest = jax.tree.map(jnp.asarray, (params, rest))
    nnx.update(model, nnx.state(nnx.merge(graph, params, rest)))


class TrainState(NamedTuple):
    """Everything that a step changes, and nothing else.

    Attributes:
        params: weights (``nnx.Param``), nested dictionaries of arrays.
        model_state: what the model carries besides, such as running means and the standardisation; the same kind.
        opt_state: the optimiser's moments and count.
        key: data of the random key that dropout is drawn from; constant, folded with ``step``.
        step: steps taken.
        totals: sums over the epoch so far: ``loss``, what the task measures (``accuracy``, ``brier``), ``weight``, and
            ``bad_step``, the first step whose loss or gradient was not finite (-1: none).
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
    model: nnx.Module,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    task: Task = Classification(),
) -> tuple[Any, TrainState]:
    """The model's graph (static) and the state before the first step."""
    graph, params, rest = split(model)
    key = jax.random.key_data(jax.random.key(seed))
    # A copy: a donated buffer must belong to one state only, and the model keeps its own.
    params, rest = jax.tree.map(jnp.array, (params, rest))
    step = jnp.zeros((), jnp.int32)
    return graph, TrainState(params, rest, optimizer.init(params), key, step, zero_totals(task))


def zero_totals(task: Task) -> dict[str, Array]:
    """The sums at the start of an epoch."""
    sums = {name: jnp.zeros(()) for name in ("loss", *task.measures, "weight")}
    return sums | {"bad_step": jnp.full((), -1, jnp.int32)}


def make_step(
    graph: Any,
    optimizer: optax.GradientTransformation,
    *,
    task: Task = Classification(),
    augmentation: AugmentationConfig | None = None,
    accumulate_steps: int = 1,
    remat: bool = False,
    prepare: Callable[[nnx.Module], None] | None = None,
) -> Callable[[TrainState, Batch], TrainState]:
    """A function (state, batch) -> state. Not compiled yet: the caller jits it, or vmaps it over a model axis first.

    Args:
        graph: of the model, called with (waveforms, lengths); with augmentation it is an
            :class:`~mer_jax.models.EmotionModel`, whose features are altered before they are standardised.
        optimizer: how weights move.
        task: what the model is asked for.
        augmentation: how training clips are altered; None trains on them as they are.
        accumulate_steps: into how many micro-batches a batch is divided, which take turns and whose gradients are added
            before the weights move: the memory of one of them, and the step of the whole batch where clips do not
            see each other. Batch normalisation and concordance see a micro-batch, mixup mixes within it, and dropout and
            augmentation are drawn anew for each.
        remat: a front-end that learns computes its values again in the reverse pass
            (:attr:`mer_jax.models.EmotionModel.recompute`).
        prepare: called with the model before it is, in each step: where the graph leaves something open.
    """

    def objective(
        params: Any, model_state: Any, batch: Batch, key: jax.Array, total: jax.Array
    ) -> tuple[jax.Array, Any]:
        model = nnx.merge(graph, params, model_state)
        if prepare is not None:
            prepare(model)
        if remat:
            _recompute(model)
        if augmentation is None:
            logits = model(batch["waveform"], batch["length"], deterministic=False, rngs=key)
            targets = task.targets(batch, logits.shape[-1])
        else:
            logits, targets = _augmented(model, batch, key, task, augmentation)
        weight = batch["weight"]
        losses = task.losses(logits, targets)
        loss = (losses * weight).sum() / jnp.maximum(total, 1.0)
        _, _, rest = split(model)
        return loss, (logits, targets, rest)

    differentiate = jax.value_and_grad(objective, has_aux=True)

    def accumulated(state: TrainState, batch: Batch, key: jax.Array, total: jax.Array) -> tuple[Any, Any]:
        """What ``differentiate`` gives of the whole batch, from its parts one after the other."""

        def one(carry: tuple, part: tuple[Batch, jax.Array]) -> tuple[tuple, tuple]:
            rest, loss, grads = carry
            (its_loss, (logits, targets, rest)), its_grads = differentiate(state.params, rest, *part, total)
            return (rest, loss + its_loss, optax.tree.add(grads, its_grads)), (logits, targets)

        start = (state.model_state, jnp.zeros(()), optax.tree.zeros_like(state.params))
        parts = (_divided(batch, accumulate_steps), jax.random.split(key, accumulate_steps))
        (rest, loss, grads), found = jax.lax.scan(one, start, parts)
        logits, targets = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)
        return (loss, (logits, targets, rest)), grads

    def step(state: TrainState, batch: Batch) -> TrainState:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        total = jnp.sum(batch["weight"])
        found = (
            differentiate(state.params, state.model_state, batch, key, total)
            if accumulate_steps == 1
            else accumulated(state, batch, key, total)
        )
        (loss, (logits, targets, rest)), grads = found
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        return TrainState(
            optax.apply_updates(state.params, updates),
            rest,
            opt_state,
            state.key,
            state.step + 1,
            _add(state, loss, optax.tree.norm(grads), task.measure(logits, targets), batch["weight"]),
        )

    return step


def _divided(batch: Batch, parts: int) -> dict[str, Array]:
    """A batch as micro-batches, an axis of them in front."""
    size = len(batch["weight"])
    if size % parts:
        raise checks.ArgumentError(
            "accumulate_steps", f"is {parts} for a batch of {size}", expected="a divisor of the batch's size"
        )
    return {
        name: jnp.reshape(column, (parts, size // parts, *column.shape[1:])) for name, column in batch.items()
    }


def _recompute(model: Any) -> None:
    if not isinstance(model, EmotionModel):
        raise checks.ArgumentError(
            "remat",
            f"is True for a {type(model).__name__}",
            expected="an EmotionModel, whose front-end it is of",
        )
    model.recompute = True


def _augmented(
    model: Any, batch: Batch, key: jax.Array, task: Task, augmentation: AugmentationConfig
) -> tuple[jax.Array, jax.Array]:
    """Logits and targets of an altered batch."""
    for_waveforms, for_features, for_mixing, for_model = jax.random.split(key, 4)
    waveforms = augment_waveforms(for_waveforms, jnp.asarray(batch["waveform"]), augmentation)
    features, mask = model.features(waveforms, batch["length"])
    features = augment_features(for_features, features, mask, augmentation)
    mixture = Mixture.draw(for_mixing, waveforms.shape[0], augmentation.mixup)
    logits = model.logits(mixture.blend(features), mixture.both(mask), deterministic=False, rngs=for_model)
    return logits, mixture.blend(task.targets(batch, logits.shape[-1]))


def _add(
    state: TrainState, loss: jax.Array, norm: jax.Array, measured: dict[str, jax.Array], weight: jax.Array
) -> dict[str, jax.Array]:
    """The epoch's sums with one batch more."""
    totals = state.totals
    # The gradient too: a finite loss whose gradient is not leaves weights that are not.
    first_bad = ~jnp.isfinite(loss + norm) & (totals["bad_step"] < 0)
    return {
        "loss": totals["loss"] + loss * weight.sum(),
        **{name: totals[name] + (values * weight).sum() for name, values in measured.items()},
        "weight": totals["weight"] + weight.sum(),
        "bad_step": jnp.where(first_bad, state.step, totals["bad_step"]),
    }


def make_predict(
    graph: Any,
    task: Task = Classification(),
) -> Callable[[Any, Any, Batch], jax.Array]:
    """A function (params, model_state, batch) -> the task's outputs, without dropout."""

    def predict(params: Any, model_state: Any, batch: Batch) -> jax.Array:
        model = nnx.merge(graph, params, model_state)
        return task.outputs(model(batch["waveform"], batch["length"], deterministic=True))

    return predict


@lru_cache(maxsize=32)
def compiled_predict(graph: Any, task: Task) -> Callable[[Any, Any, Batch], jax.Array]:
    """:func:`make_predict`, compiled; models of one graph share it."""
    return jax.jit(make_predict(graph, task))

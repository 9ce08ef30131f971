"""An epoch of training and its validation as one compiled program, of one model or of several at once.

The clips lie on the device, as features computed before or as 16-bit waveforms. Batches are gathered there by row, waveforms
cut where the epoch's plan says, so the host neither makes nor hands over a batch.
What differs between the folds, seeds and hyper-parameters of one network is an argument of the program, not a part of it: rows,
learning rates, weight decays, dropout rates, label smoothing, class weights, the standardisation of targets. So one program
serves them all.
"""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax._shapes import Array
from mer_jax.data import memory, pages
from mer_jax.signal.platform import per_clip
from mer_jax.training import dropout, optimizer
from mer_jax.training import step as training_step
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.step import TrainState
from mer_jax.training.task import Batch, Classification, Joint, MultiLabel, Regression, Task


class Clips(NamedTuple):
    """All clips of a data set, on the device: columns of which a batch takes rows.

    Attributes:
        values: (clips, ...) features, in the place of waveforms; or whole clips in 16 bits, in :mod:`mer_jax.data.pages`.
        firsts: (clips,) the page at which a clip begins.
        lengths: (clips,) valid samples.
        labels: (clips,) classes; -1 where there is none.
        targets: (clips, targets) numbers or tags; no column where there are none.
    """

    values: Any
    firsts: Any
    lengths: Any
    labels: Any
    targets: Any

    def batch(self, rows: Any, starts: Any, weight: Any, *, num_samples: int) -> Batch:
        """What a step takes of these rows.

        Args:
            rows: (batch,) of the clips.
            starts: (batch,) samples at which waveforms begin; features are taken whole.
            weight: (batch,) of each.
            num_samples: length of a waveform.
        """
        lengths = self.lengths[rows]
        if self.values.dtype == jnp.int16:
            values = self._cut(rows, starts, num_samples)
            lengths = jnp.minimum(lengths - starts, num_samples)
        else:
            values = self.values[rows]
        return {
            "waveform": values,
            "length": lengths,
            "label": self.labels[rows],
            "target": self.targets[rows],
            "weight": weight,
        }

    def _cut(self, rows: jax.Array, starts: jax.Array, num_samples: int) -> jax.Array:
        """Waveforms (batch, num_samples), full scale 1; zeros where a clip ends sooner."""

        def one(page: jax.Array, offset: jax.Array) -> jax.Array:
            around = jax.lax.dynamic_slice(self.values, (page, 0), (pages.touched(num_samples), pages.PAGE))
            return jax.lax.dynamic_slice(around.reshape(-1), (offset,), (num_samples,))

        first = self.firsts[rows] + starts // pages.PAGE
        found = per_clip(one, first, starts % pages.PAGE, core_ndim=0)
        inside = jnp.arange(num_samples)[None, :] < (self.lengths[rows] - starts)[:, None]
        return jnp.where(inside, found, 0).astype(jnp.float32) * memory.UNIT


class Numbers(NamedTuple):
    """What may differ between models that one program trains.

    Attributes:
        weight_decay: of the network.
        frontend_weight_decay: of a front-end.
        dropout_keep: see :func:`.dropout.as_numbers`.
        task: see :func:`numbers_of_task`.
    """

    weight_decay: Any
    frontend_weight_decay: Any
    dropout_keep: Any
    task: dict[str, Any]


class Plan(NamedTuple):
    """An epoch of one model.

    Attributes:
        begin: the first step to take; 0 unless an epoch is resumed.
        end: after the last one. Rows beyond it are not looked at: models with fewer steps wait for the others.
        rows: (steps, batch) clips of each step.
        starts: (steps, batch) samples at which their waveforms are cut.
        weight: (steps, batch) 1, or 0 for filler.
        rate: (steps,) learning rate of each.
        frontend_rate: (steps,) that of a front-end.
        validation: (batches, batch) clips to predict after it.
        validation_starts: (batches, batch) where they are cut.
    """

    begin: Any
    end: Any
    rows: Any
    starts: Any
    weight: Any
    rate: Any
    frontend_rate: Any
    validation: Any
    validation_starts: Any


class Parts(NamedTuple):
    """What an epoch is made of.

    Attributes:
        step: (clips, numbers, state, place) -> state; ``place`` is a step's rows, starts, weight, rate and frontend_rate.
        close: (clips, numbers, state, plan) -> state with sums from zero, sums, outputs (batches, batch, outputs).
    """

    step: Callable[[Clips, Numbers, TrainState, tuple], TrainState]
    close: Callable[[Clips, Numbers, TrainState, Plan], tuple[TrainState, dict[str, Array], Array]]


class Program(NamedTuple):
    """What an epoch is compiled from; members with equal ones can be trained together.

    Attributes:
        graph: of the model, without its dropout rates (:func:`.dropout.as_numbers`).
        task: without its numbers (:func:`numbers_of_task`).
        clip_norm: of :class:`~mer_jax.training.optimizer.OptimizerConfig`.
        augmentation: how training clips are altered.
        num_samples: length that waveforms are cut to.
        accumulate_steps: as of :func:`.step.make_step`.
        remat: likewise.
    """

    graph: Any
    task: Task
    clip_norm: float
    augmentation: AugmentationConfig | None
    num_samples: int
    accumulate_steps: int = 1
    remat: bool = False


def _parts(program: Program) -> Parts:
    graph, task, clip_norm, augmentation, num_samples, accumulate_steps, remat = program

    def step(clips: Clips, numbers: Numbers, state: TrainState, place: tuple) -> TrainState:
        rows, starts, weight, rate, frontend_rate = place
        transform = optimizer.of_rates(
            lambda _: rate,
            lambda _: frontend_rate,
            numbers.weight_decay,
            numbers.frontend_weight_decay,
            clip_norm=clip_norm,
        )
        one_task = with_numbers(task, numbers.task)
        take = training_step.make_step(
            graph,
            transform,
            task=one_task,
            augmentation=augmentation,
            accumulate_steps=accumulate_steps,
            remat=remat,
            prepare=lambda model: dropout.give(model, numbers.dropout_keep),
        )
        return take(state, clips.batch(rows, starts, weight, num_samples=num_samples))

    def close(
        clips: Clips, numbers: Numbers, state: TrainState, plan: Plan
    ) -> tuple[TrainState, dict[str, Array], Array]:
        predict = training_step.make_predict(graph, with_numbers(task, numbers.task))

        def outputs(places: tuple[jax.Array, jax.Array]) -> jax.Array:
            rows, starts = places
            batch = clips.batch(rows, starts, jnp.ones(rows.shape), num_samples=num_samples)
            return predict(state.params, state.model_state, batch)

        found = jax.lax.map(outputs, (plan.validation, plan.validation_starts))
        return state._replace(totals=training_step.zero_totals(task)), state.totals, found

    return Parts(step, close)


def _place(plan: Plan, i: Any) -> tuple:
    columns = (plan.rows, plan.starts, plan.weight, plan.rate, plan.frontend_rate)
    return tuple(column[i] for column in columns)


@lru_cache(maxsize=32)
def compiled(program: Program, *, together: bool) -> jax.stages.Wrapped:
    """A compiled function (clips, numbers, state, plan) -> state after the epoch, its sums, outputs (batches, batch, outputs).

    The state's memory is taken over; its sums start again from zero.

    Args:
        program: what to compile.
        together: all arguments but the clips, and all results, have an axis of models in front; a model's steps beyond its
            ``end`` change nothing.
    """
    parts = _parts(program)

    def epoch(
        clips: Clips, numbers: Numbers, state: TrainState, plan: Plan
    ) -> tuple[TrainState, dict[str, Array], Array]:
        def take(i: jax.Array, state: TrainState) -> TrainState:
            return parts.step(clips, numbers, state, _place(plan, i))

        state = jax.lax.fori_loop(plan.begin, plan.end, take, state)
        return parts.close(clips, numbers, state, plan)

    function = jax.vmap(epoch, in_axes=(None, 0, 0, 0)) if together else epoch
    return jax.jit(function, donate_argnums=2)


@lru_cache(maxsize=32)
def step_by_step(
    program: Program,
) -> Callable[[Clips, Numbers, TrainState, Plan], tuple[TrainState, dict[str, Array], Array]]:
    """:func:`compiled` for one model, its steps called one by one: for large steps on a CPU.

    XLA:CPU brings the convolutions of a program's outermost computation to the form that its quick kernels take, and leaves
    those inside a loop as they are: there the gradient of a 1D CNN takes several times as long (docs/performance.md). Dense
    networks, whose steps are small, are better off in the loop.
    """
    parts = _parts(program)
    step, close = (jax.jit(function, donate_argnums=2) for function in parts)

    def epoch(
        clips: Clips, numbers: Numbers, state: TrainState, plan: Plan
    ) -> tuple[TrainState, dict[str, Array], Array]:
        for i in range(int(plan.begin), int(plan.end)):
            state = step(clips, numbers, state, _place(plan, i))
        return close(clips, numbers, state, plan)

    return epoch


def numbers_of_task(task: Task) -> tuple[Task, dict[str, Any]]:
    """A task as what a program is compiled for, and the numbers that it is given.

    Raises:
        mer_jax.checks.ArgumentError: a task that this does not know how to take apart.
    """
    if isinstance(task, Classification):
        weights = task.class_weights
        numbers: dict[str, Any] = {"label_smoothing": np.float32(task.label_smoothing)}
        if weights is not None:
            numbers["class_weights"] = np.asarray(weights, np.float32)
            weights = (1.0,) * len(weights)
        return dataclasses.replace(task, label_smoothing=0.0, class_weights=weights), numbers
    if isinstance(task, Regression):
        size = len(task.mean)
        standard = dataclasses.replace(task, mean=(0.0,) * size, std=(1.0,) * size)
        return standard, {name: np.asarray(getattr(task, name), np.float32) for name in ("mean", "std")}
    if isinstance(task, Joint):
        classification, of_classes = numbers_of_task(task.classification)
        regression, of_numbers = numbers_of_task(task.regression)
        assert isinstance(classification, Classification)
        assert isinstance(regression, Regression)
        joint = dataclasses.replace(task, classification=classification, regression=regression)
        return joint, {"classification": of_classes, "regression": of_numbers}
    if isinstance(task, MultiLabel):
        return task, {}
    raise checks.ArgumentError(
        "task",
        f"is a {type(task).__name__}",
        expected="Classification, Regression, MultiLabel or Joint to train models together",
        remedy="train them one by one",
    )


def with_numbers(task: Task, numbers: Mapping[str, Any]) -> Task:
    """A task that computes with these (traced) numbers: undoes :func:`numbers_of_task`."""
    # Not dataclasses.replace: the fields are declared as what configurations hold, floats and tuples.
    found = copy.copy(task)
    for name, value in numbers.items():
        inner = with_numbers(getattr(task, name), value) if isinstance(value, Mapping) else value
        object.__setattr__(found, name, inner)
    return found

"""An epoch of training and its validation as one compiled program, of one model or of several at once.

The clips' features lie on the device and batches are gathered there by row, so the host neither makes nor hands over a batch.
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
from mer_jax.training import dropout, optimizer
from mer_jax.training import step as training_step
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.step import TrainState
from mer_jax.training.task import Batch, Classification, Joint, MultiLabel, Regression, Task


class Clips(NamedTuple):
    """All clips of a data set, on the device: columns of which a batch takes rows.

    Attributes:
        values: (clips, ...) features, in the place of waveforms.
        lengths: (clips,) valid samples.
        labels: (clips,) classes; -1 where there is none.
        targets: (clips, targets) numbers or tags; no column where there are none.
    """

    values: Any
    lengths: Any
    labels: Any
    targets: Any

    def batch(self, rows: Any, weight: Any) -> Batch:
        """What a step takes of these rows."""
        return {
            "waveform": self.values[rows],
            "length": self.lengths[rows],
            "label": self.labels[rows],
            "target": self.targets[rows],
            "weight": weight,
        }


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
        weight: (steps, batch) 1, or 0 for filler.
        rate: (steps,) learning rate of each.
        frontend_rate: (steps,) that of a front-end.
        validation: (batches, batch) clips to predict after it.
    """

    begin: Any
    end: Any
    rows: Any
    weight: Any
    rate: Any
    frontend_rate: Any
    validation: Any


EpochFunction = Callable[[Clips, Numbers, TrainState, Plan], tuple[TrainState, dict[str, Array], Array]]


@lru_cache(maxsize=32)
def compiled(
    graph: Any,
    task: Task,
    clip_norm: float,
    augmentation: AugmentationConfig | None,
    *,
    together: bool,
) -> EpochFunction:
    """A compiled function (clips, numbers, state, plan) -> state after the epoch, its sums, outputs (batches, batch, outputs).

    The state's memory is taken over; its sums start again from zero.

    Args:
        graph: of the model, without its dropout rates (:func:`.dropout.as_numbers`).
        task: without its numbers (:func:`numbers_of_task`).
        clip_norm: of :class:`~mer_jax.training.optimizer.OptimizerConfig`.
        augmentation: how training clips are altered.
        together: all arguments but the clips, and all results, have an axis of models in front; a model's steps beyond its
            ``end`` change nothing.
    """

    def epoch(
        clips: Clips, numbers: Numbers, state: TrainState, plan: Plan
    ) -> tuple[TrainState, dict[str, Array], Array]:
        one_task = with_numbers(task, numbers.task)

        def take(i: jax.Array, state: TrainState) -> TrainState:
            transform = optimizer.of_rates(
                lambda _: plan.rate[i],
                lambda _: plan.frontend_rate[i],
                numbers.weight_decay,
                numbers.frontend_weight_decay,
                clip_norm=clip_norm,
            )
            step = training_step.make_step(
                graph,
                transform,
                task=one_task,
                augmentation=augmentation,
                prepare=lambda model: dropout.give(model, numbers.dropout_keep),
            )
            return step(state, clips.batch(plan.rows[i], plan.weight[i]))

        state = jax.lax.fori_loop(plan.begin, plan.end, take, state)
        predict = training_step.make_predict(graph, one_task)

        def outputs(rows: jax.Array) -> jax.Array:
            batch = clips.batch(rows, jnp.ones(rows.shape))
            return predict(state.params, state.model_state, batch)

        found = jax.lax.map(outputs, plan.validation)
        return state._replace(totals=training_step.zero_totals(task)), state.totals, found

    function = jax.vmap(epoch, in_axes=(None, 0, 0, 0)) if together else epoch
    return jax.jit(function, donate_argnums=2)


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

"""Dropout rates as numbers that a program is given: models that differ in nothing else then share one."""

import dataclasses
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax.training import step as training_step


def as_numbers(graph: Any, state: training_step.TrainState) -> tuple[Any, np.ndarray]:
    """A model's graph with its dropout rates taken out, and the shares that its dropout layers keep.

    A rate of 0 stays in the graph: no random number is drawn for it.

    Returns:
        The graph, equal for models that differ in their rates, and (layers,) ``1 - rate``, float32: rounded once, as for a
        rate that a program is compiled with, so that the same units are dropped.
    """
    model = nnx.merge(graph, state.params, state.model_state)
    layers = _layers(model)
    keep = np.array([1.0 - layer.rate for layer in layers], np.float32)
    for layer in layers:
        layer.rate = 0.5
    for _, node in nnx.iter_graph(model):
        # A network may carry the configuration that it was built from, rate included; only its layers compute with it.
        built_from: Any = getattr(node, "config", None)
        if hasattr(built_from, "dropout"):
            node.config = dataclasses.replace(built_from, dropout=0.0)
    return training_step.split(model)[0], keep


def give(model: nnx.Module, keep: jax.Array) -> None:
    """Let the dropout layers of ``model`` compute with the (traced) shares that :func:`as_numbers` found."""
    for k, layer in enumerate(_layers(model)):
        layer.rate = _TracedRate(keep[k])


class _TracedRate:
    """Stands in for the rate of an ``nnx.Dropout``, which asks whether it is 0 or 1, and for ``1 - rate``."""

    def __init__(self, keep: jax.Array) -> None:
        self._keep = keep

    def __rsub__(self, one: float) -> jax.Array:
        assert one == 1.0
        return self._keep


def _layers(model: nnx.Module) -> list[Any]:
    found = (node for _, node in nnx.iter_graph(model))
    return [node for node in found if isinstance(node, nnx.Dropout) and node.rate != 0]

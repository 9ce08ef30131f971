"""Training one network on two devices of a CPU, a direction of its bidirectional LSTM on each (see ``models.recurrence``)."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mer_jax.models.lstm import BiLSTM
from mer_jax.models.recurrence import on_pair
from mer_jax.signal.platform import platform

Pair = tuple[jax.Device, jax.Device]
T = TypeVar("T")


def pair_for(model: nnx.Module) -> Pair | None:
    """The two devices that a step of ``model``, trained by itself, is best spread over; None where one is.

    On two cores a step of a CNN + BiLSTM(128) on 216 frames takes 36 ms so, and 66 on one device (docs/performance.md).
    """
    devices = jax.local_devices()
    if platform() != "cpu" or len(devices) < 2:
        return None
    if not any(isinstance(module, BiLSTM) for _, module in nnx.iter_graph(model)):
        return None
    return devices[0], devices[1]


def compiled_step(step: Callable[[Any, Any], Any], pair: Pair | None) -> jax.stages.Wrapped:
    """A training step, (state, batch) -> state, compiled for these devices; the state's memory is taken over."""
    if pair is None:
        return jax.jit(step, donate_argnums=0)
    # The state comes back where it was put, or the second step would be compiled anew.
    return jax.jit(on_pair(step, pair), donate_argnums=0, out_shardings=_everywhere(pair))


def placed(tree: T, pair: Pair | None) -> T:
    """Arrays where :func:`compiled_step` computes: whole on each of the pair."""
    return tree if pair is None else jax.device_put(tree, _everywhere(pair))


def on_one_device(tree: T) -> T:
    """Arrays that lie whole on several devices, as they lie on the first: for what computes there, without a copy."""
    return jax.tree.map(
        lambda x: x.addressable_data(0) if isinstance(x, jax.Array) and len(x.devices()) > 1 else x, tree
    )


def _everywhere(pair: Pair) -> NamedSharding:
    return NamedSharding(Mesh(np.array(pair), ("pair",)), PartitionSpec())

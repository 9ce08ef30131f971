"""Dividing a batch over all devices: a CPU's cores, where each is made a device of its own, or several GPUs.

A loop over clips keeps one core busy: what is ready to run beside it in a program is too little for two. Two devices run two
loops. On two cores, batches of 32 clips of 30 s take 0.5 (tempogram) to 0.85 (amplitude envelope) of the time (see
docs/performance.md).
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from mer_jax.machine import cores

_AXIS = "clips"
_FLAG = "xla_force_host_platform_device_count"


def use_all_cores() -> bool:
    """Make each core of the CPU a device of JAX, for :func:`over_devices`; programs that do not use it stay on the first.

    To be called before JAX computes anything. Where ``XLA_FLAGS`` already says how many devices there are, nothing changes.

    Returns:
        Whether there will be one device a core.
    """
    if _FLAG in os.environ.get("XLA_FLAGS", ""):
        return False
    try:
        jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:  # JAX has computed already: its devices are settled
        return False
    return True


def over_devices(fn: Callable[..., Any], *, shared: int = 0) -> Callable[..., Any]:
    """Compile a function of a batch of clips for all local devices: each computes its share of the clips.

    Args:
        fn: takes arrays (or pytrees of them) whose first axis is the batch, treats every clip on its own, and returns an array
            or a pytree of arrays (batch, ...).
        shared: so many of the first arguments are whole on each device (weights).

    Returns:
        A compiled function with the arguments of ``fn``. Its results lie on all devices; NumPy and ``jax.device_put`` gather
        them. With one device, or fewer clips than devices, it is ``jax.jit(fn)``; a batch that does not divide is filled up
        with copies of its first clip, which are cut off again.

    >>> over_devices(lambda y: y - y.mean(axis=1, keepdims=True))(jnp.array([[1.0, 3.0], [4.0, 4.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    devices = jax.local_devices()
    alone = jax.jit(fn)
    if len(devices) == 1:
        return alone
    mesh = Mesh(np.array(devices), (_AXIS,))

    @jax.jit
    def divided(*args: Any) -> Any:
        batch = jax.tree.leaves(args[shared])[0].shape[0]
        missing = -batch % len(devices)
        batched = jax.tree.map(
            lambda x: jnp.concatenate([x, jnp.repeat(x[:1], missing, axis=0)]) if missing else x,
            args[shared:],
        )
        specs = (PartitionSpec(),) * shared + (PartitionSpec(_AXIS),) * len(batched)
        # check_vma: the carry of a loop starts as the same zeros everywhere, and that is meant.
        run = jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(_AXIS), check_vma=False)
        out = run(*args[:shared], *batched)
        return jax.tree.map(lambda x: x[:batch], out) if missing else out

    @wraps(fn)
    def run(*args: Any) -> Any:
        few = jax.tree.leaves(args[shared])[0].shape[0] < len(devices)
        return (alone if few else divided)(*args)

    return run


def on_all_devices(batch: Any) -> Any:
    """Put a batch where :func:`over_devices` computes on it, each share on its device; it must divide among them."""
    devices = jax.local_devices()
    if len(devices) == 1:
        return jax.device_put(batch)
    mesh = Mesh(np.array(devices), (_AXIS,))
    return jax.device_put(batch, jax.sharding.NamedSharding(mesh, PartitionSpec(_AXIS)))

"""The walks along the frames of recurrent layers, and their gradients: what :mod:`.lstm` is made of.

Arrays are time-major here, (frames, batch, ...), and the mask is numbers (frames, batch, 1).
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jax.typing import DTypeLike

from mer_jax._shapes import Array
from mer_jax.signal.platform import platform

_DIRECTION = "direction"
_pair: ContextVar[Mesh | None] = ContextVar("pair", default=None)


class Weights(NamedTuple):
    """Of one direction: kernel (features, 4 units), recurrent kernel (units, 4 units) and bias (4 units), gates i, f, g, o."""

    kernel: Array
    recurrent_kernel: Array
    bias: Array


class Walk(NamedTuple):
    """How a scan is compiled: its direction, and of its matrix products the type of the factors and the precision.

    The precision is what the caller's ``jax.default_matmul_precision`` says, kept for the gradient, which is traced after it.
    """

    reverse: bool
    dtype: DTypeLike | None
    precision: str | None

    @classmethod
    def of(cls, reverse: bool, dtype: DTypeLike | None) -> "Walk":
        """In the precision that the caller asks JAX for now."""
        precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        return cls(reverse, dtype, precision)

    def product(self, a: jax.Array, b: jax.Array) -> jax.Array:
        """``a @ b`` in the type of ``a``: only the factors are rounded."""
        if self.dtype is None:
            return jnp.matmul(a, b, precision=self.precision)
        factors = a.astype(self.dtype), b.astype(self.dtype)
        return jnp.matmul(*factors, precision=self.precision, preferred_element_type=a.dtype)


def on_pair(fn: Callable[..., Any], pair: tuple[jax.Device, jax.Device]) -> Callable[..., Any]:
    """Let a function that is compiled walk the two directions of a bidirectional LSTM on a device each, side by side.

    All else that it computes is computed on both devices. For a CPU whose cores are devices
    (:func:`mer_jax.signal.devices.use_all_cores`): a frame's product is too small for two cores to share.

    Args:
        fn: traceable; to be compiled by the caller, whose arguments must not be bound to another device.
        pair: two devices.

    Returns:
        The function; its results lie whole on each of the two.
    """
    mesh = Mesh(np.array(pair), (_DIRECTION,))

    @wraps(fn)
    def traced(*args: Any) -> Any:
        token = _pair.set(mesh)
        try:
            return fn(*args)
        finally:
            _pair.reset(token)

    return traced


def directions(
    x: jax.Array, valid: jax.Array, weights: tuple[Weights, ...], dtype: DTypeLike | None
) -> jax.Array:
    """One direction of an LSTM, or both side by side on the last axis, by what is fastest on the platform."""
    both = len(weights) == 2
    pair = _pair.get()
    if both and pair is not None:
        return _one_a_device(pair, x, valid, weights, dtype)
    if platform() == "cpu":
        found = [lstm_scan(Walk.of(k == 1, dtype), x, valid, *one) for k, one in enumerate(weights)]
        return jnp.concatenate(found, axis=-1)
    # A frame's kernels are too small to fill an accelerator: both directions at once take hardly longer than one of them.
    turned = jnp.stack([x, x[::-1]][: len(weights)]), jnp.stack([valid, valid[::-1]][: len(weights)])
    stacked = jax.tree.map(lambda *of_each: jnp.stack(of_each), *weights)
    states = jax.vmap(partial(lstm_scan, Walk.of(False, dtype)))(*turned, *stacked)
    return jnp.concatenate([one[:: 1 - 2 * k] for k, one in enumerate(states)], axis=-1)


def _one_a_device(
    pair: Mesh, x: jax.Array, valid: jax.Array, weights: tuple[Weights, ...], dtype: DTypeLike | None
) -> jax.Array:
    """Forward on the first device, backward on the second; each gets the other's states."""
    walks = [partial(_scan, Walk.of(reverse, dtype)) for reverse in (True, False)]

    def one(x: jax.Array, valid: jax.Array, weights: Weights) -> jax.Array:
        own = [leaf[0] for leaf in weights]
        backward = jax.lax.axis_index(_DIRECTION) == 1
        return jax.lax.cond(backward, *walks, x, valid, *own)[None]

    alike, divided = PartitionSpec(), PartitionSpec(_DIRECTION)
    stacked = jax.tree.map(lambda *of_each: jnp.stack(of_each), *weights)
    # check_vma: a scan starts from the same zeros on both, and that is meant.
    walk = jax.shard_map(one, mesh=pair, in_specs=(alike, alike, divided), out_specs=divided, check_vma=False)
    states = walk(x, valid, stacked)
    return jnp.concatenate([states[0], states[1]], axis=-1)


@partial(jax.jit, static_argnums=0)
def rnn_scan(walk, x, valid, kernel, recurrent_kernel, bias):
    """States (frames, batch, units) of a simple RNN."""
    weights = jnp.concatenate([kernel, recurrent_kernel])

    def step(h, inputs):
        x_t, valid_t = inputs
        h = jnp.tanh(walk.product(jnp.concatenate([x_t, h], axis=-1), weights) + bias[None]) * valid_t
        return h, h

    zeros = jnp.zeros((x.shape[1], bias.size), x.dtype)
    return jax.lax.scan(step, zeros, (x, valid))[1]


# The gradient is written out because XLA's own accumulates dW and dU frame by frame inside the loop. Here the loop yields
# only dz, and three large products follow it: a quarter less time for a training step on a CPU. Products of the input are
# inside the forward loop on a CPU, where one product with [W; U] is faster than two; elsewhere one large product comes first.


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(walk, x, valid, kernel, recurrent_kernel, bias):
    return _scan_forward(walk, x, valid, kernel, recurrent_kernel, bias)[0]


def _scan_forward(walk, x, valid, kernel, recurrent_kernel, bias):
    """States of all frames, and what the gradient needs."""
    inside = platform() == "cpu"  # the products of the input
    weights = jnp.concatenate([kernel, recurrent_kernel])
    walked = x if inside else walk.product(x, kernel) + bias[None, None]

    def step(carry, inputs):
        h, c = carry
        x_t, valid_t = inputs
        z = (
            walk.product(jnp.concatenate([x_t, h], axis=-1), weights) + bias[None]
            if inside
            else x_t + walk.product(h, recurrent_kernel)
        )
        i, f, g, o = jnp.split(z, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = (f * c + i * g) * valid_t
        h = o * jnp.tanh(c)  # zero on padded frames, where c is
        return (h, c), (h, c, i, f, g, o)

    zeros = jnp.zeros((x.shape[1], recurrent_kernel.shape[0]), x.dtype)
    _, trace = jax.lax.scan(step, (zeros, zeros), (walked, valid), reverse=walk.reverse)
    return trace[0], (x, valid, kernel, recurrent_kernel, trace)


def _scan_backward(walk, residuals, dh_all):
    """Back-propagation through time: cotangents of x, valid, kernel, recurrent_kernel and bias."""
    x, valid, kernel, recurrent_kernel, (h, c, i, f, g, o) = residuals
    to_state = recurrent_kernel.T

    def step(carry, inputs):
        dh, dc = carry
        dh_t, valid_t, c_t, c_before, i, f, g, o = inputs
        dh = dh + dh_t
        tanh_c = jnp.tanh(c_t)
        dc = (dc + dh * o * (1 - tanh_c**2)) * valid_t
        dz = jnp.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c_before * f * (1 - f),
                dc * i * (1 - g**2),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        return (walk.product(dz, to_state), dc * f), dz

    zeros = jnp.zeros_like(h[0])
    before = _shift(c, walk.reverse)
    walked = (dh_all, valid, c, before, i, f, g, o)
    _, dz = jax.lax.scan(step, (zeros, zeros), walked, reverse=not walk.reverse)

    rows = dz.reshape(-1, dz.shape[-1])
    d_kernel = walk.product(x.reshape(-1, x.shape[-1]).T, rows)
    d_recurrent = walk.product(_shift(h, walk.reverse).reshape(-1, h.shape[-1]).T, rows)
    return walk.product(dz, kernel.T), jnp.zeros_like(valid), d_kernel, d_recurrent, rows.sum(axis=0)


def _shift(states: jax.Array, reverse: bool) -> jax.Array:
    """The state before each frame, in the direction of the run: zero before the first."""
    zero = jnp.zeros_like(states[:1])
    return jnp.concatenate([states[1:], zero] if reverse else [zero, states[:-1]])


_scan.defvjp(_scan_forward, _scan_backward)
# Outside of a jitted program a loop is compiled anew for every call; this keeps it.
lstm_scan = jax.jit(_scan, static_argnums=0)
"""States (frames, batch, units) of one direction: (walk, x, valid, kernel, recurrent_kernel, bias)."""

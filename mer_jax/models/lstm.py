"""Recurrent layers with Keras's gates and initial values: LSTM, bidirectional LSTM and simple RNN.

Sequences are padded on the right and ``mask`` says which frames are real. The state is held at zero on padded frames, so a
layer that runs backwards starts, with a zero state, at the last real frame of each clip, outputs on padded frames are zero,
and padding changes no other output.

Sources: Hochreiter & Schmidhuber 1997 (LSTM); Gers, Schmidhuber & Cummins 2000 (forget gate); Jozefowicz, Zaremba &
Sutskever 2015 (forget bias 1).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, Bool, Float
from mer_jax.signal.platform import platform

# Keras's initial values: glorot uniform for the input, orthogonal for the state.
KERNEL_INIT = nnx.initializers.glorot_uniform()
RECURRENT_INIT = nnx.initializers.orthogonal()


class Weights(NamedTuple):
    """Of one direction: kernel (features, 4 units), recurrent kernel (units, 4 units) and bias (4 units), gates i, f, g, o."""

    kernel: Array
    recurrent_kernel: Array
    bias: Array


class _Walk(NamedTuple):
    """How a scan is compiled: its direction, and of its matrix products the type of the factors and the precision.

    The precision is what the caller's ``jax.default_matmul_precision`` says, kept for the gradient, which is traced after it.
    """

    reverse: bool
    dtype: DTypeLike | None
    precision: str | None

    @classmethod
    def of(cls, reverse: bool, dtype: DTypeLike | None) -> "_Walk":
        precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        return cls(reverse, dtype, precision)

    def product(self, a: jax.Array, b: jax.Array) -> jax.Array:
        """``a @ b`` in the type of ``a``: only the factors are rounded."""
        if self.dtype is None:
            return jnp.matmul(a, b, precision=self.precision)
        factors = a.astype(self.dtype), b.astype(self.dtype)
        return jnp.matmul(*factors, precision=self.precision, preferred_element_type=a.dtype)


class LSTM(nnx.Module):
    """Long short-term memory over the frames of a clip.

    With gates i (input), f (forget), g (candidate) and o (output), side by side in this order in the kernels::

        i, f, g, o = split(x[t] W + h[t-1] U + b)
        c[t] = sigmoid(f) c[t-1] + sigmoid(i) tanh(g)
        h[t] = sigmoid(o) tanh(c[t])

    The order is that of ``keras.layers.LSTM``, whose ``get_weights()`` fit ``kernel``, ``recurrent_kernel`` and ``bias`` as
    they are.

    Args:
        in_features: size of the last axis of the input.
        units: size of the state.
        reverse: run from the last frame to the first; the output stays in the order of the input.
        dtype: of the factors of matrix products; sums, gates and state stay in the type of the weights. None is that type.
        rngs: keys of the initial values.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        reverse: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("in_features", in_features)
        checks.positive_int("units", units)
        self.reverse = reverse
        self.dtype = dtype
        self.kernel = nnx.Param(KERNEL_INIT(rngs.params(), (in_features, 4 * units)))
        self.recurrent_kernel = nnx.Param(RECURRENT_INIT(rngs.params(), (units, 4 * units)))
        # A forget gate that starts open lets gradients through long sequences.
        self.bias = nnx.Param(
            jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), units, total_repeat_length=4 * units)
        )

    def __call__(
        self, x: Float[Array, "batch frames features"], mask: Bool[Array, "batch frames"] | None = None
    ) -> Float[Array, "batch frames units"]:
        """The state h after every frame; zero where ``mask`` is False."""
        return lstm(x, mask, *_weights_of(self), reverse=self.reverse, dtype=self.dtype)


class BiLSTM(nnx.Module):
    """Two LSTMs side by side, one in each direction: the last axis holds the forward states, then the backward ones.

    Args:
        in_features: size of the last axis of the input.
        units: size of the state of each direction.
        dtype: as of :class:`LSTM`.
        rngs: keys of the initial values.
    """

    def __init__(
        self, in_features: int, units: int, *, dtype: DTypeLike | None = None, rngs: nnx.Rngs
    ) -> None:
        self.dtype = dtype
        self.forward = LSTM(in_features, units, dtype=dtype, rngs=rngs)
        self.backward = LSTM(in_features, units, reverse=True, dtype=dtype, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch frames features"], mask: Bool[Array, "batch frames"] | None = None
    ) -> Float[Array, "batch frames both_units"]:
        """Both states after every frame; zero where ``mask`` is False."""
        return bilstm(x, mask, _weights_of(self.forward), _weights_of(self.backward), dtype=self.dtype)


class SimpleRNN(nnx.Module):
    """Elman's network, h[t] = tanh(x[t] W + h[t-1] U + b), as ``keras.layers.SimpleRNN``.

    Args:
        in_features: size of the last axis of the input.
        units: size of the state.
        dtype: as of :class:`LSTM`.
        rngs: keys of the initial values.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer.
    """

    def __init__(
        self, in_features: int, units: int, *, dtype: DTypeLike | None = None, rngs: nnx.Rngs
    ) -> None:
        checks.positive_int("in_features", in_features)
        checks.positive_int("units", units)
        self.dtype = dtype
        self.kernel = nnx.Param(KERNEL_INIT(rngs.params(), (in_features, units)))
        self.recurrent_kernel = nnx.Param(RECURRENT_INIT(rngs.params(), (units, units)))
        self.bias = nnx.Param(jnp.zeros((units,)))

    def __call__(
        self, x: Float[Array, "batch frames features"], mask: Bool[Array, "batch frames"] | None = None
    ) -> Float[Array, "batch frames units"]:
        """The state h after every frame; zero where ``mask`` is False."""
        x, kernel, recurrent_kernel, bias = _same_dtype(
            x, self.kernel[...], self.recurrent_kernel[...], self.bias[...]
        )
        inputs, valid = _time_major(x, mask)
        walk = _Walk.of(False, self.dtype)
        return _rnn(walk, inputs, valid, kernel, recurrent_kernel, bias).swapaxes(0, 1)


def lstm(
    x: Float[Array, "batch frames features"],
    mask: Bool[Array, "batch frames"] | None,
    kernel: Float[Array, "features gates"],
    recurrent_kernel: Float[Array, "units gates"],
    bias: Float[Array, " gates"],
    *,
    reverse: bool = False,
    dtype: DTypeLike | None = None,
) -> Float[Array, "batch frames units"]:
    """Run an LSTM (equations in :class:`LSTM`). The one place where an implementation is chosen.

    Args:
        x: input.
        mask: True on real frames, which come first; None if all are.
        kernel: W, gates i, f, g, o side by side.
        recurrent_kernel: U.
        bias: b.
        reverse: run from the last frame to the first.
        dtype: of the factors of matrix products; None is the widest type of the arguments.

    Returns:
        h after every frame, zero where ``mask`` is False. Differentiable in ``x`` and the weights in reverse mode
        (``jax.grad``, ``jax.vjp``), not in forward mode.
    """
    x, *weights = _same_dtype(x, kernel, recurrent_kernel, bias)
    inputs, valid = _time_major(x, mask)
    if not reverse:
        return _directions(inputs, valid, (Weights(*weights),), dtype).swapaxes(0, 1)
    return _scan_jit(_Walk.of(True, dtype), inputs, valid, *weights).swapaxes(0, 1)


def bilstm(
    x: Float[Array, "batch frames features"],
    mask: Bool[Array, "batch frames"] | None,
    forward: Weights,
    backward: Weights,
    *,
    dtype: DTypeLike | None = None,
) -> Float[Array, "batch frames both_units"]:
    """:func:`lstm` in both directions: forward states first on the last axis, then backward ones."""
    x, *weights = _same_dtype(x, *forward, *backward)
    inputs, valid = _time_major(x, mask)
    return _directions(inputs, valid, (Weights(*weights[:3]), Weights(*weights[3:])), dtype).swapaxes(0, 1)


def _weights_of(layer: LSTM) -> Weights:
    return Weights(layer.kernel[...], layer.recurrent_kernel[...], layer.bias[...])


def _directions(
    x: jax.Array, valid: jax.Array, weights: tuple[Weights, ...], dtype: DTypeLike | None
) -> jax.Array:
    """One direction or both side by side, time-major, by what is fastest on the platform."""
    if platform() == "cpu":
        found = [_scan_jit(_Walk.of(k == 1, dtype), x, valid, *one) for k, one in enumerate(weights)]
        return jnp.concatenate(found, axis=-1)
    # A frame's kernels are too small to fill an accelerator: both directions at once take hardly longer than one of them.
    both = jnp.stack([x, x[::-1]][: len(weights)]), jnp.stack([valid, valid[::-1]][: len(weights)])
    stacked = jax.tree.map(lambda *of_each: jnp.stack(of_each), *weights)
    states = jax.vmap(partial(_scan_jit, _Walk.of(False, dtype)))(*both, *stacked)
    return jnp.concatenate([one[:: 1 - 2 * k] for k, one in enumerate(states)], axis=-1)


def _same_dtype(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays in the widest of their types: a loop's state cannot change type on the way."""
    dtype = jnp.result_type(*arrays)
    return tuple(array.astype(dtype) for array in arrays)


def _time_major(x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """``x`` as (frames, batch, features) and the mask as numbers (frames, batch, 1): what a scan walks along."""
    valid = jnp.ones(x.shape[:2], x.dtype) if mask is None else mask.astype(x.dtype)
    return x.swapaxes(0, 1), valid.T[:, :, None]


@partial(jax.jit, static_argnums=0)
def _rnn(walk, x, valid, kernel, recurrent_kernel, bias):
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
_scan_jit = jax.jit(_scan, static_argnums=0)

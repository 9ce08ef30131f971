"""Recurrent layers with Keras's gates and initial values: LSTM, bidirectional LSTM and simple RNN.

Sequences are padded on the right and ``mask`` says which frames are real. The state is held at zero on padded frames, so a
layer that runs backwards starts, with a zero state, at the last real frame of each clip, outputs on padded frames are zero,
and padding changes no other output.

Sources: Hochreiter & Schmidhuber 1997 (LSTM); Gers, Schmidhuber & Cummins 2000 (forget gate); Jozefowicz, Zaremba &
Sutskever 2015 (forget bias 1).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, Bool, Float
from mer_jax.models.recurrence import Walk, Weights, directions, lstm_scan, rnn_scan

# Keras's initial values: glorot uniform for the input, orthogonal for the state.
KERNEL_INIT = nnx.initializers.glorot_uniform()
RECURRENT_INIT = nnx.initializers.orthogonal()


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
        walk = Walk.of(False, self.dtype)
        return rnn_scan(walk, inputs, valid, kernel, recurrent_kernel, bias).swapaxes(0, 1)


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
    """Run an LSTM (equations in :class:`LSTM`).

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
        return directions(inputs, valid, (Weights(*weights),), dtype).swapaxes(0, 1)
    return lstm_scan(Walk.of(True, dtype), inputs, valid, *weights).swapaxes(0, 1)


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
    return directions(inputs, valid, (Weights(*weights[:3]), Weights(*weights[3:])), dtype).swapaxes(0, 1)


def _weights_of(layer: LSTM) -> Weights:
    return Weights(layer.kernel[...], layer.recurrent_kernel[...], layer.bias[...])


def _same_dtype(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays in the widest of their types: a loop's state cannot change type on the way."""
    dtype = jnp.result_type(*arrays)
    return tuple(array.astype(dtype) for array in arrays)


def _time_major(x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """``x`` as (frames, batch, features) and the mask as numbers (frames, batch, 1): what a scan walks along."""
    valid = jnp.ones(x.shape[:2], x.dtype) if mask is None else mask.astype(x.dtype)
    return x.swapaxes(0, 1), valid.T[:, :, None]

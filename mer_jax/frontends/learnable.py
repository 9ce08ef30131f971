"""What learnable front-ends share: which parts are learnt, how a value is held, and how it stays legal.

Values with limits are functions of free parameters (reparameterisation), so no step can leave the legal range:

* :func:`between`: ``low + (high - low) sigmoid(p)``, for frequencies in 0..sr/2 and coefficients in 0..1;
* :func:`about`: ``start * factor ** tanh(p)``, for widths, scales and offsets, which are positive: a step of ``p`` is a step
of the
  logarithm. It starts at ``p = 0``, where the value is ``start`` exactly.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float

#: Which parts of a front-end are learnt: all that is sensible (True), none (False), or those named, in a sequence or in one
#: string with commas between them (as on the command line).
Trainable = bool | str | Sequence[str]


class Constant(nnx.Variable):
    """A value that could be learnt and is not: part of the model's state, never of its parameters."""


def chosen_parts(
    trainable: Trainable, parts: Sequence[str], *, on_request: Sequence[str] = ()
) -> tuple[str, ...]:
    """The parts that are learnt, in the order of ``parts``.

    Args:
        trainable: the choice.
        parts: what the front-end can learn.
        on_request: those of them that True leaves out.

    Raises:
        mer_jax.checks.ArgumentError: a part that the front-end does not have, with the nearest that it has.

    >>> chosen_parts("mel,window", ("window", "mel", "kernels"))
    ('window', 'mel')
    """
    if isinstance(trainable, str):
        # The command line hands "true" on as a word.
        words = {"true": True, "false": False}
        trainable = words.get(trainable.lower(), [name.strip() for name in trainable.split(",")])
    if isinstance(trainable, bool):
        return tuple(part for part in parts if trainable and part not in on_request)
    for name in trainable:
        checks.one_of("trainable", name, parts)
    return tuple(part for part in parts if part in trainable)


def parameter(value: ArrayLike, *, learnt: bool) -> nnx.Variable:
    """Hold a float32 value that is learnt, or one that is not."""
    kind = nnx.Param if learnt else Constant
    return kind(jnp.asarray(value, jnp.float32))


def between(free: Float[Array, "*dims"], low: float, high: float) -> Float[Array, "*dims"]:
    """A value in ``low..high``.

    >>> between(jnp.zeros(1), 2.0, 4.0).tolist()
    [3.0]
    """
    return low + (high - low) * jax.nn.sigmoid(free)


def free_of(value: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """The parameter at which :func:`between` gives ``value``; on a limit, one that is very near to it.

    >>> float(free_of(3.0, 2.0, 4.0))
    0.0
    """
    share = np.clip((np.asarray(value, np.float64) - low) / (high - low), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)))


def about(free: Float[Array, "*dims"], start: np.ndarray | float, factor: float) -> Float[Array, "*dims"]:
    """A positive value from ``start / factor`` to ``start * factor``.

    >>> about(jnp.zeros(1), 3.0, 8.0).tolist()
    [3.0]
    """
    begin = jnp.broadcast_to(jnp.asarray(start, free.dtype), free.shape)
    return begin * jnp.exp(np.log(factor) * jnp.tanh(free))

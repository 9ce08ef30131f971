"""In which precision a signal function computes, and in which it answers."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


def compute_dtype(dtype: DTypeLike) -> jnp.dtype:
    """The real dtype in which input of ``dtype`` is processed.

    Half precisions hold three digits: sums over a frame lose them all, so they are processed in float32.
    float64 (only there under x64) stays float64.

    >>> compute_dtype("bfloat16"), compute_dtype("complex128")
    (dtype('float32'), dtype('float64'))
    """
    return jnp.dtype(jnp.float64 if jnp.dtype(dtype).name in ("float64", "complex128") else jnp.float32)


def widen(x: jax.Array) -> jax.Array:
    """Return real ``x`` in the dtype in which it is processed (:func:`compute_dtype`)."""
    return x.astype(compute_dtype(x.dtype))

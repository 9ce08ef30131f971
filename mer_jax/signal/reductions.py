"""Reductions that a caller chooses, applied to each clip on its own."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np


def traceable(fn: Callable) -> Callable:
    """``fn``, or its namesake of ``jax.numpy`` for a NumPy function such as ``np.max``, which cannot be traced.

    >>> traceable(np.median) is jnp.median
    True
    """
    name = getattr(fn, "__name__", "")
    return getattr(jnp, name, fn) if getattr(np, name, None) is fn else fn


def reduce_clips(fn: Callable[[jax.Array], jax.Array], x: jax.Array, *, core_ndim: int) -> jax.Array:
    """Reduce the trailing ``core_ndim`` axes of each clip to one number by ``fn``, keeping them with length 1.

    ``fn`` may be a NumPy reduction such as ``np.max`` (:func:`traceable`).

    >>> reduce_clips(np.max, jnp.array([[1.0, 3.0], [2.0, 0.0]]), core_ndim=1).tolist()
    [[3.0], [2.0]]
    """
    core_ndim = min(core_ndim, x.ndim)
    lead, core = x.shape[: x.ndim - core_ndim], x.shape[x.ndim - core_ndim :]
    values = jax.vmap(traceable(fn))(x.reshape(-1, *core))
    return values.reshape(lead + (1,) * core_ndim)

"""Reductions that a caller chooses, applied to each clip on its own."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np


def reduce_clips(fn: Callable[[jax.Array], jax.Array], x: jax.Array, *, core_ndim: int) -> jax.Array:
    """Reduce the trailing ``core_ndim`` axes of each clip to one number by ``fn``, keeping them with length 1.

    ``fn`` may be a NumPy reduction such as ``np.max``: its namesake of ``jax.numpy`` is used, because NumPy's cannot be
    traced.

    >>> reduce_clips(np.max, jnp.array([[1.0, 3.0], [2.0, 0.0]]), core_ndim=1).tolist()
    [[3.0], [2.0]]
    """
    name = getattr(fn, "__name__", "")
    if getattr(np, name, None) is fn:
        fn = getattr(jnp, name)
    core_ndim = min(core_ndim, x.ndim)
    lead, core = x.shape[: x.ndim - core_ndim], x.shape[x.ndim - core_ndim :]
    values = jax.vmap(fn)(x.reshape(-1, *core))
    return values.reshape(lead + (1,) * core_ndim)

"""Scaling the columns of a feature matrix to unit norm."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, Float


def check_norm(norm: float | None) -> None:
    """Raise :class:`~mer_jax.checks.ArgumentError` unless ``norm`` is None, 0, infinite or positive."""
    if norm is not None and not (norm >= 0 or norm == -np.inf):
        raise checks.ArgumentError("norm", f"is {norm!r}", expected="None, inf, -inf, 0 or a number above 0")


def normalize(S: Float[Array, "*dims"], *, norm: float | None, axis: int) -> Float[Array, "*dims"]:
    """Divide each slice along ``axis`` by its norm; slices whose norm vanishes are left as they are.

    ``S / (sum |S|**norm)**(1 / norm)``, with the maximum for ``norm=inf``, the minimum for ``-inf`` and the
    number of values that are not zero for ``0``; None returns ``S``. A norm below the smallest normal number
    of the dtype counts as vanished (librosa's rule), and there the gradient is that of the identity.

    Args:
        S: real values, any shape.
        norm: order of the norm.
        axis: the axis that is summed over.

    Source:
        ``librosa.util.normalize`` (librosa 0.11), with ``threshold`` and ``fill`` at their defaults.

    >>> normalize(jnp.array([[3.0, 0.0], [4.0, 0.0]]), norm=2, axis=0).tolist()
    [[0.6000000238418579, 0.0], [0.800000011920929, 0.0]]
    """
    if norm is None:
        return S
    if norm == 0:
        return S / jnp.maximum(1, jnp.sum(S != 0, axis=axis, keepdims=True, dtype=S.dtype))
    # Relative to its maximum, a constant here, a quiet slice has powers that do not underflow, and a gradient
    # whose 1 / norm**2 does not overflow.
    peak = lax.stop_gradient(jnp.max(jnp.abs(S), axis=axis, keepdims=True))
    tiny = jnp.finfo(S.dtype).tiny
    scale = jnp.where(peak < tiny, 1, peak)
    relative = S / scale
    length = _norm(jnp.abs(relative), norm, axis)
    vanished = length * scale < tiny
    return jnp.where(vanished, S, relative / jnp.where(vanished, 1, length))


def _norm(magnitude: jax.Array, norm: float, axis: int) -> jax.Array:
    if norm == np.inf:
        return jnp.max(magnitude, axis=axis, keepdims=True)
    if norm == -np.inf:
        return jnp.min(magnitude, axis=axis, keepdims=True)
    # Zeros are kept from the power: 0**norm has an infinite slope for norm < 1.
    positive = magnitude > 0
    powers = jnp.where(positive, jnp.where(positive, magnitude, 1) ** norm, 0)
    total = jnp.sum(powers, axis=axis, keepdims=True)
    return jnp.where(total > 0, jnp.where(total > 0, total, 1) ** (1 / norm), 0)

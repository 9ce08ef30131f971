"""Shape annotations (jaxtyping), absent where only jax, flax, optax and numpy are installed.

Annotations document shapes; the tests enforce them (jaxtyping's import hook with beartype). They carry no behaviour, so a
machine without jaxtyping loses nothing but that check: there every annotation reads as ``Any``.
"""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

try:
    from jaxtyping import Array, Bool, Complex, Float, Inexact, Int, Num, PRNGKeyArray, Shaped
except ImportError:
    if TYPE_CHECKING:
        raise

    class _AnyShape:
        """Stand-in for a jaxtyping class: subscripting it gives ``Any``."""

        def __class_getitem__(cls, _item: object) -> Any:
            return Any

    Bool = Complex = Float = Inexact = Int = Num = Shaped = _AnyShape
    Array = PRNGKeyArray = jax.Array  # type: ignore[misc]

# What a signal function accepts: a NumPy array is converted on entry.
ArrayLike = Array | np.ndarray

__all__ = [
    "Array",
    "ArrayLike",
    "Bool",
    "Complex",
    "Float",
    "Inexact",
    "Int",
    "Num",
    "PRNGKeyArray",
    "Shaped",
]

"""In which precision networks compute: the one place that says what ``--precision`` means (docs/precision.md)."""

from contextlib import AbstractContextManager
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from mer_jax import checks

Precision = Literal["f32", "tf32", "bf16"]
"""f32: full float32 on every platform. tf32: values in float32, products by the matrix units of a GPU, which read ten bits of
each factor. bf16: values and products in bfloat16; weights, optimiser, statistics, losses and logits stay in float32."""

_PRODUCTS = {"f32": "highest", "tf32": "tensorfloat32", "bf16": "default"}
_DTYPES = {"f32": None, "tf32": jnp.float32, "bf16": jnp.bfloat16}


def check(precision: str) -> None:
    """Raise :class:`mer_jax.checks.ConfigError` for a precision that there is not."""
    if precision not in get_args(Precision):
        raise checks.ConfigError(
            "precision", f"is {precision!r}", expected=f"one of {', '.join(get_args(Precision))}"
        )


def network_dtype(precision: Precision) -> DTypeLike | None:
    """The ``dtype`` of a network; None leaves its values as they come and has a VGG19's base convolve at full precision."""
    return _DTYPES[precision]


def products(precision: Precision) -> AbstractContextManager[object]:
    """Within it, matrix products and convolutions that name no precision of their own are traced to this one.

    Transposes of what is traced within keep it, so a gradient taken outside does too.

    >>> with products("f32"):
    ...     "HIGHEST" in str(jax.make_jaxpr(jnp.dot)(jnp.ones((2, 2)), jnp.ones((2, 2))))
    True
    """
    return jax.default_matmul_precision(_PRODUCTS[precision])


def logits_dtype(dtype: DTypeLike | None) -> DTypeLike | None:
    """The ``dtype`` of a network's last layer: float32 where the others compute in bfloat16."""
    return jnp.float32 if dtype == jnp.bfloat16 else dtype

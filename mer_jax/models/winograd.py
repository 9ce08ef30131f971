"""3 x 3 convolutions with fewer multiplications, for a CPU: Winograd's minimal filtering, F(4 x 4, 3 x 3).

Sixteen outputs of a 3 x 3 convolution take 144 multiplications. Winograd's algorithm maps a tile of 6 x 6 inputs and the
kernel to 36 numbers each, ``Y = A' [(G g G') * (B' d B)] A``, and multiplies four times less. Over all tiles and channels these
are 36 matrix products, and the maps are a few additions, so it pays where channels are many. Rounding differs: 5e-6 relative.

Source: A. Lavin and S. Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016, section 4 and equation 15.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

from mer_jax._shapes import Array, Float

TILE = 4
"""Outputs a tile has along each side."""
_REACH = TILE + 2

_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

# Tiles of a batch from which 36 separate products are quicker than one product with 36 batches (measured on two cores: 392
# tiles and more were, 128 were not).
_SEPARATE = 256


def count_tiles(shape: Sequence[Any]) -> int:
    """Tiles of a batch of pictures; of one picture where the batch is of any size, as in an exported program.

    >>> count_tiles((2, 8, 5, 3))
    8
    """
    batch, height, width, _ = shape
    if export.is_symbolic_dim(batch):
        batch = 1
    return batch * -(-height // TILE) * -(-width // TILE)


@jax.jit
def transform(kernel: Float[Array, "3 3 before after"]) -> Float[Array, "36 before after"]:
    """The kernel as :func:`convolve` takes it: ``G g G'`` of every pair of channels. Four times as large."""
    rows = _combine(_KERNEL, list(kernel))
    both = [entry for row in rows for entry in _combine(_KERNEL, list(row))]
    return jnp.stack(both)


@jax.jit
def convolve(
    x: Float[Array, "batch height width before"], transformed: Float[Array, "36 before after"]
) -> Float[Array, "batch height width after"]:
    """3 x 3 convolution with zeros around the picture ("SAME"), stride 1.

    Args:
        x: NHWC.
        transformed: from :func:`transform`, of the dtype of ``x``.

    >>> convolve(jnp.ones((1, 4, 4, 1)), transform(jnp.ones((3, 3, 1, 1))))[0, :, :, 0].round(4).tolist()[0]
    [4.0, 6.0, 6.0, 4.0]
    """
    batch, height, width, before = x.shape
    after = transformed.shape[-1]
    rows, columns = -(-height // TILE), -(-width // TILE)
    # One zero before, and as many after as the last tile reaches out.
    padded = jnp.pad(x, ((0, 0), (1, rows * TILE + 1 - height), (1, columns * TILE + 1 - width), (0, 0)))
    strips = [padded[:, i : i + TILE * (rows - 1) + 1 : TILE] for i in range(_REACH)]
    # Barriers keep XLA from computing the sums of rows anew for each of the six that are made of them.
    down = lax.optimization_barrier(tuple(_combine(_INPUT, strips)))
    mapped = [
        part.reshape(-1, before)
        for row in down
        for part in _combine(
            _INPUT, [row[:, :, j : j + TILE * (columns - 1) + 1 : TILE] for j in range(_REACH)]
        )
    ]
    products = _products(mapped, transformed, apart=count_tiles(x.shape) >= _SEPARATE)
    tiles = [product.reshape(batch, rows, columns, after) for product in products]
    up = [_combine(_OUTPUT, tiles[j::_REACH]) for j in range(_REACH)]
    up = lax.optimization_barrier(up)
    found = [_combine(_OUTPUT, [column[row] for column in up]) for row in range(TILE)]
    whole = jnp.stack([jnp.stack(row, axis=3) for row in found], axis=2)
    return whole.reshape(batch, rows * TILE, columns * TILE, after)[:, :height, :width]


def _products(mapped: Sequence[jax.Array], transformed: jax.Array, *, apart: bool) -> Sequence[jax.Array]:
    """The 36 matrix products, one by one or as one with 36 batches."""
    high = lax.Precision.HIGHEST
    if not apart:
        stacked = lax.optimization_barrier(jnp.stack(mapped))
        return list(lax.optimization_barrier(jnp.matmul(stacked, transformed, precision=high)))
    parts = lax.optimization_barrier(tuple(mapped))
    found = [
        jnp.matmul(part, weights, precision=high) for part, weights in zip(parts, transformed, strict=True)
    ]
    return lax.optimization_barrier(tuple(found))


def _combine(matrix: np.ndarray, parts: Sequence[jax.Array]) -> list[jax.Array]:
    """Each row of a matrix as a sum of arrays, its zeros left out."""
    return [sum(c * part for c, part in zip(row.tolist(), parts, strict=True) if c) for row in matrix]

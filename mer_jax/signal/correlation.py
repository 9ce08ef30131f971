"""Correlation of one clip with a bank of kernels, as a few matrix products.

    out[m, c] = sum_k x[m * stride - offset + k] * kernel[k, c]        (x is zero outside the clip)

The clip is cut into rows of ``block`` samples, a reshape that copies nothing, and each row gives the outputs that begin in
it. A kernel longer than a row falls into pieces of ``block`` taps, ``kernel[j]``, and

    out[r] = sum_j rows[r + j] @ kernel[j].

All pieces share one product ``rows @ [kernel[0] | kernel[1] | ...]``, whose column groups are then added with a shift of
``j`` rows; no frame is ever copied. (Only where a row has more outputs than samples are frames the smaller array.) This sum
over ``j`` is itself a convolution over rows; on a CPU, where multiplications are what costs, it can be halved as Karatsuba
halves a product of polynomials: three convolutions of half the length in place of four.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax.signal.platform import platform

# Kernel pieces (pieces, block, columns), or the three halves of Karatsuba's step.
_Pieces = jax.Array | tuple["_Pieces", "_Pieces", "_Pieces"]

# Below four pieces the additions of a Karatsuba step cost what it saves.
_MIN_PIECES_TO_SPLIT = 4

# Values that one product may add to memory (float32: 16 MiB a clip); more pieces than fit are scanned.
_MAX_PRODUCT_SIZE = 2**22

Correlator = Callable[[jax.Array, int, int], jax.Array]


def correlator(kernel: jax.Array, *, stride: int, min_block: int = 64, splits: int = 0) -> Correlator:
    """Return ``correlate(x, offset, num)``, which gives rows ``m = 0 .. num - 1`` of the formula above.

    What depends on the kernel alone is done here, so call it outside a loop over clips.

    Args:
        kernel: shape (taps, channels).
        stride: samples between outputs.
        min_block: a row is the least multiple of ``stride`` that has this many samples.
        splits: how often Karatsuba's step is taken on a CPU. It pays where one product is large and its columns
            are few; it lengthens compilation.

    Returns:
        ``correlate(x, offset, num)`` with ``x`` of shape (samples,), giving shape (num, channels).
    """
    taps, channels = kernel.shape
    copies = -(-min_block // stride)  # outputs a row
    block = copies * stride
    used = taps + block - stride  # samples that a row of outputs reads
    num_pieces = -(-used // block)
    length = used if num_pieces == 1 else num_pieces * block
    pieces = _shifted_copies(kernel, stride, copies, length).reshape(num_pieces, -1, copies * channels)
    halved = _halve(pieces, splits if platform() == "cpu" else 0)

    def correlate(x: jax.Array, offset: int, num: int) -> jax.Array:
        num_rows = max(1, -(-num // copies))
        padded = _rows_needed(halved, num_rows) * block
        out = _convolve(_surround(x, offset, padded).reshape(-1, block), halved, num_rows)
        return out.reshape(-1, channels)[:num]

    return correlate


def _surround(x: jax.Array, before: int, length: int) -> jax.Array:
    """Put ``before`` zeros before ``x``, and zeros after it or cut it, so that ``length`` samples result."""
    x = x[: length - before]
    zeros = [jnp.zeros(n, x.dtype) for n in (before, length - before - x.shape[0])]
    # The barrier makes this one copy in memory: fused into what reads it, every read would test for the edges.
    return lax.optimization_barrier(jnp.concatenate([zeros[0], x, zeros[1]]))


def _shifted_copies(kernel: jax.Array, stride: int, copies: int, length: int) -> jax.Array:
    """Kernel (taps, channels) at 0, ``stride``, 2 ``stride`` ... of ``length`` zeros: (length, copies, channels)."""
    taps, channels = kernel.shape
    # Repeated with a period of one stride more than the length, and cut at the length, it moves on by a stride.
    period = jnp.pad(kernel, ((0, length + stride - taps), (0, 0)))
    rows = jnp.tile(period, (copies, 1))[: copies * length].reshape(copies, length, channels)
    return rows.transpose(1, 0, 2)


def _halve(pieces: jax.Array, splits: int) -> _Pieces:
    """Split the pieces into even and odd ones and their sum, ``splits`` times over."""
    if splits == 0 or pieces.shape[0] < _MIN_PIECES_TO_SPLIT:
        return pieces
    if pieces.shape[0] % 2:
        pieces = jnp.concatenate([pieces, jnp.zeros_like(pieces[:1])])
    even, odd = pieces[0::2], pieces[1::2]
    return _halve(even + odd, splits - 1), _halve(even, splits - 1), _halve(odd, splits - 1)


def _rows_needed(pieces: _Pieces, num_rows: int) -> int:
    """Rows of input that :func:`_convolve` reads for ``num_rows`` rows of output."""
    if isinstance(pieces, tuple):
        return 2 * (_rows_needed(pieces[0], -(-num_rows // 2)) + 1)
    return num_rows + pieces.shape[0] - 1


def _convolve(rows: jax.Array, pieces: _Pieces, num_rows: int) -> jax.Array:
    """``out[r] = sum_j rows[r + j] @ pieces[j]`` for ``r < num_rows`` (rounded up to even when split)."""
    if not isinstance(pieces, tuple):
        return _shifted_product(rows[: num_rows + pieces.shape[0] - 1], pieces)
    # With even and odd rows a, b and even and odd pieces e, o (the sum over pieces left out):
    #   out[2r]     = a[r] e + b[r] o     = b[r] (e + o) + (a[r] - b[r]) e
    #   out[2r + 1] = b[r] e + a[r + 1] o = b[r] (e + o) + (a[r + 1] - b[r]) o
    both, even, odd = pieces
    half = -(-num_rows // 2)
    a, b = jnp.split(rows.reshape(-1, 2 * rows.shape[1]), 2, axis=1)
    b = b[:-1]
    shared = _convolve(b, both, half)
    first = shared + _convolve(a[:-1] - b, even, half)
    second = shared + _convolve(a[1:] - b, odd, half)
    return jnp.concatenate([first[:half], second[:half]], axis=1).reshape(2 * half, -1)


def _shifted_product(rows: jax.Array, pieces: jax.Array) -> jax.Array:
    """``out[r] = sum_j rows[r + j] @ pieces[j]``, as many pieces at a time as the memory limit allows."""
    num_pieces, block, columns = pieces.shape
    num_rows = rows.shape[0] - num_pieces + 1
    rows = rows[:, :block]  # a lone piece may be shorter than a row
    group = max(1, _MAX_PRODUCT_SIZE // (num_rows * min(block, columns)))
    if group >= num_pieces:
        return _one_product(rows, pieces)
    num_groups = -(-num_pieces // group)
    missing = num_groups * group - num_pieces
    grouped = jnp.pad(pieces, ((0, missing), (0, 0), (0, 0))).reshape(num_groups, group, block, columns)
    rows = jnp.pad(rows, ((0, missing), (0, 0)))

    def add_group(total: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        index, part = step
        seen = lax.dynamic_slice_in_dim(rows, index * group, num_rows + group - 1)
        return total + _one_product(seen, part), None

    start = jnp.zeros((num_rows, columns), rows.dtype)
    return lax.scan(add_group, start, (jnp.arange(num_groups), grouped))[0]


def _one_product(rows: jax.Array, pieces: jax.Array) -> jax.Array:
    """The same with one matrix product, by that of two ways which moves less memory."""
    num_pieces, block, columns = pieces.shape
    num_rows = rows.shape[0] - num_pieces + 1
    if columns > block:
        # More outputs than samples a row: copy the samples that each row of outputs reads.
        rows = jnp.concatenate([rows[j : j + num_rows] for j in range(num_pieces)], axis=1)
        return jnp.dot(rows, pieces.reshape(-1, columns), precision=lax.Precision.HIGHEST)
    # Otherwise put the pieces side by side, and add the column groups of the product with their shift.
    wide = pieces.transpose(1, 0, 2).reshape(block, -1)
    product = jnp.dot(rows, wide, precision=lax.Precision.HIGHEST)
    return sum(
        (product[j : j + num_rows, j * columns : (j + 1) * columns] for j in range(1, num_pieces)),
        start=product[:num_rows, :columns],
    )

"""Clips of any length in one array of equally long rows (pages), as a whole data set lies on a device.

A clip begins at the start of a page and fills as many as it needs, so that no clip is padded to the length of the longest: a
data set takes the memory of its samples and half a page a clip. Pages are counted, not samples: 32-bit indices do for any size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax._shapes import Int

PAGE = 4096
"""Samples of a page."""
# What a CPU device of JAX wants an array to begin at, to take it over without a copy: bytes.
_ALIGNMENT = 64


class Pages(NamedTuple):
    """The clips of a data set.

    Attributes:
        values: (pages, PAGE) samples in 16 bits, zeros behind each clip; not to be written to.
        firsts: (clips,) the page at which each clip begins.
        lengths: (clips,) samples of each clip.
    """

    values: Int[np.ndarray, "pages samples"]
    firsts: Int[np.ndarray, "clips"]
    lengths: Int[np.ndarray, "clips"]


def touched(num_samples: int) -> int:
    """How many pages ``num_samples`` samples that begin anywhere in a page may touch.

    >>> touched(1), touched(2), touched(4097), touched(4098)
    (1, 2, 2, 3)
    """
    return (PAGE + num_samples - 2) // PAGE + 1


def empty(lengths: Sequence[int] | Int[np.ndarray, "clips"], num_samples: int) -> Pages:
    """Silence for clips of these lengths, which takes no memory before it is written to.

    Behind the last clip are as many pages as :func:`touched` may read beyond it.
    """
    sizes = np.asarray(lengths, np.int64)
    ends = np.cumsum(-(-sizes // PAGE))
    pages = int(ends[-1]) + touched(num_samples)
    spare = _ALIGNMENT // 2
    samples = np.zeros(pages * PAGE + spare, np.int16)
    begin = -samples.ctypes.data % _ALIGNMENT // 2
    values = samples[begin : begin + pages * PAGE].reshape(pages, PAGE)
    firsts = np.concatenate([[0], ends[:-1]]).astype(np.int32)
    return Pages(values, firsts, sizes.astype(np.int32))


def bytes_needed(lengths: Sequence[int] | Int[np.ndarray, "clips"], num_samples: int) -> int:
    """Memory of what :func:`empty` gives, once it is written to."""
    pages = int((-(-np.asarray(lengths, np.int64) // PAGE)).sum()) + touched(num_samples)
    return 2 * PAGE * pages

"""What a weight file holds: arrays by name, described before they are read.

Shape and type come first and are compared with what VGG19 has, so that a file cannot make the reader allocate what it likes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_jax import checks

REMEDY = "get a whole copy of the right file; 'mer-jax weights' downloads the one Keras publishes"

# Larger than any file of VGG19 weights, and further compressed than weights can be.
_MANY_BYTES = 4 * 2**30
_ABSURD_RATIO = 1000


@dataclass(frozen=True)
class Entry:
    """One array of a weight file."""

    shape: tuple[int, ...]
    dtype: str
    """Its type, as the file's format names it."""
    floating: bool
    """Whether that type is floating point."""
    read: Callable[[], np.ndarray]
    """Reads it; may raise anything if the file is damaged."""


def refuse(path: Path, problem: str, expected: str = "") -> checks.CheckpointError:
    """The error for a file that cannot be used; the caller raises it."""
    return checks.CheckpointError(path, problem, expected=expected, remedy=REMEDY)


def unreadable(path: Path, what: str, error: Exception) -> checks.CheckpointError:
    """The error for ``what`` of a damaged file; the caller raises it."""
    reason = str(error).splitlines()[0] if str(error) else ""
    shown = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return refuse(path, f"{what} cannot be read, the file is damaged or cut short ({shown})")


def check_declared_size(path: Path, name: str, declared: int, stored: int) -> None:
    """Raise unless the bytes that ``name`` unpacks to are plausible for the bytes that are stored of it."""
    if declared > _MANY_BYTES and declared > _ABSURD_RATIO * stored:
        raise refuse(path, f"{name} claims {declared:,} bytes but stores {stored:,}", "weights of a VGG19")

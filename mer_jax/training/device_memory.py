"""What fits on a device: the waveforms of a data set, and models beside each other.

A GPU or TPU says how much memory it has; a CPU does not, and there the budget of the loaders holds.
"""

import jax
import numpy as np

from mer_jax.data import memory, pages
from mer_jax.data.catalog import Catalog

# Of a device's memory, for the waveforms of a data set: the rest is for models, their gradients and what they compute.
_WAVEFORMS = 0.25
# Of the memory that is free, for what a block of models computes: one model's need times their number is only an estimate.
_BLOCK = 0.5


def budget_for_waveforms(device: jax.Device) -> int:
    """Bytes that the waveforms of a data set may take on a device.

    A quarter of its memory where it says how much that is; else :data:`mer_jax.data.memory.DEFAULT_BUDGET_BYTES`, as all
    decoded audio may take on the host.
    """
    stats = device.memory_stats()
    if not stats or "bytes_limit" not in stats:
        return memory.DEFAULT_BUDGET_BYTES
    return int(_WAVEFORMS * stats["bytes_limit"])


def waveform_bytes(catalog: Catalog, num_samples: int) -> int | None:
    """Bytes that all clips of a data set take on a device, to be cut to ``num_samples``; None where durations are unknown."""
    if catalog.durations_s is None:
        return None
    lengths = np.rint(catalog.durations_s * catalog.sr).astype(np.int64)
    return pages.bytes_needed(lengths, num_samples)


def budget_for_block(device: jax.Device) -> int | None:
    """Bytes that models trained together may take besides what lies on a device now: half of what is free; None if unknown."""
    stats = device.memory_stats()
    if not stats or "bytes_limit" not in stats:
        return None
    return int(_BLOCK * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))

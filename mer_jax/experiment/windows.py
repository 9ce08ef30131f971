"""Every window of a clip, not only its middle: what a model that sees a few seconds says of a whole track."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mer_jax._shapes import Float, Int
from mer_jax.data.catalog import Catalog

BATCH_SIZE = 8


def window_starts(num_samples: int, window: int, hop: int) -> Int[np.ndarray, "windows"]:
    """First sample of each window: every ``hop``, plus one that ends with the clip if its end would be missed.

    >>> window_starts(10, 4, 4).tolist()
    [0, 4, 6]
    """
    last = max(0, num_samples - window)
    starts = np.arange(0, last + 1, hop)
    return starts if starts[-1] == last else np.append(starts, last)


def outputs_of_windows(
    function: Callable[[Any, Any], Any], y: Float[np.ndarray, "samples"], *, window: int, hop: int
) -> tuple[Float[np.ndarray, "windows outputs"], Int[np.ndarray, "windows"], Int[np.ndarray, "windows"]]:
    """A model's outputs for every window of one clip.

    Args:
        function: from waveforms (:data:`BATCH_SIZE`, window) and their valid samples to outputs.
        y: the clip.
        window: samples that the model sees.
        hop: samples from one window to the next.

    Returns:
        The outputs, the first sample of each window, and its valid samples (a clip shorter than a window is padded).
    """
    starts = window_starts(len(y), window, hop)
    lengths = np.minimum(len(y) - starts, window).astype(np.int32)
    return outputs_at(function, y, starts, window=window), starts, lengths


def outputs_at(
    function: Callable[[Any, Any], Any],
    y: Float[np.ndarray, "samples"],
    starts: Int[np.ndarray, "windows"],
    *,
    window: int,
) -> Float[np.ndarray, "windows *outputs"]:
    """A model's outputs for the windows of one clip that begin at ``starts``; arguments as :func:`outputs_of_windows`."""
    lengths = np.minimum(len(y) - starts, window).astype(np.int32)
    found = []
    for begin in range(0, len(starts), BATCH_SIZE):
        # Filled up, so that one shape is compiled.
        waveforms = np.zeros((BATCH_SIZE, window), np.float32)
        valid = np.ones(BATCH_SIZE, np.int32)
        part = slice(begin, begin + BATCH_SIZE)
        for row, (start, length) in enumerate(zip(starts[part], lengths[part], strict=True)):
            waveforms[row, :length] = y[start : start + length]
            valid[row] = length
        found.append(np.asarray(function(waveforms, valid))[: len(starts[part])])
    return np.concatenate(found)


def outputs_of_tracks(
    function: Callable[[Any, Any], Any],
    catalog: Catalog,
    rows: Int[np.ndarray, "tracks"],
    *,
    window: int,
    hop: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Float[np.ndarray, "windows outputs"], Int[np.ndarray, "windows"]]:
    """A model's outputs for every window of some clips of a data set, and the row that each window is of."""
    found, of_row = [], []
    for done, row in enumerate(rows.tolist(), 1):
        outputs, _, _ = outputs_of_windows(function, catalog.source[row], window=window, hop=hop)
        found.append(outputs)
        of_row.append(np.full(len(outputs), row))
        if progress is not None:
            progress(done, len(rows))
    return np.concatenate(found), np.concatenate(of_row)


def mean_of_tracks(
    outputs: Float[np.ndarray, "windows outputs"],
    of_row: Int[np.ndarray, "windows"],
    rows: Int[np.ndarray, "tracks"],
) -> Float[np.ndarray, "tracks outputs"]:
    """The mean over the windows of each track, in the order of ``rows``: the vote of its segments."""
    return np.stack([outputs[of_row == row].mean(axis=0) for row in rows.tolist()])

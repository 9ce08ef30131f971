"""Predictions over time: of the rated clips of a data set, and of a recording."""

from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float
from mer_jax.data.catalog import Catalog
from mer_jax.data.rated_loader import RatedLoader
from mer_jax.data.rating_grid import RatingGrid
from mer_jax.evaluation import dynamic_scores
from mer_jax.experiment import inputs, windows
from mer_jax.experiment.restoring import TrainedRun
from mer_jax.training.task import SequenceRegression


def predict(
    trained: TrainedRun, catalog: Catalog, rows: np.ndarray, *, hop_s: float | None = None
) -> inputs.Predicted:
    """What a run says of windows that cover every rating of some clips.

    Args:
        trained: a run on ratings over time.
        catalog: a data set with such ratings.
        rows: of it, each with a rating.
        hop_s: seconds from one window to the next, to the nearest step; None is a whole window.

    Raises:
        mer_jax.checks.DataError: there is no rating.
    """
    if not len(rows):
        raise checks.DataError(catalog.name, "has no clip with ratings over time in this part")
    hop = None if hop_s is None else _hop(grid_of(trained), hop_s)
    loader: RatedLoader = inputs.rated_loader(catalog, rows, trained.config, train=False, hop=hop)
    return inputs.predict(trained.model, loader, trained.task)


def columns(catalog: Catalog, predicted: inputs.Predicted) -> dict[str, np.ndarray]:
    """The arrays of ``predictions.npz``: a row a rating.

    ``ids`` name a rating by its song and time; ``songs``, ``clips`` (rows of the catalog) and ``times_s`` say which it is.
    """
    steps = dynamic_scores.collect(predicted.truth, predicted.outputs)
    assert catalog.dynamic is not None
    times_s = catalog.dynamic.start_s[steps.clips] + steps.numbers / catalog.dynamic.rate_hz
    songs = [catalog.ids[row] for row in steps.clips]
    return {
        "ids": np.array([f"{song} at {time_s:.3f} s" for song, time_s in zip(songs, times_s, strict=True)]),
        "songs": np.array(songs),
        "groups": np.array([catalog.groups[row] for row in steps.clips]),
        "clips": steps.clips.astype(np.int32),
        "times_s": times_s,
        "targets": steps.true,
        "predictions": steps.predicted,
        "names": np.array(catalog.target_names),
    }


def course(
    function: Any, grid: RatingGrid, y: Float[np.ndarray, "samples"], *, hop_s: float
) -> tuple[Float[np.ndarray, "times outputs"], Float[np.ndarray, "times"]]:
    """What a run says of every step of a recording, and when each begins, in seconds.

    Args:
        function: of the run (:func:`mer_jax.experiment.restoring.output_function`).
        grid: the steps of the run's window.
        y: the recording at the run's rate.
        hop_s: seconds from one window to the next, to the nearest step; where windows overlap their mean is taken.
    """
    whole = grid.of_clip(0.0, 0, len(y))
    total = max(1, whole.total)  # of a recording shorter than half a step, too, something is said
    firsts = grid.covering(0, total, total, _hop(grid, hop_s))
    starts = np.array([grid.sample(whole, first) for first in firsts])
    found = windows.outputs_at(function, y, starts, window=grid.num_samples)
    sums, counts = np.zeros((total, found.shape[2])), np.zeros(total)
    for first, one in zip(firsts, found, strict=True):
        inside = slice(first, min(first + grid.num_steps, total))
        sums[inside] += one[: total - first]
        counts[inside] += 1
    return sums / counts[:, None], np.arange(total) / grid.rate_hz


def grid_of(trained: TrainedRun) -> RatingGrid:
    """The steps of a run's window."""
    assert isinstance(trained.task, SequenceRegression)
    return RatingGrid(trained.task.rate_hz, trained.config.sr, trained.config.num_samples)


def check_rate(catalog: Catalog, task: SequenceRegression, where: str) -> None:
    """Raise :class:`DataError` unless a data set is rated as often as a run predicts."""
    assert catalog.dynamic is not None
    if catalog.dynamic.rate_hz != task.rate_hz:
        raise checks.DataError(
            where,
            f"is rated {catalog.dynamic.rate_hz:g} times a second",
            expected=f"{task.rate_hz:g}, as often as the run predicts",
        )


def _hop(grid: RatingGrid, hop_s: float) -> int:
    """Steps nearest to so many seconds: at least one, at most a window."""
    return min(grid.num_steps, max(1, round(hop_s * grid.rate_hz)))

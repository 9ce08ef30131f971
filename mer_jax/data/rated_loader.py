"""Batches of crops with the ratings over time that belong to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_jax._shapes import Int
from mer_jax.checks import DataError
from mer_jax.data import memory, pipeline
from mer_jax.data.catalog import Catalog
from mer_jax.data.rating_grid import ClipSteps, RatingGrid


class RatedLoader(pipeline.Loader):
    """Batches as those of :class:`~mer_jax.data.pipeline.Loader`, with the ratings of each crop.

    A batch holds besides::

        "ratings"       float32 (batch, steps, 2)  valence and arousal on the listeners' scale; zeros where there is none
        "rating_index"  int32   (batch, steps)     which rating of the clip; -1 where there is none

    and ``"weight"`` is how many ratings a crop has (0 for filler, and for a crop without one), so that a mean over clips
    weighted by it is a mean over ratings.

    Args:
        catalog: a data set with ratings over time.
        indices: rows to use.
        grid: the steps of a crop.
        windows: one item is a window, and together they cover every rating of every row; otherwise it is a row, cropped at
            random where it is rated, anew in each epoch.
        hop: steps from one window to the next; None is a whole window, so that only the last of a clip may overlap.
        options: as there.

    Raises:
        DataError: none of the rows has a rating.
    """

    def __init__(
        self,
        catalog: Catalog,
        indices: Sequence[int] | Int[np.ndarray, "rows"],
        *,
        grid: RatingGrid,
        windows: bool,
        hop: int | None = None,
        **options: Any,
    ) -> None:
        catalog = memory.in_memory(
            catalog, budget_bytes=options.pop("budget_bytes", memory.DEFAULT_BUDGET_BYTES)
        )
        self.grid = grid
        self.windows: list[int] | None = None
        if windows:
            places = [
                (row, first)
                for row in np.asarray(indices).tolist()
                for first in grid.windows(clip_steps(catalog, grid, row), hop)
            ]
            if not places:
                raise DataError(
                    catalog.name, f"has no ratings over time in the audio of these {len(indices)} clips"
                )
            indices, self.windows = [row for row, _ in places], [first for _, first in places]
        super().__init__(
            catalog, indices, num_samples=grid.num_samples, crop="start" if windows else "random", **options
        )

    def crop_start(self, epoch: int, position: int) -> int:
        """The sample at which an item's crop begins: always where a step does."""
        row = int(self.rows[position])
        clip = clip_steps(self.catalog, self.grid, row)
        if self.windows is not None:
            return self.grid.sample(clip, self.windows[position])
        rng = np.random.default_rng((self.seed, epoch, row))
        return self.grid.sample(clip, self.grid.draw(clip, rng))

    def fingerprint(self) -> dict[str, Any]:
        """What determines the batches."""
        return super().fingerprint() | {"rate_hz": self.grid.rate_hz}

    def assemble(self, places: Sequence[tuple[int, int]]) -> pipeline.Batch:
        """Make a batch."""
        return with_ratings(super().assemble(places), self.catalog, self.grid)


def clip_steps(catalog: Catalog, grid: RatingGrid, row: int) -> ClipSteps:
    """The steps of a clip of a catalog that is kept in memory, by the samples that it has."""
    assert catalog.dynamic is not None
    assert isinstance(catalog.source, memory.Memory)
    number = len(catalog.dynamic.valence_arousal[row])
    return grid.of_clip(float(catalog.dynamic.start_s[row]), number, catalog.source.length(row))


def with_ratings(batch: pipeline.Batch, catalog: Catalog, grid: RatingGrid) -> pipeline.Batch:
    """A batch of clips, cut at ``start``, with the ratings of each crop, as :class:`RatedLoader` describes."""
    assert catalog.dynamic is not None
    columns = [batch[name].tolist() for name in ("index", "start", "length")]
    found = [grid.cut(catalog.dynamic, *crop) for crop in zip(*columns, strict=True)]
    index = np.stack([numbers for _, numbers in found])
    index[batch["weight"] == 0] = -1
    return batch | {
        "ratings": np.stack([ratings for ratings, _ in found]),
        "rating_index": index,
        "weight": (index >= 0).sum(axis=1).astype(np.float32),
    }

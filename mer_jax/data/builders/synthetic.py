"""TFDS builder of the data set that this package composes itself (:mod:`mer_jax.data.synthetic`)."""

from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mer_jax.data import synthetic
from mer_jax.data.builders.base import ClipBuilder
from mer_jax.data.catalog import Catalog
from mer_jax.data.synthetic.rendering import DURATION_S


class Synthetic(ClipBuilder):
    """Five moods, composed and rendered; nothing to fetch.

    Size, seed, length and rate name the configuration, and with it the folder, so that two of them never share one.

    Args:
        num_clips: number of clips; three make a song.
        seed: seed of the data set.
        duration_s: length of each clip in seconds.
        sr: rate to store, in Hz.
        **arguments: those of :class:`ClipBuilder`.

    Raises:
        ArgumentError: a number is outside its range.
    """

    VERSION = tfds.core.Version(synthetic.VERSION)
    DESCRIPTION = (
        "Synthetic music in five moods, composed from musical cues; no recordings, no listeners' ratings."
    )
    LICENSE = "Apache-2.0"
    classes = synthetic.CLASSES

    def __init__(
        self,
        *,
        num_clips: int = 300,
        seed: int = 0,
        duration_s: float = DURATION_S,
        sr: int = 22050,
        **arguments: Any,
    ) -> None:
        self._clips = synthetic.catalog(num_clips, seed=seed, duration_s=duration_s, sr=sr)
        name = f"{num_clips}x{duration_s:g}s_{sr}hz_seed{seed}"
        super().__init__(sr=sr, config=tfds.core.BuilderConfig(name=name), **arguments)

    def catalog(self, manual_dir: Path | None) -> Catalog:
        """Return the catalog of the configured size and seed."""
        return self._clips

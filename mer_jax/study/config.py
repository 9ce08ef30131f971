"""What a study runs: data, protocol, and what all cells share."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from mer_jax import checks
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data.splits import FOLDS
from mer_jax.evaluation import measures
from mer_jax.evaluation.measures import Measures
from mer_jax.evaluation.study_folder import Split
from mer_jax.models import precision
from mer_jax.models.dense import DenseConfig
from mer_jax.models.precision import Precision
from mer_jax.models.recurrent import RecurrentConfig
from mer_jax.models.vgg19 import VGG19Config
from mer_jax.study import cells
from mer_jax.study.cells import Cell
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.loop import TrainingConfig
from mer_jax.training.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class StudyConfig:
    """A table: its data, splits and seeds, and the settings that its cells share."""

    data: str = "synthetic"
    """"synthetic", a folder with one sub-folder a class, a manifest CSV (path,label,group), or a prepared data set."""
    task: Literal["classes", "valence_arousal", "targets", "tags"] = "classes"
    """classes; valence_arousal; targets (numbers: target_ columns of a manifest) or tags (the same, 0 or 1)."""
    out: Path = Path("runs/study")
    """Folder for the cells, the table and the report; a study that was interrupted goes on where it stopped."""
    cells: tuple[str, ...] = ()
    """Which rows of the table, by id; none names all."""
    split: str = "grouped"
    """grouped (folds, stratified by class, no group cut), hash (SHA-1 of the group), or a split published with the data by its
    name."""
    folds: int = 1
    """How many of the ten folds are test parts in turn; 1 is the single split."""
    seeds: int = 1
    """How many seeds (0, 1, ...), each with its own folds and initial weights."""
    sr: int = 22050
    """Sampling rate that audio is resampled to, Hz."""
    clip_s: float = 5.0
    """Seconds of each clip that the models see: longer clips are cut in their middle, shorter ones padded."""
    backend: Literal["jax", "nnaudio"] = "jax"
    """What computes the features; nnaudio has spectrogram, mel, log_mel, mfcc, cqt and log_cqt."""
    base_init: Literal["imagenet", "he"] = "imagenet"
    """Where the VGG19's convolutions start: imagenet (base_weights), or random ones (he)."""
    base_weights: Path = Path("checkpoints/vgg19_imagenet")
    """ImageNet weights: what 'mer-jax weights' wrote, or a file of Keras, NumPy or torchvision."""
    recurrent: RecurrentConfig = RecurrentConfig()
    """Of approach 1; its architecture is the cell's."""
    dense: DenseConfig = DenseConfig()
    vgg19: VGG19Config = VGG19Config(image_size=128, norm="batch")
    """Its dense layers are batch-normalised: without that, seven of them on random features stayed at guessing (EMOPIA)."""
    precision: Precision = "f32"
    """Of the network's products and values: f32, tf32 (a GPU's matrix units) or bf16 (docs/precision.md)."""
    augmentation: AugmentationConfig = AugmentationConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig(epochs=100, patience=15, monitor="accuracy")
    """The best epoch is that of the highest validation accuracy: by loss, networks that soon grow sure of themselves stop
    before they have learnt anything (EMOPIA, fold 0, seed 0, log-CQT pictures: validation accuracy .23 by loss, .57 so). Where
    numbers are predicted, accuracy stands for pearson_r, and for auc where tags are: means over all of them."""

    def __post_init__(self) -> None:
        cells.choose(self.cells)
        precision.check(self.precision)
        if not 1 <= self.folds <= FOLDS:
            raise checks.ConfigError("folds", f"is {self.folds}", expected=f"1 to {FOLDS}")
        if self.split != "grouped" and self.folds > 1:
            raise checks.ConfigError(
                "folds", f"is {self.folds}", expected=f"1: the split {self.split!r} has no folds"
            )
        if self.seeds < 1:
            raise checks.ConfigError("seeds", f"is {self.seeds}", expected="at least 1")
        if self.augmentation.on_waveforms:
            raise checks.ConfigError(
                "augmentation",
                "alters waveforms, but a study computes each feature once",
                expected="time_mask, frequency_mask or mixup",
                remedy="train single cells with 'mer-jax train' to alter waveforms",
            )
        known, monitor = self.measures, self.resolved().training.monitor
        if monitor not in known.monitors:
            raise checks.ConfigError(
                "training.monitor",
                f"is {monitor!r}, which {known.outputs} do not have",
                expected=f"one of {', '.join(known.monitors)}",
            )

    @property
    def measures(self) -> Measures:
        """The scores of what is predicted."""
        return measures.of_task(self.task)

    def resolved(self) -> "StudyConfig":
        """The same study with the score that decides which epoch is best named outright."""
        headline = self.measures.headline
        if self.training.monitor != "accuracy" or headline == "accuracy":
            return self
        monitor: Any = headline
        return dataclasses.replace(self, training=dataclasses.replace(self.training, monitor=monitor))

    @property
    def chosen(self) -> tuple[Cell, ...]:
        """The cells to run, in the table's order."""
        return cells.choose(self.cells)

    def of_cell(self, cell: Cell, *, fold: int = 0, seed: int = 0) -> ExperimentConfig:
        """The configuration of one cell on one split."""
        recurrent = self.recurrent
        if cell.architecture is not None:
            recurrent = dataclasses.replace(recurrent, architecture=cell.architecture)
        return ExperimentConfig(
            data=self.data,
            out=self.out / "cells" / cell.id / Split(seed, fold).folder,
            sr=self.sr,
            clip_s=self.clip_s,
            seed=seed,
            split=self.split,
            fold=fold,
            folds=FOLDS,
            backend=self.backend,
            task=self.task,
            frontend=FrontendConfig(cell.features, dict(cell.options)),
            network=cell.network,
            recurrent=recurrent,
            dense=self.dense,
            vgg19=self.vgg19,
            base_init=self.base_init,
            base_weights=self.base_weights,
            precision=self.precision,
            augmentation=self.augmentation,
            optimizer=self.optimizer,
            training=self.training,
        )


def quick(settings: StudyConfig) -> StudyConfig:
    """The same study at a fraction of its cost: some cells, small pictures, few epochs, random VGG19 weights if none are there.

    What was named on the command line instead of left at its default stays.
    """
    default = StudyConfig()
    small: dict[str, Any] = {
        "cells": cells.QUICK,
        "vgg19": VGG19Config(image_size=64, widths=(256, 128, 128, 64, 64, 32), norm="batch"),
        "training": TrainingConfig(epochs=30, patience=10, monitor="accuracy"),
        "base_init": settings.base_init if settings.base_weights.exists() else "he",
    }
    changed = {
        name: value for name, value in small.items() if getattr(settings, name) == getattr(default, name)
    }
    return dataclasses.replace(settings, **changed)

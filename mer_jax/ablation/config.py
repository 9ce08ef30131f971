"""What an ablation compares, as one frozen value."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mer_jax import checks, features
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data.splits import FOLDS
from mer_jax.evaluation.study_folder import Split
from mer_jax.models import precision
from mer_jax.models.dense import DenseConfig
from mer_jax.models.precision import Precision
from mer_jax.models.recurrent import RecurrentConfig
from mer_jax.models.vgg19 import VGG19Config
from mer_jax.training.loop import TrainingConfig
from mer_jax.training.optimizer import OptimizerConfig

ModelName = Literal["cnn", "cnn_bilstm", "vgg19"]


@dataclass(frozen=True)
class Member:
    """A front-end that takes part.

    Attributes:
        spec: as on the command line: ``name``, ``name:trainable`` (all that it can learn) or ``name:trainable=part,part``.
        name: of the front-end.
        trainable: "" for what the front-end does by itself, "true", or parts with commas between them.
    """

    spec: str
    name: str
    trainable: str

    @property
    def folder(self) -> str:
        """Name of its folder: the specification, with nothing that a file system could take amiss."""
        return re.sub(r"[^A-Za-z0-9_.]+", "-", self.spec)


@dataclass(frozen=True)
class AblationConfig:
    """Which front-ends, behind which network, on which data."""

    frontends: tuple[str, ...] = ("log_mel", "mfcc", "log_cqt")
    """The first is what the others are compared with. name, name:trainable, or name:trainable=part,part."""
    model: ModelName = "cnn"
    """cnn (1D convolution over the frames), cnn_bilstm or vgg19 (a picture)."""
    data: str = "synthetic"
    """"synthetic", a folder with one sub-folder a class, a manifest CSV (path,label,group), or a prepared data set."""
    out: Path = Path("runs/ablation")
    """Folder for the cells and the report; an ablation that was interrupted goes on where it stopped."""
    folds: int = 1
    """How many of the ten folds are test parts in turn; 1 is the single split."""
    seeds: int = 3
    """How many seeds (0, 1, ...): of initial weights and order of clips and, with fold_seeds, of the folds."""
    fold_seeds: bool = False
    """Draw the folds anew for each seed; without it all seeds share the folds of seed 0."""
    sr: int = 22050
    """Sampling rate that audio is resampled to, Hz."""
    clip_s: float = 5.0
    """Seconds of each clip that the models see."""
    options: dict[str, bool | int | float | str] | None = None
    """Keyword arguments of every front-end that has them, as pairs: --options hop_length 1024."""
    recurrent: RecurrentConfig = RecurrentConfig(pool="mean")
    """The architecture is the model's."""
    dense: DenseConfig = DenseConfig()
    vgg19: VGG19Config = VGG19Config(image_size=128, norm="batch")
    base_init: Literal["imagenet", "he"] = "imagenet"
    """Where the VGG19's convolutions start: imagenet (base_weights), or random ones (he)."""
    base_weights: Path = Path("checkpoints/vgg19_imagenet")
    """ImageNet weights: what 'mer-jax weights' wrote, or a file of Keras, NumPy or torchvision."""
    precision: Precision = "f32"
    """Of the network's products and values: f32, tf32 (a GPU's matrix units) or bf16 (docs/precision.md)."""
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig(epochs=60, patience=10, monitor="accuracy")

    def __post_init__(self) -> None:
        precision.check(self.precision)
        if not self.members:
            raise checks.ConfigError("frontends", "names none", expected="one or more")
        folders = [member.folder for member in self.members]
        if len(set(folders)) != len(folders):
            raise checks.ConfigError("frontends", "names one twice", expected="a different one each")
        if not 1 <= self.folds <= FOLDS:
            raise checks.ConfigError("folds", f"is {self.folds}", expected=f"1 to {FOLDS}")
        if self.seeds < 1:
            raise checks.ConfigError("seeds", f"is {self.seeds}", expected="at least 1")

    @property
    def members(self) -> tuple[Member, ...]:
        """The front-ends, parsed.

        Raises:
            mer_jax.checks.ConfigError: an unknown name, with the nearest known one, or a colon with something unknown.
        """
        return tuple(map(_parse, self.frontends))

    def of_cell(self, member: Member, *, fold: int, seed: int) -> ExperimentConfig:
        """The configuration of one front-end on one split."""
        options: dict[str, bool | int | float | str] = dict(self.options or {})
        if member.trainable:
            options["trainable"] = True if member.trainable == "true" else member.trainable
        return ExperimentConfig(
            data=self.data,
            out=self.out / "cells" / member.folder / Split(seed, fold).folder,
            sr=self.sr,
            clip_s=self.clip_s,
            seed=seed,
            fold=fold,
            folds=FOLDS,
            frontend=FrontendConfig(member.name, options),
            network="vgg19" if self.model == "vgg19" else "recurrent",
            recurrent=self.recurrent
            if self.model == "vgg19"
            else replace(self.recurrent, architecture=self.model),
            dense=self.dense,
            vgg19=self.vgg19,
            base_init=self.base_init,
            base_weights=self.base_weights,
            precision=self.precision,
            optimizer=self.optimizer,
            training=self.training,
        )


def _parse(spec: str) -> Member:
    name, colon, rest = spec.partition(":")
    with checks.as_config("frontends"):
        checks.one_of("name", name, features.NAMES)
    if not colon:
        return Member(spec, name, "")
    word, equals, parts = rest.partition("=")
    if word != "trainable" or (equals and not parts):
        raise checks.ConfigError(
            "frontends", f"has {spec!r}", expected=f"{name}, {name}:trainable or {name}:trainable=part,part"
        )
    return Member(spec, name, parts or "true")

"""One experiment as one frozen value: written to ``config.json``, read back, overridden field by field on the command line."""

import dataclasses
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints

from mer_jax import checks
from mer_jax.features.statistics import STATISTICS
from mer_jax.models import precision
from mer_jax.models.dense import DenseConfig
from mer_jax.models.precision import Precision
from mer_jax.models.recurrent import RecurrentConfig
from mer_jax.models.vgg19 import VGG19Config
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.loop import TrainingConfig
from mer_jax.training.optimizer import OptimizerConfig

Network = Literal["recurrent", "dense", "vgg19"]
TaskName = Literal["classes", "valence_arousal", "joint", "targets", "tags", "dynamic"]


@dataclasses.dataclass(frozen=True)
class FrontendConfig:
    """Which front-end, and its options."""

    name: str = "time_domain"
    """Features by name: time_domain, rms, log_mel, mfcc, log_cqt, chroma, ..., a learnable front-end: pcen, leaf,
    efficient_leaf, sincnet, td_filterbank, dstft, multi_resolution, or a numerical set: time, frequency, time_frequency,
    tonal, rhythm, extended, musical."""
    options: dict[str, bool | int | float | str] = dataclasses.field(default_factory=dict)
    """Keyword arguments of the front-end, as pairs: --frontend.options hop_length 256 n_mels 64 trainable window,mel."""
    statistics: tuple[str, ...] = STATISTICS
    """What a dense network sees of each feature over a clip: mean, std, min, max, median, skewness, kurtosis, slope."""
    colour_map: Literal["auto", "inferno", "coolwarm", "gray"] = "auto"
    """Of the picture that a VGG19 sees; auto is inferno for the linear spectrogram, coolwarm for the rest."""


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """Data, split, front-end, model, optimiser and training of one run."""

    data: str = "synthetic"
    """"synthetic", a folder with one sub-folder a class, a manifest CSV (path,label,group), or a prepared data set."""
    out: Path = Path("runs/experiment")
    """Run folder: results, checkpoints and report are written here."""
    sr: int = 22050
    """Sampling rate that audio is resampled to, Hz."""
    clip_s: float = 5.0
    """Seconds of each clip that the model sees: longer clips are cropped (at random in training), shorter ones padded."""
    seed: int = 0
    """Seeds split, initial weights, order, crops and dropout."""
    split: str = "grouped"
    """grouped (folds, stratified, no group cut), hash (SHA-1 of the group), or a split published with the data by its name."""
    fold: int = 0
    """Which fold of a grouped split is the test part."""
    folds: int = 10
    """Into how many grouped, stratified folds the data is cut."""
    backend: Literal["jax", "nnaudio"] = "jax"
    """What computes the features: jax (inside the model's program) or nnaudio (torch, handed over by DLPack)."""
    task: TaskName = "classes"
    """classes; valence_arousal; joint (both); targets (numbers: target_ columns of a manifest) or tags (the same, 0 or 1);
    dynamic (valence and arousal over time, where the data set has them; network recurrent)."""
    cache: Literal["auto", "off"] = "auto"
    """auto: features that no training changes are computed once, if every clip fits clip_s and they fit in memory."""
    start_from: Path | None = None
    """Run folder whose best weights training starts from: a learnable front-end goes on from a fixed one's."""
    frontend: FrontendConfig = FrontendConfig()
    network: Network = "recurrent"
    """recurrent (the frames of a clip), dense (statistics over its frames) or vgg19 (a picture of it)."""
    recurrent: RecurrentConfig = RecurrentConfig()
    dense: DenseConfig = DenseConfig()
    vgg19: VGG19Config = VGG19Config()
    base_init: Literal["imagenet", "he"] = "imagenet"
    """Where a VGG19's convolutions start: imagenet (base_weights), or random ones (he)."""
    base_weights: Path = Path("checkpoints/vgg19_imagenet")
    """ImageNet weights: what 'mer-jax weights' wrote, or a file of Keras, NumPy or torchvision."""
    precision: Precision = "f32"
    """Of the network's products and values: f32, tf32 (a GPU's matrix units) or bf16 (docs/precision.md)."""
    augmentation: AugmentationConfig = AugmentationConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        for name in ("sr", "clip_s"):
            value = getattr(self, name)
            if not value > 0:
                raise checks.ConfigError(name, f"is {value!r}", expected="a number above 0")
        if self.folds < 2:
            raise checks.ConfigError("folds", f"is {self.folds}", expected="at least 2")
        if not 0 <= self.fold < self.folds:
            raise checks.ConfigError("fold", f"is {self.fold}", expected=f"0 to {self.folds - 1}")
        if self.split != "grouped" and self.fold:
            raise checks.ConfigError(
                "fold", f"is {self.fold}", expected=f"0: the split {self.split!r} has no folds"
            )
        precision.check(self.precision)
        if self.task == "dynamic":
            self._check_dynamic()

    def _check_dynamic(self) -> None:
        """What ratings over time do not go with."""
        if self.network != "recurrent":
            raise checks.ConfigError(
                "network",
                f"is {self.network!r}, which gives one answer a clip, and the task dynamic asks for one a rating",
                expected="'recurrent'",
                remedy="use --network recurrent, or --task valence_arousal",
            )
        if self.augmentation.mixup:
            raise checks.ConfigError(
                "augmentation.mixup",
                f"is {self.augmentation.mixup:g}, and two clips are not rated at the same steps",
                expected="0 for the task dynamic",
                remedy="use gain, noise or masks",
            )

    @property
    def num_samples(self) -> int:
        """Samples of a clip as the model sees it."""
        return round(self.clip_s * self.sr)


def to_json(config: Any) -> str:
    """A configuration as indented JSON; paths become strings."""
    return json.dumps(dataclasses.asdict(config), indent=2, default=str) + "\n"


def from_json(text: str, *, where: object = "config.json", build: type = ExperimentConfig) -> Any:
    """Read back what :func:`to_json` wrote, as a ``build``.

    Raises:
        mer_jax.checks.ConfigError: not JSON, an unknown field (with the nearest known one), or a value out of range.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise checks.ConfigError(
            where, f"is not JSON ({error})", remedy="write it anew with 'mer-jax train'"
        ) from None
    return _build(build, values, where)


def _build(cls: Any, values: Mapping[str, Any], where: object) -> Any:
    """Build dataclass ``cls`` from nested mappings, naming fields that it does not have."""
    if not isinstance(values, Mapping):
        raise checks.ConfigError(where, f"holds {values!r}", expected=f"the fields of {cls.__name__}")
    hints = get_type_hints(cls)
    kwargs = {}
    for key, value in values.items():
        try:
            checks.one_of("field", key, hints)
        except checks.ArgumentError as error:
            raise checks.ConfigError(where, str(error)) from None
        kind = hints[key]
        if dataclasses.is_dataclass(kind):
            value = _build(kind, value, where)
        elif kind is Path or (kind == Path | None and value is not None):
            value = Path(value)
        elif isinstance(value, list):
            value = tuple(value)
        kwargs[key] = value
    return cls(**kwargs)


def load_python(path: str | Path) -> ExperimentConfig:
    """Run a Python configuration file and return the ``config`` it defines.

    Raises:
        mer_jax.checks.ConfigError: the file is missing, fails, or defines no ``config`` of type :class:`ExperimentConfig`.
    """
    path = Path(path)
    if not path.is_file():
        raise checks.ConfigError(
            path, "is not a file", expected="a Python file that defines config = ExperimentConfig(...)"
        )
    try:
        namespace = runpy.run_path(str(path))
    except checks.InputError:
        raise
    except Exception as error:
        raise checks.ConfigError(path, f"failed with {type(error).__name__}: {error}") from error
    config = namespace.get("config")
    if not isinstance(config, ExperimentConfig):
        raise checks.ConfigError(path, "defines no config", expected="config = ExperimentConfig(...)")
    return config

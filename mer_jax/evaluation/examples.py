"""One example of each feature for each class, as a file of a run (``examples.npz``).

The caller computes the features and writes them; the report draws them. Format, NumPy ``.npz`` without pickles:

==================== =========================================================================================
format               () integer, 1
clip_classes         (classes,) names of the classes that have an example
clip_ids             (classes,) the clip each example was computed from
features             (features,) names
f<i>_frame_rate_hz   () frames a second of feature i
f<i>_unit            () unit of its values, "" where it has none
f<i>_bin_label       () what its bins are, with unit; "" for a series
f<i>_bin_values      (bins,) numbers or names of the bins; absent for a series
f<i>_c<j>            (frames,) or (bins, frames) float32: feature i of class j; absent where there is none
==================== =========================================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_jax import checks
from mer_jax.evaluation.run_folder import read_arrays

FILE_NAME = "examples.npz"
_FORMAT = 1


@dataclass(frozen=True)
class FeatureExample:
    """One feature of one clip of each class.

    Attributes:
        values: class -> (frames,) series or (bins, frames) picture; the number of frames may differ between classes.
        frame_rate_hz: frames a second, so that the time axis is in seconds.
        unit: unit of the values, e.g. "dB"; "" where they have none.
        bin_label: name and unit of the bins, e.g. "Frequency (Hz)"; "" for a series.
        bin_values: (bins,) what each bin stands for: numbers (e.g. centre frequencies) or names (e.g. pitch classes);
            None for a series.
    """

    values: Mapping[str, np.ndarray]
    frame_rate_hz: float
    unit: str = ""
    bin_label: str = ""
    bin_values: np.ndarray | None = None

    @property
    def is_series(self) -> bool:
        """Whether the feature has one value a frame."""
        return self.bin_values is None


@dataclass(frozen=True)
class Examples:
    """The features of a run's example clips.

    Attributes:
        features: feature name -> its values for each class.
        clip_ids: class -> the clip that was used.
    """

    features: Mapping[str, FeatureExample]
    clip_ids: Mapping[str, str]


def write(
    run_dir: Path | str, features: Mapping[str, FeatureExample], *, clip_ids: Mapping[str, str]
) -> Path:
    """Write ``examples.npz`` into a run folder.

    Args:
        run_dir: the run folder.
        features: feature name -> its values for each class, in the order they should be shown.
        clip_ids: class -> the clip its examples were computed from, so that a picture can be traced.

    Raises:
        DataError: values of the wrong rank or size, or not finite; a class without a clip id.
    """
    from mer_jax.data.atomic import atomic_path

    target = Path(run_dir) / FILE_NAME
    classes = list(clip_ids)
    arrays: dict[str, np.ndarray] = {
        "format": np.array(_FORMAT),
        "clip_classes": np.array(classes, dtype=np.str_),
        "clip_ids": np.array(list(clip_ids.values()), dtype=np.str_),
        "features": np.array(list(features), dtype=np.str_),
    }
    for i, (name, example) in enumerate(features.items()):
        _check(target, name, example, classes)
        arrays[f"f{i}_frame_rate_hz"] = np.array(float(example.frame_rate_hz))
        arrays[f"f{i}_unit"] = np.array(example.unit, dtype=np.str_)
        arrays[f"f{i}_bin_label"] = np.array(example.bin_label, dtype=np.str_)
        if example.bin_values is not None:
            arrays[f"f{i}_bin_values"] = np.asarray(example.bin_values)
        for j, label in enumerate(classes):
            if label in example.values:
                arrays[f"f{i}_c{j}"] = np.asarray(example.values[label], dtype=np.float32)
    with atomic_path(target) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return target


def read(run_dir: Path | str) -> Examples | None:
    """Read ``examples.npz`` of a run folder; None where the run has none.

    Raises:
        DataError: the file cannot be read, lacks an entry, or holds values that do not fit.
    """
    source = Path(run_dir) / FILE_NAME
    if not source.exists():
        return None
    arrays = read_arrays(source, required=("format", "clip_classes", "clip_ids", "features"))
    if arrays["format"].tolist() != _FORMAT:
        raise checks.DataError(source, f"has format {arrays['format']}", expected=str(_FORMAT))
    classes = [str(label) for label in arrays["clip_classes"]]
    features = {}
    for i, name in enumerate(arrays["features"]):
        features[str(name)] = example = _example(source, arrays, i, classes)
        _check(source, str(name), example, classes)
    ids = [str(clip) for clip in arrays["clip_ids"]]
    if len(ids) != len(classes):
        raise checks.DataError(source, f"has {len(ids)} clip ids for {len(classes)} classes")
    return Examples(features=features, clip_ids=dict(zip(classes, ids, strict=True)))


def _example(source: Path, arrays: Mapping[str, np.ndarray], i: int, classes: list[str]) -> FeatureExample:
    for key in (f"f{i}_frame_rate_hz", f"f{i}_unit", f"f{i}_bin_label"):
        if key not in arrays:
            raise checks.DataError(source, f"has no {key}", remedy="write it with report.write_examples")
    return FeatureExample(
        values={label: arrays[f"f{i}_c{j}"] for j, label in enumerate(classes) if f"f{i}_c{j}" in arrays},
        frame_rate_hz=float(arrays[f"f{i}_frame_rate_hz"]),
        unit=str(arrays[f"f{i}_unit"]),
        bin_label=str(arrays[f"f{i}_bin_label"]),
        bin_values=arrays.get(f"f{i}_bin_values"),
    )


def _check(where: Path, name: str, example: FeatureExample, classes: list[str]) -> None:
    if not np.isfinite(example.frame_rate_hz) or example.frame_rate_hz <= 0:
        raise checks.DataError(
            where, f"feature {name!r} has a frame rate of {example.frame_rate_hz} Hz", expected="above 0"
        )
    if not example.values:
        raise checks.DataError(where, f"feature {name!r} has no example", expected="one class or more")
    for label, values in example.values.items():
        if label not in classes:
            raise checks.DataError(where, f"feature {name!r} has class {label!r}, which has no clip id")
        shape = np.shape(values)
        bins = None if example.bin_values is None else len(example.bin_values)
        wanted = "(frames,)" if bins is None else f"({bins}, frames)"
        if len(shape) != (1 if bins is None else 2) or 0 in shape or (bins is not None and shape[0] != bins):
            raise checks.DataError(
                where, f"feature {name!r} of class {label!r} has shape {shape}", expected=wanted
            )
        if not np.isfinite(values).all():
            raise checks.DataError(
                where, f"feature {name!r} of class {label!r} is not finite", remedy="clip it before writing"
            )

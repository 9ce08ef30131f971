"""A finished run, read from its folder and checked, for whatever reports on it."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.evaluation import scores
from mer_jax.evaluation.bootstrap import Predictions

# scores.json and predictions.npz must be of the same model; float32 sums differ by far less than one clip in 10,000.
SAME_SCORE = 5e-5


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run leaves whatever it was trained for.

    Attributes:
        path: the run folder.
        config: the resolved configuration (``config.json``).
        facts: what was run on what (``facts.json``).
        epochs: one record an epoch, in order (``metrics.jsonl``).
        scores: part ("validation", "test") -> scores (``scores.json``).
        groups: (clips,) song or artist of each clip of the test part.
        synthetic: whether the data was composed by this project.
    """

    path: Path
    config: Mapping[str, Any]
    facts: Mapping[str, Any]
    epochs: tuple[Mapping[str, Any], ...]
    scores: Mapping[str, Any]
    groups: np.ndarray
    synthetic: bool

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.path.resolve().name

    @property
    def best_epoch(self) -> tuple[int, str]:
        """The epoch whose weights were kept, and how that is known.

        ``best_epoch`` of ``facts.json`` where the training wrote it, otherwise the epoch of the lowest validation loss.
        """
        if isinstance(self.facts.get("best_epoch"), int):
            return self.facts["best_epoch"], "kept by the training"
        losses = self.curve("validation", "loss")
        if np.isnan(losses).all():
            return int(self.epochs[-1]["epoch"]), "the last: no validation loss was recorded"
        return int(self.epochs[int(np.nanargmin(losses))]["epoch"]), "lowest validation loss"

    def curve(self, part: str, metric: str) -> np.ndarray:
        """(epochs,) one metric of one part by epoch; NaN where it was not recorded."""
        return curve(self.epochs, part, metric)


@dataclass(frozen=True, kw_only=True)
class Run(RunRecord):
    """A run that tells classes apart.

    Attributes:
        classes: names of the classes.
        labels: (clips,) true class of each clip of the test part.
        probabilities: (clips, classes) of the test part.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def predictions(self) -> Predictions:
        """What the model said about the test part."""
        return Predictions(self.labels, self.probabilities, self.groups)


@dataclass(frozen=True, kw_only=True)
class TargetRun(RunRecord):
    """A run that predicts numbers or tags.

    Attributes:
        task: "valence_arousal", "targets", "tags" or "dynamic".
        names: of the targets.
        targets: (clips, targets) true values of the test part.
        predictions: (clips, targets).
    """

    task: str
    names: tuple[str, ...]
    targets: np.ndarray
    predictions: np.ndarray


@dataclass(frozen=True, kw_only=True)
class DynamicRun(TargetRun):
    """A run that predicts ratings over time: a row of ``targets``, ``predictions`` and ``groups`` is one rating.

    Attributes:
        songs: (ratings,) id of the song.
        clips: (ratings,) its row in the data set.
        times_s: (ratings,) seconds from the start of the song.
    """

    songs: np.ndarray
    clips: np.ndarray
    times_s: np.ndarray


def curve(epochs: Sequence[Mapping[str, Any]], part: str, metric: str) -> np.ndarray:
    """(epochs,) one metric of one part by epoch; NaN where it was not recorded."""
    values = [(record.get(part) or {}).get(metric) for record in epochs]
    return np.array([np.nan if value is None else float(value) for value in values])


def read(run_dir: Path | str) -> Run | TargetRun:
    """Read a run folder.

    Raises:
        DataError: the folder, a file or an entry is missing or damaged, or the files are not of one run; names which.
    """
    path = Path(run_dir)
    if not path.is_dir():
        raise checks.DataError(path, "is not a folder", expected="a run folder written by training")
    facts = read_object(path / "facts.json", required=("data",))
    check_data(path / "facts.json", facts["data"])
    common: dict[str, Any] = {
        "path": path,
        "config": read_object(path / "config.json"),
        "facts": facts,
        "epochs": read_epochs(path / "metrics.jsonl"),
        "scores": read_object(path / "scores.json", required=("test",)),
        "synthetic": yes_or_no(path / "facts.json", facts["data"]["synthetic"]),
    }
    task = (facts.get("task") or {}).get("name", "classes")
    return _read_classes(common) if task in ("classes", "joint") else _read_targets(common, task)


def _read_classes(common: dict[str, Any]) -> Run:
    path: Path = common["path"]
    source = path / "predictions.npz"
    arrays = read_arrays(source, required=("groups", "labels", "probabilities", "classes"))
    run = Run(
        **common,
        groups=arrays["groups"],
        classes=tuple(str(name) for name in arrays["classes"]),
        labels=arrays["labels"],
        probabilities=arrays["probabilities"],
    )
    check_classes(source, run.classes, path / "facts.json", run.facts["data"]["classes"])
    check_scores(path / "scores.json", run.scores["test"], source, run.predictions, run.classes)
    return run


def _read_targets(common: dict[str, Any], task: str) -> TargetRun:
    source = common["path"] / "predictions.npz"
    over_time = ("songs", "clips", "times_s") if task == "dynamic" else ()
    arrays = read_arrays(source, required=("groups", "targets", "predictions", "names", *over_time))
    for name in over_time:
        if arrays[name].shape != arrays["groups"].shape:
            raise checks.DataError(
                source,
                f"holds {name} of shape {arrays[name].shape}",
                expected=f"{arrays['groups'].shape}, as its groups",
            )
    columns: dict[str, Any] = {name: arrays[name] for name in over_time}
    build: type[TargetRun] = DynamicRun if over_time else TargetRun
    run = build(
        **common,
        **columns,
        groups=arrays["groups"],
        task=task,
        names=tuple(str(name) for name in arrays["names"]),
        targets=arrays["targets"],
        predictions=arrays["predictions"],
    )
    shape = (len(run.groups), len(run.names))
    if run.targets.shape != shape or run.predictions.shape != shape:
        raise checks.DataError(
            source,
            f"holds targets of shape {run.targets.shape}",
            expected=f"{shape}, as its groups and names",
        )
    if "per_target" not in run.scores["test"]:
        raise checks.DataError(common["path"] / "scores.json", "has no test.per_target")
    return run


def read_arrays(path: Path, *, required: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read an ``.npz`` file whole, without pickles.

    Raises:
        DataError: the file is missing or damaged, holds Python objects, or lacks a required array.
    """
    try:
        # Opened here: np.load leaves a file it cannot read open.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise _missing(path) from None
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        KeyError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise checks.DataError(
            path, f"cannot be read ({error})", expected="a NumPy .npz file without pickles"
        ) from error
    for key in required:
        if key not in arrays:
            raise checks.DataError(path, f"has no array {key!r}")
    return arrays


def _missing(path: Path) -> checks.DataError:
    return checks.DataError(path, "is missing", remedy="run the training to its end, or point at another run")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise checks.DataError(path, f"cannot be read ({error})") from error


def read_object(path: Path, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        DataError: the file is missing or no JSON, holds something else, or lacks a required entry.
    """
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise checks.DataError(path, f"is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise checks.DataError(path, f"holds a {type(content).__name__}", expected="a JSON object")
    for key in required:
        if key not in content:
            raise checks.DataError(path, f"has no entry {key!r}")
    return content


def read_epochs(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Read ``metrics.jsonl``: one record an epoch, in order.

    Raises:
        DataError: the file is missing, a line is no record of an epoch, there is none, or they are out of order.
    """
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise checks.DataError(f"{path} line {number}", f"is not JSON ({error})") from error
        if not isinstance(record, dict) or not isinstance(record.get("epoch"), int):
            raise checks.DataError(f"{path} line {number}", "has no integer 'epoch'")
        if records and record["epoch"] <= records[-1]["epoch"]:
            raise checks.DataError(
                f"{path} line {number}",
                f"has epoch {record['epoch']} after {records[-1]['epoch']}",
                expected="epochs in rising order",
                remedy="the file mixes two runs",
            )
        records.append(record)
    if not records:
        raise checks.DataError(path, "holds no epoch", expected="one line an epoch")
    return tuple(records)


def yes_or_no(path: Path, value: object) -> bool:
    """Whether data is synthetic must be said outright: a report must never pass invented data off as real."""
    answers: dict[object, bool] = {True: True, False: False, "yes": True, "no": False}
    if not isinstance(value, (bool, str)) or value not in answers:
        raise checks.DataError(path, f"has data.synthetic {value!r}", expected="true, false, 'yes' or 'no'")
    return answers[value]


def check_data(path: Path, data: object) -> None:
    """Raise :class:`DataError` about ``path`` unless ``data`` says what a report needs to know of a data set."""
    for key in ("name", "synthetic", "classes", "counts"):
        if not isinstance(data, Mapping) or key not in data:
            raise checks.DataError(path, f"has no data.{key}")
    counts = data["counts"]  # type: ignore[index]
    if (
        not isinstance(counts, Mapping)
        or not counts
        or not all(isinstance(c, Mapping) for c in counts.values())
    ):
        raise checks.DataError(path, "has no data.counts", expected="split -> class -> clips")


def check_classes(source: Path, found: Sequence[str], facts: Path, recorded: Sequence[str]) -> None:
    """Raise :class:`DataError` about ``source`` unless its classes are those that ``facts`` records, in that order."""
    if tuple(recorded) != tuple(found):
        raise checks.DataError(
            source, f"has classes {list(found)}", expected=f"{list(recorded)} as in {facts.name}"
        )


def check_scores(
    path: Path, test: Mapping[str, Any], source: Path, predictions: Predictions, classes: Sequence[str]
) -> None:
    """Raise :class:`DataError` unless scores of the test part are complete and of the predictions that lie beside them.

    Args:
        path: where the scores come from, for the message.
        test: scores of the test part.
        source: where the predictions come from, for the message.
        predictions: of the test part.
        classes: names of the classes.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    scores.check(source, labels, probabilities, classes)
    if predictions.groups.shape != labels.shape:
        raise checks.DataError(source, f"has {len(predictions.groups)} groups for {len(labels)} labels")
    for key in ("accuracy", "macro_f1", "mcc", "auc", "brier", "ece", "loss", "per_class", "confusion"):
        if key not in test:
            raise checks.DataError(path, f"has no test.{key}")
    if set(test["per_class"]) != set(classes):
        raise checks.DataError(
            path, f"has test.per_class of {sorted(test['per_class'])}", expected="every class"
        )
    accuracy = float(np.mean(probabilities.argmax(axis=1) == labels))
    if abs(test["accuracy"] - accuracy) > SAME_SCORE or np.sum(test["confusion"]) != len(labels):
        raise checks.DataError(
            path,
            f"has accuracy {test['accuracy']:.4f}, but {source.name} gives {accuracy:.4f}",
            remedy="evaluate the run again: the two files are of different models",
        )

"""A study, finished or not, read from its folder and checked: cells (features and network) by splits (fold and seed).

``study.json`` says what the study is; ``cells/<cell>/fold<k>_seed<s>/`` holds ``result.json``, ``metrics.jsonl`` and
``predictions.npz`` of one split. A split counts as done when its ``result.json`` is there, so whoever runs a cell writes that
file last.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.evaluation import measures, run_folder
from mer_jax.evaluation.measures import AnyPredictions, Measures

FILE_NAME = "study.json"
TASKS = ("classes", "valence_arousal", "targets", "tags")
"""What a study can be about."""

#: Name of each of the study's three approaches.
APPROACHES = {1: "Time series", 2: "Time + frequency", 3: "Pictures"}

_CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_RESULT = ("cell", "fold", "seed", "scores", "num_parameters", "num_trainable", "feature_s", "train_s")


@dataclass(frozen=True, order=True)
class Split:
    """One way to part the data: a fold of one seed."""

    seed: int
    fold: int

    @property
    def folder(self) -> str:
        """Name of its folder in that of a cell."""
        return f"fold{self.fold}_seed{self.seed}"


@dataclass(frozen=True)
class CellRun:
    """One cell on one split.

    Attributes:
        facts: ``result.json`` without its scores.
        scores: part ("validation", "test") -> scores.
        epochs: one record an epoch, in order.
        ids: (clips,) clips of the test part, sorted.
        predictions: of the test part, in the order of ``ids``.
        num_train: clips that the cell was trained on.
        num_validation: clips of the validation part.
    """

    facts: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    epochs: tuple[Mapping[str, Any], ...]
    ids: np.ndarray
    predictions: AnyPredictions
    num_train: int
    num_validation: int

    def curve(self, part: str, metric: str) -> np.ndarray:
        """(epochs,) one metric of one part by epoch; NaN where it was not recorded."""
        return run_folder.curve(self.epochs, part, metric)


@dataclass(frozen=True)
class Cell:
    """A row of the study's table.

    Attributes:
        id: name of its folder.
        approach: 1 time series, 2 time + frequency, 3 time-frequency pictures.
        title: name in tables and pictures.
        features: what goes into the network.
        network: which network.
        runs: what is done.
    """

    id: str
    approach: int
    title: str
    features: str
    network: str
    runs: Mapping[Split, CellRun] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        path: its folder.
        facts: ``study.json`` without its cells.
        names: of the classes, numbers or tags that are predicted.
        synthetic: whether the data was composed by this project.
        splits: all that are to be run, by seed and fold.
        cells: rows of the table, in order.
        measures: how predictions are scored.
    """

    path: Path
    facts: Mapping[str, Any]
    names: tuple[str, ...]
    synthetic: bool
    splits: tuple[Split, ...]
    cells: tuple[Cell, ...]
    measures: Measures = measures.CLASSES

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in order."""
        return tuple(dict.fromkeys(split.seed for split in self.splits))

    @property
    def data_name(self) -> str:
        """Name of the data set."""
        return str(self.facts["data"]["name"])

    def is_complete(self, cell: Cell) -> bool:
        """Whether the cell is done on every split."""
        return all(split in cell.runs for split in self.splits)


def read(out: Path | str) -> Study:
    """Read a study folder.

    Raises:
        DataError: the folder, a file or an entry is missing or damaged, or cells were not run on the same clips; names which.
    """
    path = Path(out)
    source = path / FILE_NAME
    if not source.is_file():
        raise checks.DataError(
            path,
            f"holds no {FILE_NAME}",
            expected="a study folder",
            remedy="run 'mer-jax study' into it first",
        )
    required = ("settings", "data", "folds", "seeds", "versions", "hardware", "notes", "cells")
    facts = run_folder.read_object(source, required=required)
    run_folder.check_data(source, facts["data"])
    if not isinstance(facts["data"].get("num_clips"), int):
        raise checks.DataError(source, "has no data.num_clips", expected="the number of clips")
    found_task = facts.get("task", "classes")  # of studies from before there were others
    if found_task not in TASKS:
        raise checks.DataError(source, f"has task {found_task!r}", expected=", ".join(TASKS))
    of_task = measures.of_task(found_task)
    names = _names(source, facts["data"], "classes" if of_task is measures.CLASSES else "targets")
    folds, seeds = (_numbers(source, key, facts[key]) for key in ("folds", "seeds"))
    splits = tuple(sorted(Split(seed, fold) for seed in seeds for fold in folds))
    cells = _cells(source, facts.pop("cells"))
    num_clips = facts["data"]["num_clips"]
    found = tuple(
        _with_runs(path / "cells" / cell.id, cell, splits, names, num_clips, of_task) for cell in cells
    )
    _check_same_clips(path, splits, found)
    return Study(
        path=path,
        facts=facts,
        names=names,
        synthetic=run_folder.yes_or_no(source, facts["data"]["synthetic"]),
        splits=splits,
        cells=found,
        measures=of_task,
    )


def _names(source: Path, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Names of what is predicted."""
    names = data.get(key)
    if not isinstance(names, list) or not names:
        raise checks.DataError(source, f"has no data.{key}", expected="the names of what is predicted")
    return tuple(str(name) for name in names)


def _numbers(source: Path, key: str, values: object) -> list[int]:
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, int) for value in values)
        or len(set(values)) != len(values)
    ):
        raise checks.DataError(source, f"has {key} {values!r}", expected="one or more different integers")
    return values


def _cells(source: Path, entries: object) -> list[Cell]:
    if not isinstance(entries, list) or not entries:
        raise checks.DataError(source, "names no cells", expected="a list of one or more")
    cells = []
    for number, entry in enumerate(entries):
        where = f"{source} cells[{number}]"
        for key in ("id", "approach", "title", "features", "network"):
            if not isinstance(entry, Mapping) or key not in entry:
                raise checks.DataError(where, f"has no {key!r}")
        # The id becomes part of a path.
        if not isinstance(entry["id"], str) or not _CELL_ID.fullmatch(entry["id"]):
            raise checks.DataError(where, f"has id {entry['id']!r}", expected="letters, digits and . _ + -")
        if entry["approach"] not in APPROACHES:
            raise checks.DataError(where, f"has approach {entry['approach']!r}", expected="1, 2 or 3")
        title, features, network = (str(entry[key]) for key in ("title", "features", "network"))
        cells.append(Cell(entry["id"], entry["approach"], title, features, network))
    ids = [cell.id for cell in cells]
    if len(set(ids)) != len(ids):
        raise checks.DataError(source, "names a cell twice", expected="a different id for each")
    return _distinct(cells)


def _distinct(cells: list[Cell]) -> list[Cell]:
    """Cells with titles of their own: one that several share gets the network, or else the id."""
    for key in ("network", "id"):
        times = Counter(cell.title for cell in cells)
        cells = [
            replace(cell, title=f"{cell.title}: {getattr(cell, key)}") if times[cell.title] > 1 else cell
            for cell in cells
        ]
    return cells


def _with_runs(
    folder: Path,
    cell: Cell,
    splits: tuple[Split, ...],
    names: tuple[str, ...],
    num_clips: int,
    of_task: Measures,
) -> Cell:
    runs = {}
    for split in splits:
        if (folder / split.folder / "result.json").exists():
            with _remedy(folder / split.folder):
                runs[split] = _run(folder / split.folder, cell, split, names, num_clips, of_task)
    return replace(cell, runs=runs)


def _run(
    folder: Path, cell: Cell, split: Split, names: tuple[str, ...], num_clips: int, of_task: Measures
) -> CellRun:
    source, predictions = folder / "result.json", folder / "predictions.npz"
    facts = run_folder.read_object(source, required=_RESULT)
    found = (facts["cell"], facts["fold"], facts["seed"])
    if found != (cell.id, split.fold, split.seed):
        raise checks.DataError(source, f"is of {found}", expected=f"{(cell.id, split.fold, split.seed)}")
    for key in _RESULT[4:]:
        if isinstance(facts[key], bool) or not isinstance(facts[key], (int, float)) or not facts[key] >= 0:
            raise checks.DataError(source, f"has {key} {facts[key]!r}", expected="a number of at least 0")
    parts = facts.pop("scores")
    for part in ("validation", "test"):
        if not isinstance(parts, Mapping) or not isinstance(parts.get(part), Mapping):
            raise checks.DataError(source, f"has no scores.{part}")
        for key, value in parts[part].items():
            if isinstance(value, float) and not np.isfinite(value):
                raise checks.DataError(
                    source, f"has scores.{part}.{key} {value}", expected="a number or null"
                )
    for key in (of_task.headline, of_task.tie_break):  # what cells are chosen by; null where it is undefined
        if not isinstance(parts["validation"].get(key, ""), (int, float, type(None))):
            raise checks.DataError(source, f"has no scores.validation.{key}")
    truth, outputs, named = of_task.arrays
    held_out = f"validation_{truth}"
    arrays = run_folder.read_arrays(predictions, required=("ids", "groups", truth, outputs, named, held_out))
    recorded = tuple(str(name) for name in arrays[named])
    run_folder.check_classes(predictions, recorded, folder.parents[2] / FILE_NAME, names)
    unsorted = of_task.predictions(arrays)
    of_task.check(source, parts["test"], predictions, unsorted, names)
    ids, order = np.unique(arrays["ids"], return_index=True)
    if arrays["ids"].shape != unsorted.truth.shape[:1] or len(ids) != len(unsorted.truth):
        raise checks.DataError(predictions, "has clips without an id of their own")
    # Studies from before it was recorded had no split that leaves clips out.
    num_train = facts.get("num_train", num_clips - len(ids) - len(arrays[held_out]))
    if num_train < 1:
        raise checks.DataError(
            predictions, f"leaves {num_train} of {num_clips} clips to train on", expected="one or more"
        )
    return CellRun(
        facts=facts,
        scores=parts,
        epochs=run_folder.read_epochs(folder / "metrics.jsonl"),
        ids=ids,
        predictions=measures.take(unsorted, order),
        num_train=num_train,
        num_validation=len(arrays[held_out]),
    )


@contextmanager
def _remedy(folder: Path) -> Iterator[None]:
    """Tell a reader of a study what to do about a damaged split."""
    try:
        yield
    except checks.DataError as error:
        remedy = f"delete {folder} and run the study again: it runs what is missing"
        raise checks.DataError(error.where, error.problem, expected=error.expected, remedy=remedy) from None


def _check_same_clips(path: Path, splits: tuple[Split, ...], cells: tuple[Cell, ...]) -> None:
    """Cells can be compared when they were run on the same clips; a clip is in one test part of a seed at most."""
    seen: dict[int, set[str]] = {}
    for split in splits:
        done = [cell for cell in cells if split in cell.runs]
        for cell in done[1:]:
            first, other = done[0].runs[split], cell.runs[split]
            if not all(
                np.array_equal(a, b)
                for a, b in (
                    (first.ids, other.ids),
                    (first.predictions.truth, other.predictions.truth),
                    (first.predictions.groups, other.predictions.groups),
                )
            ):
                raise checks.DataError(
                    path / "cells" / cell.id / split.folder,
                    f"was not run on the clips, labels and groups of cell {done[0].id!r}",
                    remedy="run the study into a new folder: the data set or its split has changed",
                )
        if done:
            ids = set(done[0].runs[split].ids.tolist())
            if ids & seen.setdefault(split.seed, set()):
                raise checks.DataError(
                    path / "cells" / done[0].id / split.folder,
                    "tests clips that another fold of its seed tests",
                )
            seen[split.seed] |= ids

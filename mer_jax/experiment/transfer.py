"""Training on all data sets but one and testing on that one, for each in turn: does what was learnt hold for other music?"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mer_jax import checks, config
from mer_jax.config import ExperimentConfig
from mer_jax.data import joined, loading
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import transfer_scores
from mer_jax.experiment import folder, running

FOLDER = "leave_one_out"
"""Below a run folder, of its configuration trained so."""
TASKS = ("classes", "valence_arousal", "dynamic")
_JOINED = "joined.json"


def leave_one_out(
    run: str | Path,
    specs: Sequence[str],
    *,
    quadrants: bool = False,
    within: bool = False,
    progress: bool = True,
) -> Path:
    """Train the configuration of a run on all data sets but one and test it on that one, for each in turn.

    The validation part is the first fold of ``StratifiedGroupKFold(8)`` of what is trained on; sampling rate, clip length and
    everything else are the run's. What is finished is kept: the same call after an interruption goes on where it stopped.

    Args:
        run: a run folder, whose ``config.json`` is taken.
        specs: two data sets or more, as ``--data`` takes them, or NAME=DATA to call one by another name.
        quadrants: classes are the quadrants of valence and arousal.
        within: also train and test within each set, on its grouped split, for comparison.
        progress: show progress.

    Returns:
        A folder below the run: a run folder for each round, and ``leave_one_out.json`` with the scores
        (:mod:`mer_jax.evaluation.transfer_scores`).

    Raises:
        mer_jax.checks.InputError: the run or a data set cannot be used, or their classes differ.
    """
    path = Path(run) / "config.json"
    if not path.is_file():
        raise checks.CheckpointError(
            run, "has no config.json", expected="a run folder written by mer-jax train"
        )
    settings = config.from_json(path.read_text(encoding="utf-8"), where=path)
    if settings.task not in TASKS:
        raise checks.ConfigError(
            "task", f"is {settings.task!r}", expected=f"one of {', '.join(TASKS)} to leave data sets out"
        )
    sets, catalogs = _open(specs, settings.sr)
    # Checked before anything is written; numbers need no classes.
    classes: joined.Classes = "quadrants" if quadrants else "named" if settings.task == "classes" else "none"
    whole = joined.join(catalogs, classes=classes)
    out = Path(run) / FOLDER / "+".join([*sets, *(["quadrants"] if quadrants else [])])
    _claim(out / _JOINED, sets, classes)

    rounds: dict[str, dict[str, Path]] = {name: {} for name in sets}
    kept: running.Kept = {}
    for number, name in enumerate(sets, 1):
        rounds[name]["without"] = out / joined.without(name)
        _finish(_of_round(settings, out, name), kept)
        if progress:
            print(f"{number} of {len(sets)}: tested on {name}, which training left out", flush=True)
    for name, place in sets.items() if within else ():
        rounds[name]["within"] = out / f"within_{name}"
        joined.write(out / f"within_{name}.json", {name: place}, classes=classes)
        _finish(_of_one(settings, out, name), {})
        if progress:
            print(f"{name}: trained and tested within it", flush=True)
    found = transfer_scores.summarise(rounds, folder=out, rating_ranges=_scales(catalogs, settings))
    known = {
        "data": sets,
        "task": settings.task,
        "classes": list(whole.classes) if settings.task == "classes" else [],
    }
    folder.write_json(out / transfer_scores.FILE_NAME, known | found)
    return out


def _open(specs: Sequence[str], sr: int) -> tuple[dict[str, str], dict[str, Catalog]]:
    """The data sets by name: where each is, and its catalog."""
    if len(specs) < 2:
        raise checks.ConfigError(
            "leave_one_out",
            f"names {len(specs)} data set",
            expected="at least two, of which each is left out once",
        )
    places: dict[str, str] = {}
    catalogs: dict[str, Catalog] = {}
    for spec in specs:
        name, place = _named(spec)
        opened = loading.open_catalog(place, sr=sr, read_headers=True)
        name = name or re.sub(r"[^\w.-]+", "_", opened.name)
        if name in places:
            raise checks.DataError(
                place,
                f"is called {name!r}, as {places[name]} is",
                expected="a different name for each data set",
                remedy=f"call one of them otherwise: NAME={place}",
            )
        if Path(place).resolve() in [Path(other).resolve() for other in places.values()]:
            raise checks.DataError(place, "is named twice", expected="different data sets")
        places[name], catalogs[name] = place, opened
    return places, catalogs


def _named(spec: str) -> tuple[str, str]:
    """NAME=DATA as its parts; the name is empty where there is none, or where the whole is a path."""
    match = re.fullmatch(r"([\w.-]+)=(.+)", spec)
    return (match[1], match[2]) if match and not Path(spec).exists() else ("", spec)


def _claim(path: Path, sets: Mapping[str, str], classes: joined.Classes) -> None:
    """Write down what is joined, unless it is written already."""
    if path.exists():
        if joined.read(path) != (dict(sets), classes):
            raise checks.ConfigError(
                path,
                "is of data sets of the same names in other places",
                expected=", ".join(sets.values()),
                remedy="remove its folder, or call the data sets otherwise: NAME=DATA",
            )
        return
    joined.write(path, sets, classes=classes)


def _of_round(settings: ExperimentConfig, out: Path, name: str) -> ExperimentConfig:
    split = joined.without(name)
    return dataclasses.replace(settings, data=str(out / _JOINED), split=split, fold=0, out=out / split)


def _of_one(settings: ExperimentConfig, out: Path, name: str) -> ExperimentConfig:
    place = out / f"within_{name}"
    fold = settings.fold if settings.split == "grouped" else 0
    return dataclasses.replace(
        settings, data=f"{place}{joined.SUFFIX}", split="grouped", fold=fold, out=place
    )


def _finish(settings: ExperimentConfig, kept: running.Kept) -> None:
    """Run one round, or the rest of it, unless it is done: its report is written last."""
    if not (settings.out / "report.html").is_file():
        resume = (settings.out / "config.json").is_file()
        running.run(settings, resume=resume, progress=False, kept=kept)


def _scales(
    catalogs: Mapping[str, Catalog], settings: ExperimentConfig
) -> dict[str, tuple[float, float] | None]:
    """The scale that the listeners of each set rated on; None where it is [-1, 1], or where nothing is rated."""
    if settings.task == "classes":
        return dict.fromkeys(catalogs)
    if settings.task == "valence_arousal":
        return {name: part.rating_range for name, part in catalogs.items()}
    return {
        name: None if part.dynamic is None else part.dynamic.rating_range for name, part in catalogs.items()
    }


def describe(out: Path) -> str:
    """The scores of :func:`leave_one_out` as text."""
    found = json.loads((out / transfer_scores.FILE_NAME).read_text(encoding="utf-8"))
    return "\n".join([*transfer_scores.table(found), f"scores, reports of each round: {out}"])

"""What an interrupted sweep goes on from: one file, written after each rung, with all candidates that go on."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.data.atomic import write_arrays
from mer_jax.training.candidate import Candidate

FILE_NAME = "survivors.npz"

Snapshot = tuple[list[np.ndarray], dict[str, Any]]


@dataclass
class State:
    """A sweep after some of its rungs.

    Attributes:
        started: when it began, UTC.
        trials: what ``sweep.json`` holds of each candidate, by its number.
        rungs: likewise of each finished rung.
        seconds: spent so far.
        survivors: by number; what :meth:`.candidate.Candidate.restore` takes. Only of a state that was read.
    """

    started: str
    trials: list[dict[str, Any]]
    rungs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    survivors: dict[int, Snapshot] = field(default_factory=dict)


def write(out: Path, state: State, candidates: Mapping[int, Candidate]) -> None:
    """Write the state and these candidates; whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    records = {}
    for number, candidate in candidates.items():
        leaves, records[number] = candidate.snapshot()
        arrays |= {f"{number}/{k}": leaf for k, leaf in enumerate(leaves)}
    record = {
        "started": state.started,
        "trials": state.trials,
        "rungs": state.rungs,
        "seconds": state.seconds,
        "candidates": records,
    }
    write_arrays(out / FILE_NAME, arrays | {"record": np.array(json.dumps(record))})


def read(out: Path) -> State | None:
    """Read what :func:`write` wrote; None where there is nothing.

    Raises:
        mer_jax.checks.CheckpointError: it is damaged.
    """
    path = out / FILE_NAME
    if not path.exists():
        return None
    try:
        with open(path, "rb") as stream, np.load(stream) as file:
            record = json.loads(str(file["record"]))
            survivors = {}
            for number, one in record["candidates"].items():
                count = sum(name.startswith(f"{number}/") for name in file.files)
                survivors[int(number)] = ([file[f"{number}/{k}"] for k in range(count)], one)
            return State(record["started"], record["trials"], record["rungs"], record["seconds"], survivors)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise checks.CheckpointError(
            path,
            f"cannot be read ({type(error).__name__})",
            expected="the state of a sweep",
            remedy="delete it to start the sweep anew",
        ) from error

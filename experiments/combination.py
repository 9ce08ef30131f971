r"""What networks on series and pictures add to hand-designed numbers on EMOPIA: out-of-fold predictions of all, put together.

    python experiments/emopia_manifest.py EMOPIA/audio emopia.csv
    mer-jax study --data emopia.csv --clip-s 15 --folds 10 --seeds 2 --base-init he --out runs/emopia \
        --cells series-time_domain-cnn numbers-time_frequency picture-mel
    python experiments/combination.py --emopia-dir EMOPIA --study runs/emopia --out combination.json

The models of ``accuracy.py`` on the set ``musical`` and the cells of approaches 1 and 3 are trained on the same folds. They are
combined with equal weights, by the mean of their log-probabilities; no weight is fitted. Prints each combination, and writes
scores, intervals, versions and machine as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from accuracy import SEEDS, Runs, classification, combine, evaluate
from accuracy_data import Clips, emopia
from accuracy_models import CANDIDATES

from mer_jax import checks
from mer_jax.data.atomic import atomic_path
from mer_jax.data.splits import FOLDS
from mer_jax.evaluation import run_folder, statistics
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.machine import describe_machine, describe_versions, load_average


def of_cell(study: Path, cell: str, ids: list[str]) -> list[np.ndarray]:
    """Out-of-fold probabilities of a cell in the order of ``ids``, one array a seed.

    Raises:
        mer_jax.checks.DataError: a split is not there, or the folds do not hold each clip once.
    """
    place = {name: row for row, name in enumerate(ids)}
    out = []
    for seed in SEEDS:
        found: dict[int, np.ndarray] = {}
        for fold in range(FOLDS):
            folder = study / "cells" / cell / f"fold{fold}_seed{seed}"
            arrays = run_folder.read_arrays(folder / "predictions.npz", required=("ids", "probabilities"))
            rows = [place[name] for name in arrays["ids"].tolist() if name in place]
            found |= dict(zip(rows, arrays["probabilities"], strict=True))
        if len(found) != len(ids):
            raise checks.DataError(
                study, f"has {len(found)} of {len(ids)} clips in the folds of {cell}, seed {seed}"
            )
        out.append(np.stack([found[row] for row in range(len(ids))]))
    return out


def combinations(runs: Runs, cells: Runs) -> dict[str, list[np.ndarray]]:
    """Numbers alone, with the cells of each approach, and all."""
    parts = {
        "numbers": {},
        "numbers and series": {name: run for name, run in cells.items() if name.startswith("series")},
        "numbers and pictures": {name: run for name, run in cells.items() if name.startswith("picture")},
        "all": cells,
    }
    numbers = {name: runs[name] for name in CANDIDATES}
    return {
        name: [
            combine({model: run[k] for model, run in (numbers | added).items()}, classes=True)
            for k in range(len(SEEDS))
        ]
        for name, added in parts.items()
    }


def less(clips: Clips, first: list[np.ndarray], second: list[np.ndarray]) -> dict[str, Any]:
    """Accuracy of the first less that of the second, paired bootstrap over songs."""
    parts = [[Predictions(clips.goals, one, clips.groups) for one in run] for run in (first, second)]
    found = statistics.paired_difference(*parts, metrics=("accuracy",))["accuracy"]
    assert found is not None  # there are hundreds of groups
    return {"difference": found.value, "interval": [found.low, found.high], "p": found.p_value}


def main(emopia_dir: Path, study: Path, out: Path, feature_set: str = "musical") -> None:
    """Combine, print, and write ``out``.

    Args:
        emopia_dir: folder of EMOPIA.
        study: folder of a finished study of EMOPIA with 10 folds and seeds 0 and 1.
        out: JSON file to write.
        feature_set: of the models on numbers.
    """
    names = sorted(path.name for path in (study / "cells").iterdir() if path.is_dir())
    names = [name for name in names if not name.startswith("numbers")]
    clips = emopia(emopia_dir, feature_set)
    cells = {name: of_cell(study, name, list(clips.ids)) for name in names}
    _, runs = evaluate(clips)
    combined = combinations(runs, cells)
    alone = combined["numbers"]
    results = {name: classification(clips, run) for name, run in {**cells, **combined}.items()}
    differences = {
        f"{name} less numbers": less(clips, run, alone) for name, run in combined.items() if run is not alone
    }
    for name, found in results.items():
        low, high = found["interval"]["accuracy"]
        print(f"{name:34s} accuracy {found['mean']['accuracy']:.3f}, 95 % {low:.3f} to {high:.3f}")
    for name, found in differences.items():
        low, high = found["interval"]
        print(f"{name:34s} {found['difference']:+.3f}, 95 % {low:+.3f} to {high:+.3f}, p {found['p']:.3g}")
    record = {
        "data": clips.name,
        "folds": FOLDS,
        "seeds": list(SEEDS),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "load_average": load_average(),
        "scores": results,
        "differences": differences,
    }
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"combination: {error}")

r"""What networks on series and pictures add to hand-designed numbers on EMOPIA: out-of-fold predictions of all, put together.

    python experiments/emopia_manifest.py EMOPIA/audio emopia.csv
    mer-jax study --data emopia.csv --clip-s 15 --folds 10 --seeds 2 --base-init he --out runs/emopia \
        --cells series-time_domain-cnn numbers-time_frequency picture-mel
    python experiments/combination.py --emopia-dir EMOPIA --study runs/emopia --out combination.json

The models of ``accuracy.py`` on the set ``musical`` and the cells of approaches 1 and 3 are trained on the same folds. They are
combined with equal weights, by the mean of their log-probabilities; no weight is fitted. Prints each combination, and writes
scores, intervals, versions and machine as JSON.
"""

import sys
from pathlib import Path

import numpy as np
import tyro
from accuracy import SEEDS, Runs, classification, combine, difference, evaluate, write_record
from accuracy_data import emopia
from accuracy_models import CANDIDATES

from mer_jax import checks
from mer_jax.data.splits import FOLDS
from mer_jax.evaluation import run_folder


def of_cell(study: Path, cell: str, ids: list[str]) -> list[np.ndarray]:
    """Out-of-fold probabilities of a cell in the order of ``ids``, one array a seed.

    Raises:
        mer_jax.checks.DataError: a split is not there, or the folds do not hold each clip once.
    """
    out = []
    for seed in SEEDS:
        found: dict[str, np.ndarray] = {}
        for fold in range(FOLDS):
            folder = study / "cells" / cell / f"fold{fold}_seed{seed}"
            arrays = run_folder.read_arrays(folder / "predictions.npz", required=("ids", "probabilities"))
            found |= dict(zip(arrays["ids"].tolist(), arrays["probabilities"], strict=True))
        if found.keys() != set(ids):
            raise checks.DataError(
                study,
                f"has {len(found)} clips in the folds of {cell}, seed {seed}",
                expected=f"the {len(ids)} clips of the data set",
            )
        out.append(np.stack([found[name] for name in ids]))
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
        f"{name} less numbers": difference(clips, run, alone)
        for name, run in combined.items()
        if run is not alone
    }
    for name, found in results.items():
        low, high = found["interval"]["accuracy"]
        print(f"{name:34s} accuracy {found['mean']['accuracy']:.3f}, 95 % {low:.3f} to {high:.3f}")
    for name, found in differences.items():
        low, high = found["interval"]
        print(f"{name:34s} {found['difference']:+.3f}, 95 % {low:+.3f} to {high:+.3f}, p {found['p']:.3g}")
    protocol = {"data": clips.name, "folds": FOLDS, "seeds": list(SEEDS)}
    write_record(out, protocol | {"scores": results, "differences": differences})


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"combination: {error}")

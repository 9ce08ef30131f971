"""The whole grid of learnable front-ends on synthetic music: time and result. Interrupted, it goes on where it stopped.

python experiments/benchmark/ablation_job.py --out runs/grid --json ablation_job.json              # 5 folds x 3 seeds
python experiments/benchmark/ablation_job.py --out runs/small --folds 1 --seeds 1 --epochs 1 --clips 150 --json small.json
"""

import argparse
import json
import time
from pathlib import Path

from mer_jax.frontends.registry import LEARNT_NAMES

# Fixed front-ends, and each that learns with what it can learn; the first is what the others are compared with.
GRID = (
    "log_mel",
    "spectrogram",
    "mel",
    "mfcc",
    "cqt",
    "log_cqt",
    "chroma",
    "tempogram",
    "time_domain",
    "spectral_statistics",
    "log_mel:trainable",
    "spectrogram:trainable",
    "mel:trainable",
    "mfcc:trainable",
    "cqt:trainable",
    "log_cqt:trainable",
    *LEARNT_NAMES,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the ablation")
    parser.add_argument("--frontends", nargs="+", help="members; default: all below")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()

    from mer_jax import machine
    from mer_jax.ablation import engine
    from mer_jax.ablation.config import AblationConfig
    from mer_jax.compilation_cache import use_compilation_cache
    from mer_jax.experiment import folder
    from mer_jax.signal.devices import use_all_cores
    from mer_jax.training.loop import TrainingConfig

    use_all_cores()
    use_compilation_cache()
    settings = AblationConfig(
        frontends=tuple(args.frontends or GRID),
        data=f"synthetic:{args.clips}",
        out=args.out,
        folds=args.folds,
        seeds=args.seeds,
        training=TrainingConfig(epochs=args.epochs, patience=args.epochs, monitor="accuracy"),
    )
    before = len(list(args.out.glob("**/cell.json")))
    started = time.perf_counter()
    engine.run(settings)
    found = {
        "seconds": round(time.perf_counter() - started, 1),
        "cells": len(list(args.out.glob("**/cell.json"))),
        "cells_done_before": before,
        "folds": args.folds,
        "seeds": args.seeds,
        "epochs": args.epochs,
        "clips": args.clips,
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
        "ablation": json.loads((args.out / "ablation.json").read_text(encoding="utf-8")),
    }
    folder.write_json(args.json, found)


if __name__ == "__main__":
    main()

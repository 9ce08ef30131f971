"""The study's table at its original size, on synthetic music: how long from 16-bit samples in memory to the report.

    python experiments/benchmark/study_job.py --json study_job.json                       # 10,109 clips of 5 s, 224 pixels
    python experiments/benchmark/study_job.py --clips 150 --image-size 32 --epochs 1 --json small.json
    python experiments/benchmark/study_job.py --profile --json study_job.json               # and where the device's time goes

Composing the clips is not timed. Everything else is: features of every cell, training, scores, report, and compiling, once with
an empty folder of compiled programs and, with ``--again``, once more with what the first run left there. With ``--profile``, a
run of a tenth of the clips and two epochs, its programs compiled before, is traced: what share of the time nothing ran on the
accelerator, and what took longest there. Random VGG19 weights: how fast it is does not depend on them, how good it is does.
Needs no sound library.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=10_109)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--cells", nargs="*", default=(), help="ids of cells; default: all twenty")
    parser.add_argument(
        "--again", action="store_true", help="run a second time, with the programs of the first"
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="trace a tenth of it: the share of time in which the device is idle",
    )
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()

    from mer_jax.experiment import folder

    started = time.perf_counter()
    clips = composed(args.clips)
    found: dict[str, Any] = {"clips": args.clips, "composing_s": round(time.perf_counter() - started, 1)}
    with tempfile.TemporaryDirectory() as place:
        os.environ["MER_JAX_COMPILATION_CACHE"] = f"{place}/programs"
        for name in ("first", "again") if args.again else ("first",):
            found[name] = one_run(args, clips, Path(place) / name)
            folder.write_json(args.json, found)
            print(f"{name}: {found[name]['total_s']} s")
        if args.profile:
            found["profile"] = profiled(args, clips, Path(place))
            folder.write_json(args.json, found)


def profiled(args: argparse.Namespace, clips: list[np.ndarray], place: Path) -> dict[str, Any]:
    """Two small runs, the second one traced."""
    import jax

    from mer_jax.benchmark import busy

    small = argparse.Namespace(**vars(args) | {"epochs": min(2, args.epochs)})
    some = clips[: max(150, len(clips) // 10)]
    one_run(small, some, place / "before")
    with jax.profiler.trace(str(place / "trace")):
        run = one_run(small, some, place / "traced", compile_anew=False)
    return {
        "clips": len(some),
        "epochs": small.epochs,
        "total_s": run["total_s"],
        "devices": busy.of_trace(place / "trace"),
    }


def composed(count: int) -> list[np.ndarray]:
    """The clips, 16 bits, by all cores."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        return list(pool.map(partial(_clip, count), range(count), chunksize=32))


def _clip(count: int, row: int) -> np.ndarray:
    from mer_jax.data import memory, synthetic

    return memory.to_int16(
        synthetic.catalog(1).source.__class__(count, seed=0, duration_s=5.0, sr=22050)[row]
    )


class Composed:
    """A source of clips in 16 bits."""

    def __init__(self, clips: list[np.ndarray]) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, row: int) -> np.ndarray:
        """A clip in 16 bits."""
        return self.clips[row]

    def __getitem__(self, row: int) -> np.ndarray:
        from mer_jax.data import memory

        return memory.to_float32(self.clips[row])


def one_run(
    args: argparse.Namespace, clips: list[np.ndarray], out: Path, *, compile_anew: bool = True
) -> dict[str, Any]:
    """Run the study, and say what it took."""
    import jax

    from mer_jax import machine
    from mer_jax.compilation_cache import use_compilation_cache
    from mer_jax.data import synthetic
    from mer_jax.models.vgg19 import VGG19Config
    from mer_jax.signal.devices import use_all_cores
    from mer_jax.study import engine
    from mer_jax.study.config import StudyConfig
    from mer_jax.training.loop import TrainingConfig

    use_all_cores()
    use_compilation_cache()
    if compile_anew:
        jax.clear_caches()
    catalog = replace(synthetic.catalog(len(clips)), source=Composed(clips))
    settings = StudyConfig(
        data=f"synthetic:{len(clips)}",
        out=out,
        cells=tuple(args.cells),
        base_init="he",
        vgg19=VGG19Config(image_size=args.image_size, norm="batch"),
        training=TrainingConfig(epochs=args.epochs, patience=args.epochs, monitor="accuracy"),
    )
    started = time.perf_counter()
    engine.run(settings, progress=False, catalog=catalog)
    total_s = time.perf_counter() - started
    cells = [json.loads(path.read_text()) for path in sorted(out.glob("cells/*/*/result.json"))]
    stats = jax.local_devices()[0].memory_stats() or {}
    return {
        "total_s": round(total_s, 2),
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
        "image_size": args.image_size,
        "epochs": args.epochs,
        "peak_device_gib": round(stats["peak_bytes_in_use"] / 2**30, 2)
        if "peak_bytes_in_use" in stats
        else None,
        "cells": {
            cell["cell"]: {
                "feature_s": cell["feature_s"],
                "train_s": cell["train_s"],
                "test_accuracy": cell["scores"]["test"]["accuracy"],
            }
            for cell in cells
        },
    }


if __name__ == "__main__":
    main()

"""Suite ``input``: whether training waits for its batches.

A row is an epoch of training as ``mer-jax train`` feeds it, batch by batch from a loader; ``steps_alone`` is the same compiled
step called as often on one batch that lies on the device. ``device_idle_share`` is the part of the epoch that the steps alone
do not account for, max(0, 1 - steps_alone / epoch). On a CPU the loader's threads compute on the cores that are the device, so
what they take counts as well.

``input_files`` decodes every clip anew in each epoch, as a data set does whose audio does not fit into memory; the others hold
theirs: whole clips in 16 bits that are cut at random places, or features computed before.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax.benchmark import population, results
from mer_jax.benchmark.engine import Contender, Measurement, Plan, describe_error, measure
from mer_jax.benchmark.models import step_and_state
from mer_jax.benchmark.results import Report
from mer_jax.machine import load_average

SUMMARY = "input pipeline: an epoch as training feeds it, against its steps alone"

FILES, FILE_S = 128, 6.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), help="which rows; default: all")
    parser.add_argument("--files", type=int, default=FILES, help=f"clips written for input_files: {FILES}")


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure the chosen cases; one that needs a package which is not installed is named in the conditions."""
    plan = Plan(rounds=5 if args.quick else 15, budget_s=6.0 if args.quick else 30.0)
    condition: dict[str, Any] = {
        "suite": "input",
        "options": {"quick": args.quick, "cases": args.cases, "files": args.files},
        "skipped": {},
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    for name in args.cases or CASES:
        try:
            with CASES[name](args.files) as (model, loader):
                report.rows.append(_row(name, model, loader, plan))
        except ImportError as error:
            condition["skipped"][name] = describe_error(error)
            continue
        on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _row(name: str, model: nnx.Module, loader: Any, plan: Plan) -> dict[str, Any]:
    measured: Measurement = measure(_contenders(model, loader), plan)
    if measured.failed:
        raise RuntimeError(f"{name}: {measured.failed}")
    fed, alone = measured.timings["ours"], measured.timings["steps_alone"]
    steps, idle = loader.steps_per_epoch, max(0.0, 1 - alone.median_s / fed.median_s)
    return results.row(
        "input",
        name,
        fed.median_s,
        {"steps_alone": alone.median_s},
        compile_s=fed.compile_s,
        note=f"{steps} steps of {loader.batch_size} clips; the device waits for input {idle:.0%} of the epoch",
        quartiles_s={key: timing.quartiles_s for key, timing in measured.timings.items()},
        device_idle_share=idle,
        clips_per_s=steps * loader.batch_size / fed.median_s,
    )


def _contenders(model: nnx.Module, loader: Any) -> list[Contender]:
    """An epoch with batches from the loader, and the same steps on the loader's first batch."""
    from mer_jax.training.loop import INPUTS

    steps = loader.steps_per_epoch
    step, state = step_and_state(model)
    batches: Iterator[Mapping[str, Any]] = iter(loader)
    # Each its own state, whose memory a step takes over; one compiled step for both.
    held = {"ours": state, "steps_alone": step_and_state(model)[1]}

    def taken(batch: Mapping[str, Any]) -> dict[str, Any]:
        return {name: batch[name] for name in INPUTS if name in batch}

    first = jax.device_put(taken(next(iter(loader))), state.step.sharding)

    def contender(name: str, batch: Callable[[], Any]) -> Contender:
        def epoch() -> Any:
            for _ in range(steps):
                held[name] = step(held[name], batch())
            return jax.block_until_ready(held[name].totals["loss"])

        return Contender(name, epoch, np.asarray)

    return [contender("ours", lambda: taken(next(batches))), contender("steps_alone", lambda: first)]


Pair = tuple[nnx.Module, Any]
"""A model, and the loader that feeds it."""


def _of_population(case: population.Case) -> Callable[[int], AbstractContextManager[Pair]]:
    @contextmanager
    def member(_: int) -> Iterator[Pair]:
        first = next(population.recruits(case))
        yield first.model, first.train_loader

    return member


@contextmanager
def _from_files(files: int) -> Iterator[Pair]:
    """A 1D CNN on log-mel features computed in every step, from WAV files that are decoded in every epoch."""
    import soundfile  # noqa: F401  # named where it is missing, before clips are composed

    from mer_jax import data, frontends
    from mer_jax.data import memory, pipeline, synthetic
    from mer_jax.models import EmotionModel, Normalizer

    with tempfile.TemporaryDirectory() as place:
        folder = synthetic.write_folder(Path(place) / "music", files, duration_s=FILE_S)
        catalog = data.load(folder / "manifest.csv", sr=population.SR)
        # As if its audio did not fit: decoded anew in every epoch.
        catalog = replace(catalog, source=memory.not_kept(catalog.source))
        loader = pipeline.Loader(
            catalog,
            np.arange(files),
            batch_size=population.BATCH,
            num_samples=5 * population.SR,
            shuffle=True,
            seed=0,
            drop_remainder=True,
            budget_bytes=0,
        )
        rngs = nnx.Rngs(0)
        network = population.cnn(rngs, num_features=128, num_classes=len(catalog.classes))
        yield EmotionModel(frontends.LogMel(sr=population.SR, rngs=rngs), Normalizer(128), network), loader


CASES: dict[str, Callable[[int], AbstractContextManager[Pair]]] = {
    "input_features_dense": _of_population(population.CASES["population_dense_100"]),
    "input_features_cnn_bilstm": _of_population(population.CASES["population_cnn_bilstm_10"]),
    "input_waveforms_efficient_leaf": _of_population(population.CASES["population_efficient_leaf_4"]),
    "input_files_log_mel": _from_files,
}

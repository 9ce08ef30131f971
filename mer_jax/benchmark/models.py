"""Suite ``models``: forward passes and training steps of the study's models against Keras and PyTorch on the same device.

A training step is forward, backward and AdamW. On an accelerator the data is already there, as it is in training from device
memory. ``vgg19_cached_epoch`` is an epoch of the dense layers on a frozen base's output, which is computed once; beside it
stands the study's way, the base inside the model.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax.benchmark import results
from mer_jax.benchmark.engine import Contender, Measurement, Plan, measure
from mer_jax.benchmark.memory import MemoryProbe, jax_device_peak
from mer_jax.benchmark.peers_keras_models import keras_contenders
from mer_jax.benchmark.peers_torch_models import torch_contenders
from mer_jax.benchmark.results import Report
from mer_jax.machine import load_average
from mer_jax.models.dense import DenseNet
from mer_jax.models.recurrent import CNNBiLSTM, Pool
from mer_jax.models.vgg19 import VGG19
from mer_jax.signal.devices import use_all_cores
from mer_jax.training import step as training_step
from mer_jax.training.optimizer import OptimizerConfig, build
from mer_jax.training.pair import compiled_step, pair_for, placed

SUMMARY = "models: forward passes and training steps against Keras and PyTorch"

CLASSES = 5
# Operations of one 224 x 224 picture through the sixteen convolutions: 2 x 19.51e9 multiply-adds.
VGG19_FLOPS_224 = 39.02e9

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), help="which rows; default: all")
    parser.add_argument(
        "--vgg-batch", nargs="+", type=int, help="batches of VGG19; default 8 (CPU), 128 (accelerator)"
    )
    parser.add_argument(
        "--memory", choices=("none", "ours"), help="whether to measure peak memory: ours (quick: none)"
    )


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure the chosen cases."""
    accelerator = jax.default_backend() != "cpu"
    plan = Plan(rounds=5 if args.quick else 15, budget_s=5.0 if args.quick else 20.0)
    matmul = {name: _matmul_tflop_s(name) for name in ("bfloat16", "float32")} if accelerator else {}
    condition = {
        "suite": "models",
        "options": {"quick": args.quick, "cases": args.cases, "vgg_batch": args.vgg_batch},
        "matmul_tflop_s": matmul,
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    batches = args.vgg_batch or _batches(accelerator)
    memory = args.memory or ("none" if args.quick else "ours")
    # PyTorch's peers compute in full float32; on a GPU JAX's own default is TF32.
    with MemoryProbe() as probe, jax.default_matmul_precision("highest"):
        for name in args.cases or CASES:
            for place, case in enumerate(CASES[name](batches, accelerator)):
                row = _row(name, case, plan, matmul, report.rows)
                if memory == "ours":
                    row["peak_mib"], row["peak_kind"] = probe.peak(_ours, name, place, batches)
                report.rows.append(row)
                on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _batches(accelerator: bool) -> list[int]:
    return [128] if accelerator else [8]


def case(name: str) -> "Case":
    """The first row of one of :data:`CASES` at its usual size."""
    accelerator = jax.default_backend() != "cpu"
    return CASES[name](_batches(accelerator), accelerator)[0]


def _ours(name: str, place: int, batches: list[int]) -> Contender:
    """Our contender for a row, built anew in the process that measures its memory."""
    use_all_cores()
    accelerator = jax.default_backend() != "cpu"
    # For the life of this process.
    jax.config.update("jax_default_matmul_precision", "highest")
    made = CASES[name](batches, accelerator)[place].ours()
    return replace(made, device_peak=jax_device_peak if accelerator else None)


def _row(name: str, case: "Case", plan: Plan, matmul: dict[str, float], before: list[Row]) -> Row:
    peers_of_case = [*torch_contenders(name, case.parameters), *keras_contenders(name, case.parameters)]
    studys, study_note = _studys_way(name, case, before)
    if studys:
        peers_of_case = [peer for peer in peers_of_case if peer.name not in studys]
    measured: Measurement = measure([case.ours(), *peers_of_case], plan)
    ours = measured.timings["ours"]
    peers = {key: t.median_s for key, t in measured.timings.items() if key != "ours"} | studys
    found = results.row(
        "models",
        case.name,
        ours.median_s,
        peers,
        compile_s=ours.compile_s,
        note="; ".join(
            study_note
            + [one.note for one in peers_of_case if one.note and one.name in peers]
            + [f"{peer} failed: {why}" for peer, why in measured.failed.items()]
        ),
        ours_quartiles_s=ours.quartiles_s,
        samples_per_s=case.parameters["batch"] / ours.median_s,
    )
    if case.flops and matmul:
        rate = case.flops / ours.median_s / 1e12
        found["tflop_s"] = rate
        found["fraction_of_matmul_rate"] = rate / matmul[case.parameters["dtype"]]
    return found


def _studys_way(name: str, case: "Case", before: list[Row]) -> tuple[dict[str, float], list[str]]:
    """An epoch with the frozen base inside Keras's model, from the step measured before it in the same run; and how."""
    pictures = case.parameters.get("pictures")
    steps = [row for row in before if row["name"] == "vgg19_frozen_step"]
    if name != "vgg19_cached_epoch" or not steps or pictures != _batches(False)[0]:
        return {}, []
    part = case.parameters["clips"] / pictures
    found = {
        f"keras_study{peer.removeprefix('keras')}": part * seconds
        for peer, seconds in steps[-1]["peers"].items()
        if peer.startswith("keras")
    }
    note = (
        f"keras_study is extrapolated from vgg19_frozen_step, {pictures} of {case.parameters['clips']} clips"
    )
    return found, [note] if found else []


class Case:
    """One row: our contender and what the peers need to build theirs.

    Args:
        name: of the row.
        ours: builds our contender.
        parameters: sizes and types, for the peers.
        flops: operations of a call; 0 where no rate is stated.
    """

    def __init__(
        self, name: str, ours: Callable[[], Contender], parameters: dict[str, Any], *, flops: float = 0.0
    ) -> None:
        self.name = name
        self.ours = ours
        self.parameters = parameters
        self.flops = flops


def _vgg19_forward(batches: list[int], accelerator: bool) -> list[Case]:
    dtypes = ("bfloat16", "float32") if accelerator else ("float32",)
    return [
        Case(
            f"vgg19_forward b{batch} {dtype}" if accelerator else "vgg19_forward",
            partial(_forward, batch, dtype),
            {"batch": batch, "dtype": dtype},
            flops=VGG19_FLOPS_224 * batch,
        )
        for batch in batches
        for dtype in dtypes
    ]


def _forward(batch: int, dtype: str) -> Contender:
    model = VGG19(num_classes=CLASSES, rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    images = jax.random.uniform(jax.random.key(0), (batch, 224, 224, 3), jnp.float32, 0, 255)
    compute = None if dtype == "float32" else jnp.dtype(dtype)

    @jax.jit
    def forward(state: Any, images: jax.Array) -> jax.Array:
        module = nnx.merge(graph, state)
        return module.classify(module.features(images, dtype=compute))

    return Contender("ours", lambda: forward(state, images).block_until_ready(), lambda y: np.asarray(y[:1]))


def _training(model: nnx.Module, inputs: dict[str, jax.Array]) -> Contender:
    """A training step, its state carried from call to call."""
    step, state = step_and_state(model)
    holder = [state]

    def call() -> jax.Array:
        holder[0] = step(holder[0], inputs)
        return holder[0].totals["loss"].block_until_ready()

    return Contender("ours", call, np.asarray)


def step_and_state(model: nnx.Module) -> tuple[Callable[..., Any], Any]:
    """A training step compiled as :func:`mer_jax.training.fit` does, and the state before it."""
    optimizer = build(OptimizerConfig(schedule="constant", warmup_fraction=0.0), 1)
    graph, state = training_step.create(model, optimizer, seed=0)
    pair = pair_for(model)
    return compiled_step(training_step.make_step(graph, optimizer), pair), placed(state, pair)


class _Direct(nnx.Module):
    """Lets the training step call a network on features as it calls a model on waveforms."""

    def __init__(self, network: nnx.Module) -> None:
        self.network = network

    def __call__(
        self, inputs: jax.Array, lengths: jax.Array, *, deterministic: bool = True, rngs: Any = None
    ):
        return self.network(inputs, deterministic=deterministic, rngs=rngs)


def _inputs(shape: tuple[int, ...], scale: float = 1.0) -> dict[str, jax.Array]:
    batch = shape[0]
    return {
        "waveform": scale * jax.random.uniform(jax.random.key(1), shape),
        "length": jnp.full((batch,), shape[1], jnp.int32),
        "label": jnp.arange(batch, dtype=jnp.int32) % CLASSES,
        "weight": jnp.ones((batch,)),
    }


def _vgg19_frozen_step(batches: list[int], accelerator: bool) -> list[Case]:
    def build_case(batch: int) -> Contender:
        model = _Direct(VGG19(num_classes=CLASSES, rngs=nnx.Rngs(0)))
        return _training(model, _inputs((batch, 224, 224, 3), 255.0))

    return [
        Case(
            f"vgg19_frozen_step b{batch}" if accelerator else "vgg19_frozen_step",
            partial(build_case, batch),
            {"batch": batch, "dtype": "float32"},
        )
        for batch in batches
    ]


def _vgg19_cached_epoch(batches: list[int], accelerator: bool) -> list[Case]:
    clips, batch = 256, 32
    model = VGG19(num_classes=CLASSES, rngs=nnx.Rngs(0))

    def build_case() -> Contender:
        step, state = step_and_state(_Direct(model.head))
        # In the memory of the host, as training keeps it.
        found = np.random.default_rng(0).normal(size=(clips, 7, 7, 512)).astype(np.float32)
        labels, rng, holder = np.arange(clips) % CLASSES, np.random.default_rng(1), [state]
        same = {"length": np.full(batch, 7, np.int32), "weight": np.ones(batch, np.float32)}

        def epoch() -> jax.Array:
            for rows in rng.permutation(clips).reshape(-1, batch):
                holder[0] = step(holder[0], same | {"waveform": found[rows], "label": labels[rows]})
            return holder[0].totals["loss"].block_until_ready()

        return Contender("ours", epoch, np.asarray)

    parameters = {"batch": batch, "clips": clips, "pictures": batches[0], "dtype": "float32"}
    return [Case("vgg19_cached_epoch", build_case, parameters)]


def _cnn_bilstm(
    frames: int, *, units: int = 128, pool: Pool = "last", name: str = "cnn_bilstm"
) -> Callable[[list[int], bool], list[Case]]:
    def build_case() -> Contender:
        network = CNNBiLSTM(
            num_features=3,
            num_classes=CLASSES,
            num_frames=frames,
            lstm_units=units,
            pool=pool,
            rngs=nnx.Rngs(0),
        )
        return _training(_Direct(network), _inputs((32, frames, 3)))

    parameters = {"batch": 32, "frames": frames, "units": units, "pool": pool, "dtype": "float32"}
    return lambda batches, accelerator: [Case(f"{name}_{frames}_step", build_case, parameters)]


def _dense(batches: list[int], accelerator: bool) -> list[Case]:
    def build_case() -> Contender:
        network = DenseNet(num_features=128, num_classes=CLASSES, rngs=nnx.Rngs(0))
        return _training(_Direct(network), _inputs((32, 128)))

    return [Case("dense_step", build_case, {"batch": 32, "features": 128, "dtype": "float32"})]


CASES: dict[str, Callable[[list[int], bool], list[Case]]] = {
    "vgg19_forward": _vgg19_forward,
    "vgg19_frozen_step": _vgg19_frozen_step,
    "vgg19_cached_epoch": _vgg19_cached_epoch,
    "cnn_bilstm_216_step": _cnn_bilstm(216),
    "cnn_bilstm_1292_step": _cnn_bilstm(1292),
    # The study's own network: 64 units each way, all of the sequence.
    "cnn_bilstm_study_216_step": _cnn_bilstm(216, units=64, pool="flatten", name="cnn_bilstm_study"),
    "dense_step": _dense,
}


def _matmul_tflop_s(dtype: str) -> float:
    """Rate of an 8192 x 8192 matrix product on random data: the most that this device's units do in this type."""
    from mer_jax.benchmark.roofline import _best_s

    size = 8192
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.float32).astype(dtype)
    precision = jax.lax.Precision.HIGHEST if dtype == "float32" else None
    product = jax.jit(lambda x: jnp.matmul(x, x, precision=precision))
    return 2 * size**3 / _best_s(lambda: product(a).block_until_ready()) / 1e12

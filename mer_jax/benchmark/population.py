"""Suite ``population``: the folds and seeds of a cross-validation trained together, against one after the other.

A call trains every member for a few epochs, scoring the validation part after each, in memory: ours by
:func:`mer_jax.training.population.fit_population`, the peer by :func:`mer_jax.training.fit` on the same features computed
before, or on the same waveforms. Models are built before the clock starts. Data are random numbers of the sizes of EMOPIA: 1078
clips, four classes; a fifth of them, cut at random places to 5 s, where a front-end learns.
"""

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax.benchmark import results
from mer_jax.benchmark.engine import Contender, Measurement, Plan, measure
from mer_jax.benchmark.results import Report
from mer_jax.machine import load_average

SUMMARY = "population: folds and seeds trained together, against one after the other"

CLIPS, CLASSES, SR = 1078, ("Q1", "Q2", "Q3", "Q4"), 22050
FOLDS = 10
BATCH = 32


@dataclasses.dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        members: models trained, folds times seeds.
        shape: of a clip's features.
        epochs: of each member.
        network: features -> network.
        frontend: name of one that learns, from waveforms; "" takes features computed before.
    """

    members: int
    shape: tuple[int, ...]
    epochs: int
    network: Callable[[nnx.Rngs], nnx.Module]
    frontend: str = ""


def _dense(rngs: nnx.Rngs) -> nnx.Module:
    from mer_jax.models.dense import DenseNet

    return DenseNet(num_features=300, num_classes=len(CLASSES), rngs=rngs)


def _cnn_bilstm(rngs: nnx.Rngs) -> nnx.Module:
    from mer_jax.models.recurrent import CNNBiLSTM

    return CNNBiLSTM(num_features=3, num_classes=len(CLASSES), rngs=rngs)


def cnn(rngs: nnx.Rngs, *, num_features: int = 40, num_classes: int = len(CLASSES)) -> nnx.Module:
    """A 1D CNN on the 216 frames of a clip of 5 s."""
    from mer_jax import models

    config = models.RecurrentConfig(architecture="cnn", pool="mean")
    return models.build(config, num_features=num_features, num_classes=num_classes, num_frames=216, rngs=rngs)


CASES = {
    "population_dense_100": Case(100, (300,), 2, _dense),
    "population_cnn_bilstm_10": Case(10, (216, 3), 1, _cnn_bilstm),
    "population_efficient_leaf_4": Case(4, (216, 40), 1, cnn, "efficient_leaf"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the suite."""
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), help="which rows; default: all")
    parser.add_argument("--members", type=int, help="train so many models instead")
    parser.add_argument("--rounds", type=int, help="rounds of the measurement; default 5, 2 with --quick")
    parser.add_argument("--block", type=int, help="members of one vmapped program; default: as the platform")


def run(args: argparse.Namespace, on_row: Callable[[Report], None]) -> Report:
    """Measure the chosen cases."""
    rounds = args.rounds or (2 if args.quick else 5)
    plan = Plan(rounds=rounds, min_rounds=rounds, budget_s=600.0)
    condition = {
        "suite": "population",
        "options": {name: getattr(args, name) for name in ("quick", "cases", "members", "rounds", "block")},
        "devices": len(jax.local_devices()),
        "load_average_before": load_average(),
    }
    report = Report(conditions=[condition])
    for name in args.cases or CASES:
        case = CASES[name]
        members = args.members or (max(2, case.members // 10) if args.quick else case.members)
        case = dataclasses.replace(case, members=members)
        report.rows.append(_row(name, case, plan, args.block))
        on_row(report)
    condition["load_average_after"] = load_average()
    return report


def _row(name: str, case: Case, plan: Plan, block: int | None) -> dict[str, Any]:
    measured: Measurement = measure(_contenders(case, block), plan)
    ours, peer = (measured.timings[key] for key in ("ours", "one_by_one"))
    per_epoch = case.members * case.epochs
    return results.row(
        "population",
        name,
        ours.median_s,
        {"one_by_one": peer.median_s},
        compile_s=ours.compile_s,
        note=f"{case.members} models x {case.epochs} epochs: {1e3 * ours.median_s / per_epoch:.0f} ms an epoch against "
        f"{1e3 * peer.median_s / per_epoch:.0f}; first call of the peer {peer.compile_s:.1f} s",
        quartiles_s={"ours": ours.quartiles_s, "one_by_one": peer.quartiles_s},
        samples_s={"ours": ours.samples_s, "one_by_one": peer.samples_s},
        members=case.members,
        epochs=case.epochs,
    )


def _contenders(case: Case, block: int | None) -> list[Contender]:
    """Both ways of training, on models that each call starts anew from the same weights."""
    from mer_jax.training.loop import fit
    from mer_jax.training.population import fit_population

    members = list(recruits(case))
    weights = [jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(one.model))) for one in members]

    def renew() -> None:
        for one, state in zip(members, weights, strict=True):
            nnx.update(one.model, state)

    def together() -> list[Any]:
        renew()
        return [
            result.records[-1]["validation"]["loss"] for _, result in fit_population(members, block=block)
        ]

    def one_by_one() -> list[Any]:
        renew()
        found = []
        for one in members:
            options = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
            del options["tag"]
            arguments = [options.pop(key) for key in ("model", "train_loader", "validation_loader")]
            found.append(fit(*arguments, progress=False, **options).records[-1]["validation"]["loss"])
        return found

    return [Contender("ours", together, np.asarray), Contender("one_by_one", one_by_one, np.asarray)]


def recruits(case: Case) -> Iterator[Any]:
    """The members of a case, built as they are asked for."""
    from mer_jax import frontends, models
    from mer_jax.data import memory, pipeline
    from mer_jax.data.splits import grouped_split
    from mer_jax.evaluation import scores
    from mer_jax.experiment import caching
    from mer_jax.frontends.backends.handover import Precomputed
    from mer_jax.frontends.time_domain import TimeDomain
    from mer_jax.models import EmotionModel, Normalizer
    from mer_jax.training.loop import TrainingConfig
    from mer_jax.training.optimizer import OptimizerConfig
    from mer_jax.training.population import Recruit

    samples = SR * 5
    if case.frontend:
        catalog = memory.in_memory(_catalog(CLIPS // 5, 6.0))
    else:
        catalog = _catalog(CLIPS, 5.0)
        values = np.random.default_rng(0).standard_normal((CLIPS, *case.shape)).astype(np.float32)
        array = caching.FeatureArray(values, np.full(CLIPS, samples, np.int32), 0.0)

    def loader(rows: np.ndarray, seed: int, *, train: bool) -> pipeline.Loader:
        options: dict[str, Any] = {
            "batch_size": BATCH,
            "num_samples": samples,
            "shuffle": train,
            "seed": seed,
            "drop_remainder": train,
            "num_epochs": None if train else 1,
        }
        if not case.frontend:
            return caching.CachedLoader(array, catalog, rows, **options)
        return pipeline.Loader(catalog, rows, crop="random" if train else "center", **options)

    for k in range(case.members):
        fold, seed = k % FOLDS, k // FOLDS
        split = grouped_split(catalog.labels, catalog.groups, fold=fold, seed=seed, classes=CLASSES)
        rngs = nnx.Rngs(seed)
        if case.frontend:
            frontend = frontends.build(case.frontend, sr=SR, options={}, rngs=rngs)
            model = EmotionModel(frontend, Normalizer(case.shape[-1]), case.network(rngs))
            once = loader(split.train, seed, train=False)
            model.standardisation.take(models.fit_normalizer(model, once))
        else:
            given = Precomputed(TimeDomain(sr=SR, rngs=rngs))
            model = EmotionModel(given, Normalizer(case.shape[-1]), case.network(rngs))
            caching.standardise(model, array, split.train)
        yield Recruit(
            model,
            loader(split.train, seed, train=True),
            loader(split.validation, seed, train=False),
            lambda true, predicted: scores.compute(true, predicted, CLASSES),
            training=TrainingConfig(epochs=case.epochs, batch_size=BATCH, patience=case.epochs),
            optimizer_config=OptimizerConfig(),
            seed=seed,
        )


@dataclasses.dataclass(frozen=True)
class _Noise:
    clips: int
    samples: int

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, row: int) -> np.ndarray:
        noise = np.random.default_rng(row).standard_normal(self.samples)
        return (0.1 * noise).astype(np.float32)


def _catalog(clips: int, seconds: float) -> Any:
    from mer_jax.data.catalog import Catalog

    names = tuple(map(str, range(clips)))
    return Catalog(
        name="random numbers",
        classes=CLASSES,
        ids=names,
        groups=tuple(str(k // 3) for k in range(clips)),
        labels=(np.arange(clips) // 3 % len(CLASSES)).astype(np.int32),
        valence_arousal=None,
        sr=SR,
        durations_s=np.full(clips, seconds),
        source=_Noise(clips, round(SR * seconds)),
    )

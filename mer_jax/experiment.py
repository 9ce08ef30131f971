"""One experiment from configuration to report: what ``train``, ``evaluate`` and ``predict`` share."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import checks, config, data, features, machine, models
from mer_jax.config import ExperimentConfig
from mer_jax.data import pipeline, splits
from mer_jax.data.atomic import atomic_path
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import feature_examples, report, scores
from mer_jax.frontends import backends
from mer_jax.frontends.backends.handover import FeatureLoader, Precomputed
from mer_jax.models import EmotionModel, Normalizer
from mer_jax.training import checkpoint, loop

PARTS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run, ready to compute.

    Attributes:
        path: the run folder.
        config: its configuration.
        classes: names of the classes.
        class_valence_arousal: (classes, 2) mean valence and arousal of each class in the training part, or None.
        model: front-end, standardisation and network with the best weights.
    """

    path: Path
    config: ExperimentConfig
    classes: tuple[str, ...]
    class_valence_arousal: np.ndarray | None
    model: EmotionModel


def build_model(settings: ExperimentConfig, num_classes: int) -> EmotionModel:
    """Front-end, standardisation (not fitted yet) and network of a configuration.

    Raises:
        mer_jax.checks.ConfigError: an unknown front-end or option, or sizes that do not fit.
    """
    rngs = nnx.Rngs(settings.seed)
    frontend = features.build(
        settings.frontend.name, sr=settings.sr, options=settings.frontend.options, rngs=rngs
    ).frontend
    network = models.build(
        settings.model,
        num_features=frontend.num_features,
        num_classes=num_classes,
        num_frames=frontend.num_frames(settings.num_samples),
        rngs=rngs,
    )
    if settings.backend != "jax":
        frontend = Precomputed(frontend)
    return EmotionModel(frontend, Normalizer(frontend.num_features), network)


def run(settings: ExperimentConfig, *, resume: bool = False, progress: bool = True) -> Path:
    """Train, evaluate and report one configuration.

    Args:
        settings: what to run; ``settings.out`` is the run folder.
        resume: go on after the last checkpoint in the folder.
        progress: show progress.

    Returns:
        The run folder.

    Raises:
        mer_jax.checks.InputError: data, configuration or folder cannot be used.
    """
    started = time.perf_counter()
    out = Path(settings.out)
    catalog = data.load(settings.data, sr=settings.sr)
    _check_labels(catalog, settings.data)
    split = splits.grouped_split(
        catalog.labels,
        catalog.groups,
        fold=settings.fold,
        folds=settings.folds,
        seed=settings.seed,
        classes=catalog.classes,
    )
    model = build_model(settings, len(catalog.classes))
    _claim(out, settings, resume=resume)
    facts = _facts(settings, catalog, split, model)
    _write_json(out / "facts.json", facts)
    loaders = {
        part: _loader(catalog, getattr(split, part), settings, train=part == "train") for part in PARTS
    }
    model.normalizer = models.fit_normalizer(
        model.frontend, _loader(catalog, split.train, settings, train=False)
    )
    result = loop.fit(
        model,
        loaders["train"],
        loaders["validation"],
        score=lambda labels, probabilities: scores.compute(labels, probabilities, catalog.classes),
        training=settings.training,
        optimizer_config=settings.optimizer,
        run_dir=out,
        seed=settings.seed,
        resume=resume,
        progress=progress,
    )
    _score(out, catalog, model, {part: loaders[part] for part in ("validation", "test")})
    feature_examples.write(out, catalog, rows=split.test, sr=settings.sr, num_samples=settings.num_samples)
    facts |= {
        "finished": _now(),
        "wall_s": round(time.perf_counter() - started, 3),
        "first_step_s": None if np.isnan(result.first_step_s) else round(result.first_step_s, 3),
        "best_epoch": result.best_epoch,
    }
    _write_json(out / "facts.json", facts)
    report.write(out)
    if progress:
        print(report.summary_table(out))
        print(f"report: {out / 'report.html'}")
    return out


def restore(path: str | Path) -> TrainedRun:
    """Load a finished run for evaluation and prediction.

    Raises:
        mer_jax.checks.CheckpointError: the folder holds no run, or one without a checkpoint.
    """
    path = Path(path)
    for name in ("config.json", "facts.json"):
        if not (path / name).is_file():
            raise checks.CheckpointError(
                path,
                f"has no {name}",
                expected="a run folder written by 'mer-jax train' or 'mer-jax demo'",
                remedy="train first, or name another folder",
            )
    settings = config.from_json(
        (path / "config.json").read_text(encoding="utf-8"), where=path / "config.json"
    )
    facts = json.loads((path / "facts.json").read_text(encoding="utf-8"))
    classes = tuple(facts["data"]["classes"])
    model = build_model(settings, len(classes))
    checkpoint.load_model(path, model)
    ratings = facts["data"].get("class_valence_arousal")
    return TrainedRun(path, settings, classes, None if ratings is None else np.asarray(ratings), model)


def probability_function(trained: TrainedRun) -> Callable[[Any, Any], jax.Array]:
    """A compiled function from (waveforms, lengths) to class probabilities, with the run's own backend."""
    settings = trained.config
    forward = _probabilities(trained.model)
    if settings.backend == "jax":
        return forward
    compute = _backend(settings)
    return lambda waveforms, lengths: forward(compute(waveforms), lengths)


def evaluate(path: str | Path, *, spec: str | None = None, part: str = "test") -> dict[str, Any]:
    """Score a finished run anew.

    Args:
        path: the run folder.
        spec: score all of this data set instead of a part of the run's own; its classes must be the run's.
        part: "validation" or "test" of the run's own split.

    Returns:
        The scores (:func:`mer_jax.evaluation.scores.compute`).

    Raises:
        mer_jax.checks.InputError: the run or the data cannot be used, or the classes differ.
    """
    checks.one_of("part", part, ("validation", "test"))
    trained = restore(path)
    settings = trained.config
    catalog = data.load(spec or settings.data, sr=settings.sr)
    _check_labels(catalog, spec or settings.data)
    if catalog.classes != trained.classes:
        raise checks.DataError(
            spec or settings.data,
            f"has the classes {', '.join(catalog.classes)}",
            expected=f"those of the run: {', '.join(trained.classes)}",
        )
    rows = np.arange(len(catalog))
    if spec is None:
        split = splits.grouped_split(
            catalog.labels, catalog.groups, fold=settings.fold, folds=settings.folds, seed=settings.seed
        )
        rows = getattr(split, part)
    found = _predict(trained.model, _loader(catalog, rows, settings, train=False))
    return scores.compute(catalog.labels[found["index"]], found["probabilities"], catalog.classes)


def _backend(settings: ExperimentConfig) -> backends.Compute:
    frontend = features.build(
        settings.frontend.name,
        sr=settings.sr,
        options=settings.frontend.options,
        rngs=nnx.Rngs(settings.seed),
    ).frontend
    return backends.compile_backend(settings.backend, frontend)


def _loader(catalog: Catalog, rows: np.ndarray, settings: ExperimentConfig, *, train: bool) -> Any:
    """Batches of one part: shuffled random crops to train on, centre crops in order to measure with."""
    loader = pipeline.Loader(
        catalog,
        rows,
        batch_size=settings.training.batch_size,
        num_samples=settings.num_samples,
        shuffle=train,
        seed=settings.seed,
        crop="random" if train else "center",
        # A whole batch each step: filler would count in batch statistics. Too few clips for one batch stay, filled up.
        drop_remainder=train and len(rows) >= settings.training.batch_size,
        num_epochs=None if train else 1,
    )
    return loader if settings.backend == "jax" else FeatureLoader(loader, _backend(settings))


def _probabilities(model: EmotionModel) -> Callable[[Any, Any], jax.Array]:
    graph, state = nnx.split(model)

    @jax.jit
    def forward(state: Any, inputs: jax.Array, lengths: jax.Array) -> jax.Array:
        return jax.nn.softmax(nnx.merge(graph, state)(inputs, lengths))

    return lambda inputs, lengths: forward(state, inputs, lengths)


def _predict(model: EmotionModel, loader: Any) -> dict[str, np.ndarray]:
    """Probabilities of every clip of a loader, and its row in the catalog."""
    forward = _probabilities(model)
    probabilities, index = [], []
    for batch in loader:
        real = np.asarray(batch["weight"]) > 0
        probabilities.append(np.asarray(forward(batch["waveform"], batch["length"]))[real])
        index.append(np.asarray(batch["index"])[real])
    return {"probabilities": np.concatenate(probabilities), "index": np.concatenate(index)}


def _score(out: Path, catalog: Catalog, model: EmotionModel, loaders: Mapping[str, Any]) -> None:
    """Write ``scores.json`` of the parts and ``predictions.npz`` of the test part."""
    results = {}
    for part, loader in loaders.items():
        found = _predict(model, loader)
        rows, probabilities = found["index"], found["probabilities"]
        results[part] = scores.compute(catalog.labels[rows], probabilities, catalog.classes)
        if part == "test":
            with atomic_path(out / "predictions.npz") as temporary, open(temporary, "wb") as file:
                np.savez(
                    file,
                    ids=np.array([catalog.ids[row] for row in rows]),
                    groups=np.array([catalog.groups[row] for row in rows]),
                    labels=catalog.labels[rows],
                    probabilities=probabilities,
                    classes=np.array(catalog.classes),
                )
    _write_json(out / "scores.json", results)


def _facts(
    settings: ExperimentConfig, catalog: Catalog, split: splits.Split, model: EmotionModel
) -> dict[str, Any]:
    """What a reader needs to know of a run: data, split, seed, versions, hardware."""
    parameters = nnx.state(model, nnx.Param)
    ratings = catalog.valence_arousal
    means = None
    if ratings is not None:
        train_labels = catalog.labels[split.train]
        means = [
            ratings[split.train][train_labels == k].mean(axis=0).tolist() for k in range(len(catalog.classes))
        ]
    return {
        "data": {
            "name": catalog.name,
            "synthetic": catalog.facts.get("synthetic", "no"),
            "classes": list(catalog.classes),
            "num_clips": len(catalog),
            "num_groups": len(set(catalog.groups)),
            "counts": {part: catalog.counts(getattr(split, part)) for part in PARTS},
            "class_valence_arousal": means,
            **{key: value for key, value in catalog.facts.items() if key != "synthetic"},
        },
        "seed": settings.seed,
        "fold": settings.fold,
        "folds": settings.folds,
        "backend": settings.backend,
        "num_parameters": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
        "versions": machine.describe_versions(),
        "hardware": machine.describe_machine(),
        "started": _now(),
    }


def _check_labels(catalog: Catalog, spec: str) -> None:
    if len(catalog.classes) < 2 or (catalog.labels < 0).any():
        raise checks.DataError(
            spec, "has clips without a class", expected="a label for every clip, of at least two classes"
        )


def _claim(out: Path, settings: ExperimentConfig, *, resume: bool) -> None:
    """Make the run folder this run's own: nothing that is there is overwritten by another configuration."""
    path = out / "config.json"
    if path.exists():
        before = config.from_json(path.read_text(encoding="utf-8"), where=path)
        if not resume:
            raise checks.ConfigError(
                out, "holds a run already", remedy="go on with --resume, or choose another --out"
            )
        if dataclasses.replace(before, out=settings.out) != settings:
            raise checks.ConfigError(
                out,
                "holds a run with other settings",
                remedy="resume with the same flags, or choose another --out",
            )
        return
    if resume:
        raise checks.ConfigError(out, "holds no run to go on with", remedy="start it without --resume")
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(config.to_json(settings), encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

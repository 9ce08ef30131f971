"""What a reader needs to know of a run besides its scores: data, split, seed, model, versions, hardware."""

import zlib
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import machine
from mer_jax.config import ExperimentConfig
from mer_jax.data import splits
from mer_jax.data.catalog import PARTS, Catalog
from mer_jax.experiment import folder, targets
from mer_jax.models import EmotionModel
from mer_jax.models.vgg19 import VGG19, parameter_counts
from mer_jax.training.task import Task


def of_run(
    settings: ExperimentConfig, catalog: Catalog, split: splits.Split, model: EmotionModel, task: Task
) -> dict[str, Any]:
    """The facts of a run, before it."""
    return {
        "task": {"name": settings.task, **targets.to_json(task)},
        "data": of_data(catalog, split),
        "seed": settings.seed,
        "split": settings.split,
        **({"fold": settings.fold, "folds": settings.folds} if settings.split == "grouped" else {}),
        "backend": settings.backend,
        "precision": settings.precision,
        **parameter_counts(model),
        **of_base(settings, model),
        "versions": machine.describe_versions(),
        "hardware": machine.describe_machine(),
        "started": folder.now(),
    }


def of_data(catalog: Catalog, split: splits.Split) -> dict[str, Any]:
    """The data set, and how many clips of each class are in each part."""
    ratings = catalog.valence_arousal
    means = None
    train_labels = catalog.labels[split.train]
    every_class = set(range(len(catalog.classes))) <= set(train_labels.tolist())
    if ratings is not None and catalog.classes and every_class:
        means = [
            ratings[split.train][train_labels == k].mean(axis=0).tolist() for k in range(len(catalog.classes))
        ]
    return {
        "name": catalog.name,
        "synthetic": catalog.facts.get("synthetic", "no"),
        "classes": list(catalog.classes),
        "targets": list(catalog.target_names),
        "rating_range": catalog.rating_range,
        "num_clips": len(catalog),
        "num_groups": len(set(catalog.groups)),
        "counts": {part: catalog.counts(getattr(split, part)) for part in PARTS},
        "class_valence_arousal": means,
        **{key: value for key, value in catalog.facts.items() if key != "synthetic"},
    }


def of_base(settings: ExperimentConfig, model: EmotionModel) -> dict[str, Any]:
    """Where a VGG19's base started, and a checksum of its weights; nothing for other networks."""
    if not isinstance(model.network, VGG19):
        return {}
    return {"base_init": settings.base_init, "base_checksum": base_checksum(model.network)}


def base_checksum(network: VGG19) -> str:
    """CRC-32 of the weights of a base."""
    total = 0
    for leaf in jax.tree.leaves(nnx.to_pure_dict(nnx.state(network.base))):
        total = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), total)
    return f"{total:08x}"

"""A run folder whose weights were never trained, for what only has to be restored."""

from pathlib import Path

import numpy as np

from mer_jax.config import ExperimentConfig
from mer_jax.experiment import building, caching, facts, folder, targets
from mer_jax.training import checkpoint
from mer_jax.training.step import split
from mer_jax.training.task import Task


def write(
    settings: ExperimentConfig,
    task: Task,
    *,
    classes: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    class_valence_arousal: list[list[float]] | None = None,
    rating_range: tuple[float, float] | None = None,
    cached: bool = False,
    finished: bool = True,
) -> Path:
    """Write what ``mer-jax train`` would have written, as far as :func:`mer_jax.experiment.restore` reads it."""
    out = Path(settings.out)
    model = building.build_model(settings, len(classes + numbers), rate_hz=targets.rate_of(task))
    if model.normalizer is not None:  # as if it had been fitted
        rng = np.random.default_rng(0)
        for statistic, low in ((model.normalizer.mean, -1.0), (model.normalizer.std, 0.5)):
            statistic[...] = rng.uniform(low, 1.0, statistic[...].shape).astype(np.float32)
    known = {
        "task": {"name": settings.task, **targets.to_json(task)},
        "data": {
            "name": "none",
            "synthetic": "no",
            "classes": list(classes),
            "targets": list(numbers),
            "class_valence_arousal": class_valence_arousal,
            "rating_range": rating_range,
        },
        "versions": {},
        "cached": cached,
        "best_epoch": 3,
        **facts.of_base(settings, model),
    }
    folder.write_config(out, settings)
    folder.write_json(out / "facts.json", known | ({"finished": folder.now()} if finished else {}))
    stored = caching.trained_part(model) if cached else model
    store = checkpoint.Store(out, "best")
    _, params, rest = split(stored)
    checkpoint.save_best(store, 1, params, rest, {"epoch": 3})
    store.close()
    return out

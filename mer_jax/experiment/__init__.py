"""One experiment from configuration to report: what ``train``, ``evaluate``, ``study`` and ``predict`` share."""

from mer_jax.experiment.building import build_model
from mer_jax.experiment.crossval import cross_validate, describe
from mer_jax.experiment.evaluating import evaluate
from mer_jax.experiment.restoring import TrainedRun, output_function, restore
from mer_jax.experiment.running import run
from mer_jax.experiment.sequences import course
from mer_jax.experiment.transfer import leave_one_out

__all__ = [
    "TrainedRun",
    "build_model",
    "course",
    "cross_validate",
    "describe",
    "evaluate",
    "leave_one_out",
    "output_function",
    "restore",
    "run",
]

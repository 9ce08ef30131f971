"""Training: loss, optimiser, one compiled step, the loop with checkpoints that resume bit for bit."""

from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.loop import FitResult, TrainingConfig, fit
from mer_jax.training.optimizer import OptimizerConfig
from mer_jax.training.sequence_task import SequenceRegression
from mer_jax.training.step import TrainState, make_step
from mer_jax.training.task import Classification, Joint, MultiLabel, Regression

__all__ = [
    "AugmentationConfig",
    "Classification",
    "FitResult",
    "Joint",
    "MultiLabel",
    "OptimizerConfig",
    "Regression",
    "SequenceRegression",
    "TrainState",
    "TrainingConfig",
    "fit",
    "make_step",
]

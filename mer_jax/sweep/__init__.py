"""Search over learning rate, weight decay and dropout by successive halving."""

from mer_jax.sweep.config import SweepConfig
from mer_jax.sweep.engine import run

__all__ = ["SweepConfig", "run"]

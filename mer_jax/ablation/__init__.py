"""Ablation of front-ends: the same network, splits and seeds behind each, one report."""

from mer_jax.ablation.config import AblationConfig
from mer_jax.ablation.engine import run

__all__ = ["AblationConfig", "run"]

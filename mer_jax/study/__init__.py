"""The study's whole table: every feature with every network it was tried with, under the same splits and seeds."""

from mer_jax.study.cells import CELLS, QUICK, Cell
from mer_jax.study.config import StudyConfig, quick
from mer_jax.study.engine import run

__all__ = ["CELLS", "QUICK", "Cell", "StudyConfig", "quick", "run"]

"""What a trained model is worth: scores, their uncertainty, pictures, the reports of a run and of a study.

Modules are imported when they are first used, so that computing scores does not load matplotlib.

>>> from mer_jax import evaluation
>>> evaluation.scores.NUM_BINS
15
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mer_jax.evaluation import (
        bootstrap,
        canvas,
        confusion_plots,
        curve_plots,
        examples,
        feature_plots,
        html,
        plots,
        report,
        run_folder,
        scores,
        sections,
        statistics,
        study_figures,
        study_folder,
        study_report,
        study_table,
    )

__all__ = [
    "bootstrap",
    "canvas",
    "confusion_plots",
    "curve_plots",
    "examples",
    "feature_plots",
    "html",
    "plots",
    "report",
    "run_folder",
    "scores",
    "sections",
    "statistics",
    "study_figures",
    "study_folder",
    "study_report",
    "study_table",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"mer_jax.evaluation.{name}")
    raise AttributeError(f"module 'mer_jax.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

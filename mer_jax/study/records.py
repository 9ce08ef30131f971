"""What a study leaves for its report besides scores: predictions, the true values of targets, example clips."""

from pathlib import Path

import numpy as np

from mer_jax.data.atomic import write_arrays
from mer_jax.data.catalog import PARTS, Catalog
from mer_jax.data.splits import Split
from mer_jax.evaluation import feature_examples, study_report
from mer_jax.evaluation.measures import CLASSES, Measures
from mer_jax.experiment import targets
from mer_jax.experiment.fitting import Fitted
from mer_jax.study.config import StudyConfig
from mer_jax.training.task import Task


def write_predictions(path: Path, catalog: Catalog, task: Task, fitted: Fitted, measures: Measures) -> None:
    """Test and validation part clip by clip (the latter's arrays are called ``validation_...``).

    Args:
        path: of the ``.npz`` file: ``ids`` and ``groups``, what is true, the outputs and their names
            (:attr:`mer_jax.evaluation.measures.Measures.arrays`), and the ``thresholds`` of tags.
        catalog: the data set.
        task: what was asked for.
        fitted: what training gave.
        measures: of the task.
    """
    truth, outputs, named = measures.arrays
    names = catalog.classes if measures is CLASSES else catalog.target_names
    columns: dict[str, np.ndarray] = {named: np.array(names)}
    for prefix, part in (("", "test"), ("validation_", "validation")):
        found, rows, _ = fitted.predictions[part]
        columns[prefix + "ids"] = np.array([catalog.ids[row] for row in rows])
        columns[prefix + "groups"] = np.array([catalog.groups[row] for row in rows])
        columns[prefix + truth] = targets.truth(catalog, task, rows)
        columns[prefix + outputs] = found
    if fitted.thresholds is not None:
        columns["thresholds"] = fitted.thresholds
    write_arrays(path, columns)


def write_targets(out: Path, catalog: Catalog, split: Split) -> None:
    """The true values of each part of the first split, for the report's section on data."""
    assert catalog.targets is not None  # the caller sees to it
    parts = {part: catalog.targets[getattr(split, part)] for part in PARTS}
    write_arrays(out / study_report.TARGETS, {"names": np.array(catalog.target_names), **parts})


def write_examples(out: Path, catalog: Catalog, rows: np.ndarray, settings: StudyConfig) -> None:
    """Features of some clips: one of each class, clips high and low in a number, or clips with a tag."""
    choose = {"numbers": feature_examples.of_numbers, "tags": feature_examples.of_tags}
    kind = settings.measures.kind
    feature_examples.write(
        out,
        catalog,
        rows=rows,
        sr=settings.sr,
        num_samples=settings.of_cell(settings.chosen[0]).num_samples,
        clips=choose[kind](catalog, rows) if kind in choose else None,
    )

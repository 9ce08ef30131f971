"""A study's table for other programs: everything it shows as JSON, and a row a cell as CSV."""

import csv
import dataclasses
import io
from typing import Any

import numpy as np

from mer_jax.evaluation import study_figures
from mer_jax.evaluation.measures import CLASSES
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_table import Choice, Comparison, Pooled, Row, Table
from mer_jax.evaluation.study_verdict import sentences

_FACTS = ("num_parameters", "num_trainable", "feature_s", "train_s", "epochs", "best_epoch")


def results(table: Table) -> dict[str, Any]:
    """The table as plain numbers, strings, lists and None.

    Returns:
        ``task``, ``data``, ``splits``, ``cells`` (in order; ``scores`` is None for one that is not finished), ``choices``,
        ``comparisons``, ``verdict`` (sentences), of classes ``published`` (figures of the 2021 study, of another data set),
        ``notes``, ``versions``, ``hardware``, ``started``, ``finished``.
    """
    study = table.study
    published = {
        "source": study_figures.SOURCE,
        "data": study_figures.OTHER_DATA,
        "mse": study_figures.MSE_NOTE,
        "figures": [dataclasses.asdict(figure) for figure in study_figures.FIGURES],
    }
    return {
        "task": study.facts.get("task", "classes"),
        "data": {**study.facts["data"], "synthetic": study.synthetic},
        "splits": [{"fold": split.fold, "seed": split.seed} for split in study.splits],
        "selected_on": "validation",
        "cells": [_cell(table, row) for row in table.rows],
        "choices": {APPROACHES[approach]: _choice(choice) for approach, choice in table.choices.items()},
        "comparisons": [_comparison(comparison) for comparison in table.comparisons],
        "verdict": sentences(table),
        **({"published": published} if study.measures is CLASSES else {}),
        **{key: study.facts.get(key) for key in ("notes", "versions", "hardware", "started", "finished")},
    }


def csv_text(table: Table) -> str:
    """A row a cell: names, data, status, scores with their intervals, size, times; empty where there is no value."""
    study = table.study
    rows = []
    for row in table.rows:
        cell = {
            "cell": row.cell.id,
            "approach": row.cell.approach,
            "title": row.cell.title,
            "features": row.cell.features,
            "network": row.cell.network,
            "data": study.data_name,
            "synthetic": "yes" if study.synthetic else "no",
            "splits_done": row.num_done,
            "splits": len(study.splits),
            "chosen_in_splits": row.num_chosen,
            "base_init": row.words("base_init"),
            f"validation_{study.measures.headline}": row.validation,
        }
        for metric in study.measures.table:
            span = row.pooled.intervals[metric] if row.pooled else None
            cell[metric] = row.pooled.scores[metric] if row.pooled else None
            if metric != "ece":
                cell[f"{metric}_low"], cell[f"{metric}_high"] = span or (None, None)
        cell |= {key: row.fact(key) for key in _FACTS}
        rows.append(cell)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _cell(table: Table, row: Row) -> dict[str, Any]:
    cell, known = row.cell, table.study.measures
    published = study_figures.counterparts(cell.approach, cell.features, cell.network)
    return {
        "id": cell.id,
        "approach": cell.approach,
        "title": cell.title,
        "features": cell.features,
        "network": cell.network,
        "splits_done": row.num_done,
        "complete": row.pooled is not None,
        "chosen_in_splits": row.num_chosen,
        "base_init": row.words("base_init") or None,
        f"validation_{known.headline}": row.validation,
        **_pooled(row.pooled),
        **{key: row.fact(key) for key in _FACTS},
        **({"published": [dataclasses.asdict(figure) for figure in published]} if known is CLASSES else {}),
        "by_split": [
            {
                "fold": split.fold,
                "seed": split.seed,
                **{
                    part: {metric: run.scores[part].get(metric) for metric in known.table}
                    for part in ("validation", "test")
                },
            }
            for split, run in cell.runs.items()
        ],
    }


def _pooled(pooled: Pooled | None) -> dict[str, Any]:
    if pooled is None:
        return {"scores": None}
    over = {metric: mean and dataclasses.asdict(mean) for metric, mean in pooled.over_splits.items()}
    return {
        "scores": dict(pooled.scores),
        "intervals": dict(pooled.intervals),
        "over_splits": over,
        **({} if pooled.confusion is None else _of_classes(pooled, pooled.confusion)),
        **({"per_target": pooled.per_target} if pooled.per_target else {}),
    }


def _of_classes(pooled: Pooled, confusion: np.ndarray) -> dict[str, Any]:
    return {"calibrated_ece": pooled.calibrated_ece, "confusion": confusion.tolist()}


def _choice(choice: Choice) -> dict[str, Any]:
    cells = [
        {"fold": split.fold, "seed": split.seed, "cell": cell.id} for split, cell in choice.cells.items()
    ]
    return {"approach": choice.approach, "cells": cells, **_pooled(choice.pooled)}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    differences, over = comparison.differences, comparison.over_splits
    return {
        "first": comparison.first.approach,
        "second": comparison.second.approach,
        **{
            metric: {
                "bootstrap": (found := differences[metric]) and dataclasses.asdict(found),
                "over_splits": (mean := over[metric]) and dataclasses.asdict(mean),
            }
            for metric in differences
        },
        "mcnemar_p": comparison.mcnemar_p,
    }

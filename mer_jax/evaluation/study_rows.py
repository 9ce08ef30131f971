"""Rows of the tables of a study's report, one a cell, with a heading for each approach."""

from collections import defaultdict
from collections.abc import Callable

from mer_jax.evaluation import html, run_facts, study_facts
from mer_jax.evaluation.html import Html, stack
from mer_jax.evaluation.measures import CLASSES
from mer_jax.evaluation.study_facts import DASH
from mer_jax.evaluation.study_folder import Study
from mer_jax.evaluation.study_plots import Score
from mer_jax.evaluation.study_table import Row, Table


def by_approach(table: Table) -> dict[int, list[Row]]:
    """Approach -> its rows, in order."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in table.rows:
        found[row.cell.approach].append(row)
    return dict(sorted(found.items()))


def grouped(table: Table, cells: Callable[[Row, Study], list[object]]) -> list[list[object] | Html]:
    """Rows of a table, each approach below a heading.

    Args:
        table: what the study found.
        cells: what makes the cells of a row.
    """
    out: list[list[object] | Html] = []
    for approach, rows in by_approach(table).items():
        out.append(html.text(study_facts.HEADINGS[approach]))
        out += [cells(row, table.study) for row in rows]
    return out


def score_cells(row: Row, study: Study) -> list[object]:
    """Name, validation score, scores with their intervals, parameters, times; of classes the published accuracy."""
    first, *others = study_facts.published(row) or [""]
    published = [stack(first, ", ".join(others))] if study.measures is CLASSES else []
    return [
        stack(name(row, study), f"{row.cell.features} → {row.cell.network}"),
        DASH if not row.num_done else run_facts.number(row.validation),
        *(
            stack(study_facts.score(row, metric), study_facts.interval(row, study, metric))
            for metric in study.measures.table
        ),
        stack(*study_facts.parameters(row)),
        study_facts.seconds(row, "feature_s"),
        study_facts.seconds(row, "train_s"),
        *published,
    ]


def over_splits_cells(row: Row, study: Study) -> list[object]:
    """Name; mean, standard deviation and corrected interval over folds and seeds of the compared metrics."""
    cells: list[object] = [name(row, study)]
    for metric in study.measures.compared:
        found = None if row.pooled is None else row.pooled.over_splits[metric]
        cells += (
            [DASH, DASH, DASH]
            if found is None
            else [f"{found.mean:.3f}", f"{found.sd:.3f}", study_facts.spanned((found.low, found.high), 3)]
        )
    return cells


def fact_cells(row: Row, study: Study) -> list[object]:
    """Name, data set, clips of each part, splits that are done, epochs, base, machine."""
    return [
        name(row, study),
        f"{study.data_name} (synthetic)" if study.synthetic else study.data_name,
        study_facts.clips(row),
        f"{row.num_done} of {len(study.splits)}",
        study_facts.epochs(row),
        study_facts.base(row),
        study_facts.ran_on(row, study),
    ]


def picture_row(row: Row, study: Study, metrics: tuple[str, ...]) -> Score:
    """The row of a cell in the picture of scores."""
    pooled = row.pooled
    values: dict[str, tuple[float, list[float] | None]] = {}
    for metric in metrics:
        value = None if pooled is None else pooled.scores[metric]
        if pooled is not None and value is not None:
            values[metric] = (value, pooled.intervals[metric])
    missing = study_facts.status(row, study) or run_facts.UNDEFINED
    return Score(row.cell.title, row.cell.approach, values, missing, bool(row.num_chosen))


def name(row: Row, study: Study) -> Html:
    """Title of a cell, and whether it is chosen or missing."""
    chosen, missing = study_facts.chosen(row, study), study_facts.status(row, study)
    chips = [html.chip(chosen) if chosen else "", html.chip(missing, warning=True) if missing else ""]
    return html.join([row.cell.title, *chips])

"""The table of a study: pooled scores of every cell, the cells chosen on validation data, and their comparison.

A score of a cell is computed on the pooled out-of-fold predictions of a seed and then averaged over the seeds. A cell that is
not done on every split has no score: pooled over other clips than the rest it could not be compared with them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import statistics
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.statistics import Difference, Mean
from mer_jax.evaluation.study_folder import APPROACHES, Cell, CellRun, Split, Study
from mer_jax.evaluation.study_pooling import Pooled, mean, minus, over_splits, pool, replicates

#: Approaches that are compared: the study's thesis, best hand-designed features against best pictures, comes first.
PAIRS = ((2, 3), (2, 1), (3, 1))


@dataclass(frozen=True)
class Row:
    """A cell in the table.

    Attributes:
        cell: the cell.
        pooled: its scores; None while a split is missing.
        num_chosen: in how many splits it is the one that its approach chooses.
        validation: headline score of the validation part, mean over the splits that are done; None before the first, or where
            it is undefined.
    """

    cell: Cell
    pooled: Pooled | None
    num_chosen: int
    validation: float | None = None

    @property
    def num_done(self) -> int:
        """Number of splits that are done."""
        return len(self.cell.runs)

    def fact(self, key: str) -> float | None:
        """Mean over the splits that are done of a number in ``result.json``; None where it is not recorded.

        The time of the features is the longest of them: they are computed once and kept.
        """
        found = [run.facts[key] for run in self.cell.runs.values() if run.facts.get(key) is not None]
        if not found:
            return None
        return float(max(found) if key == "feature_s" else np.mean(found))

    def words(self, key: str) -> str:
        """What ``result.json`` says in words, each saying once; "" where nothing."""
        found = (run.facts.get(key) for run in self.cell.runs.values())
        return ", ".join(dict.fromkeys(str(value) for value in found if value is not None))


@dataclass(frozen=True)
class Choice:
    """The best cell of an approach in each split, by validation scores alone.

    Attributes:
        approach: 1, 2 or 3.
        cells: split -> the cell that was chosen there.
        pooled: test scores of the chosen cells.
    """

    approach: int
    cells: Mapping[Split, Cell]
    pooled: Pooled

    @property
    def title(self) -> str:
        """Titles of the chosen cells, the most frequent one first, with the number of splits where there are several."""
        count = Counter(cell.title for cell in self.cells.values())
        if len(count) == 1:
            return next(iter(count))
        return ", ".join(f"{title} ({number}×)" for title, number in count.most_common())


@dataclass(frozen=True)
class Comparison:
    """The chosen cells of one approach against those of another, on the same clips.

    Attributes:
        first, second: the choices; differences are first minus second.
        differences: metric -> paired difference of the pooled scores, None where undefined.
        over_splits: metric -> mean difference over folds and seeds, corrected; None for a single split.
        mcnemar_p: exact McNemar p-value of a single split, None where there are several.
    """

    first: Choice
    second: Choice
    differences: Mapping[str, Difference | None]
    over_splits: Mapping[str, Mean | None]
    mcnemar_p: float | None


@dataclass(frozen=True)
class Table:
    """Everything a study found.

    Attributes:
        study: the study.
        rows: one a cell, in order.
        choices: approach -> its chosen cells; approaches without a complete cell are absent.
        comparisons: of the pairs of :data:`PAIRS` of which both are there.
    """

    study: Study
    rows: tuple[Row, ...]
    choices: Mapping[int, Choice]
    comparisons: tuple[Comparison, ...]

    @property
    def incomplete(self) -> tuple[Row, ...]:
        """Rows of the cells that are not done on every split."""
        return tuple(row for row in self.rows if row.pooled is None)


def compute(study: Study) -> Table:
    """Pool, choose and compare."""
    pooled = {
        cell.id: pool(study, dict.fromkeys(study.splits, cell))
        for cell in study.cells
        if study.is_complete(cell)
    }
    choices = {}
    for approach in APPROACHES:
        cells = choose(study, approach)
        if cells is not None:
            names = {cell.id for cell in cells.values()}
            alone = pooled[next(iter(names))] if len(names) == 1 else pool(study, cells)
            choices[approach] = Choice(approach, cells, alone)
    count = Counter(cell.id for choice in choices.values() for cell in choice.cells.values())
    drawn = {approach: _paired_replicates(study, choice) for approach, choice in choices.items()}
    return Table(
        study=study,
        rows=tuple(
            Row(cell, pooled.get(cell.id), count[cell.id], _validation(study, cell)) for cell in study.cells
        ),
        choices=choices,
        comparisons=tuple(
            compare(study, (choices[first], choices[second]), (drawn[first], drawn[second]))
            for first, second in PAIRS
            if first in choices and second in choices
        ),
    )


def choose(study: Study, approach: int) -> dict[Split, Cell] | None:
    """The cell of an approach with the highest headline score on validation clips, in each split on its own.

    Of cells that are equal the one with the lower validation score of ``measures.tie_break`` is taken, of those the first. Test
    scores are not looked at. Only cells that are done on every split take part, so that each split chooses among the same ones.

    Returns:
        Split -> cell, or None where the approach has no complete cell.
    """
    candidates = [cell for cell in study.cells if cell.approach == approach and study.is_complete(cell)]
    if not candidates:
        return None

    def merit(cell: Cell, split: Split) -> tuple[float, float]:
        found = cell.runs[split].scores["validation"]
        first, second = found[study.measures.headline], found[study.measures.tie_break]
        return -np.inf if first is None else first, -np.inf if second is None else -second

    return {split: max(candidates, key=lambda cell: merit(cell, split)) for split in study.splits}


def _paired_replicates(study: Study, choice: Choice) -> dict[str, np.ndarray]:
    """The compared scores in each resample; the same resamples for all choices, as all have the same clips."""
    known = study.measures
    return replicates(study, choice.pooled.predictions, known.compared, known.paired_resamples)


def compare(
    study: Study, choices: tuple[Choice, Choice], drawn: tuple[Mapping[str, np.ndarray], ...]
) -> Comparison:
    """Paired comparison of the chosen cells of two approaches.

    Args:
        study: the study.
        choices: of the first and the second.
        drawn: the compared scores of each in the same resamples.
    """
    first, second = choices
    compared = study.measures.compared
    pairs = [(first.cells[split].runs[split], second.cells[split].runs[split]) for split in study.splits]
    of_splits = {
        metric: over_splits(
            [run for run, _ in pairs],
            [minus(a.scores["test"][metric], b.scores["test"][metric]) for a, b in pairs],
        )
        for metric in compared
    }
    differences: dict[str, Difference | None] = dict.fromkeys(compared)
    for metric in compared:
        value = minus(first.pooled.scores[metric], second.pooled.scores[metric])
        if value is not None and metric in drawn[0]:
            differences[metric] = statistics.difference(value, drawn[0][metric] - drawn[1][metric])
    return Comparison(first, second, differences, of_splits, _mcnemar(pairs))


def _mcnemar(pairs: Sequence[tuple[CellRun, CellRun]]) -> float | None:
    """Exact McNemar p-value of classes on a single split."""
    right = [
        run.predictions.probabilities.argmax(axis=1) == run.predictions.labels
        for pair in pairs
        for run in pair
        if isinstance(run.predictions, Predictions)
    ]
    return statistics.mcnemar_exact(right[0], right[1]) if len(pairs) == 1 and right else None


def _validation(study: Study, cell: Cell) -> float | None:
    return mean([run.scores["validation"][study.measures.headline] for run in cell.runs.values()])

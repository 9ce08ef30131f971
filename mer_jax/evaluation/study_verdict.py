"""What a study's comparison says, in sentences that hold for whatever came out.

The 2021 study's order by accuracy is time + frequency first, pictures second, time series last, and the amplitude envelope
alone the worst of all its inputs (:mod:`mer_jax.evaluation.study_figures`).
"""

from itertools import pairwise

from mer_jax.evaluation import study_figures
from mer_jax.evaluation.measures import CLASSES, Measures
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_table import Comparison, Row, Table

STUDY_ORDER = (2, 3, 1)

_ORDER_IN_WORDS = "time + frequency first, pictures second, time series last"


def sentences(table: Table) -> list[str]:
    """The verdict: order of the approaches, the comparison that is the study's thesis, the amplitude envelope, caveats."""
    known = table.study.measures
    found = [_order(table)]
    if known is not CLASSES:
        found.append(f"The 2021 study told five moods apart; here {known.outputs} are predicted.")
    found += [
        _difference(comparison, known) for comparison in table.comparisons[:1] if _is_thesis(comparison)
    ]
    found.append(_amplitude_envelope(table))
    if table.incomplete:
        names = ", ".join(row.cell.title for row in table.incomplete)
        found.append(f"Not finished, and so in no choice or comparison: {names}.")
    if len(table.study.splits) == 1:
        found.append("One split: the intervals hold the spread over songs, not that over training runs.")
    if table.study.synthetic:
        found.append("The data is synthetic: what holds on it need not hold on music.")
    return found


def _order(table: Table) -> str:
    missing = [name for approach, name in APPROACHES.items() if approach not in table.choices]
    if missing:
        return (
            f"Whether the order of the 2021 study ({_ORDER_IN_WORDS}) reproduces cannot be told: no cell is finished of "
            f"{' and '.join(name.lower() for name in missing)}."
        )
    accuracy = {approach: _headline(table, approach) for approach in APPROACHES}
    ranked = sorted(STUDY_ORDER, key=lambda approach: -accuracy[approach])
    here = f"{APPROACHES[ranked[0]].lower()} {accuracy[ranked[0]]:.3f}"
    for better, worse in pairwise(ranked):
        sign = "=" if accuracy[better] == accuracy[worse] else ">"
        here = f"{here} {sign} {APPROACHES[worse].lower()} {accuracy[worse]:.3f}"
    a, b, c = (accuracy[approach] for approach in STUDY_ORDER)
    there, where = (
        f"The order of the 2021 study ({_ORDER_IN_WORDS})",
        f"in the test {table.study.measures.main_in_words} of the chosen cells",
    )
    if a > b > c:
        return f"{there} reproduces {where}: {here}."
    partly = ""
    if a > max(b, c):
        partly = " Time + frequency is first as there."
    elif c < min(a, b):
        partly = " Time series are last as there."
    return f"{there} does not reproduce {where}: {here}.{partly}"


def _difference(comparison: Comparison, known: Measures) -> str:
    first, second = (APPROACHES[choice.approach].lower() for choice in (comparison.first, comparison.second))
    found = comparison.differences[known.headline]
    start = (
        f"Best hand-designed features against best pictures ({first} minus {second}, {known.main_in_words})"
    )
    if found is None:
        return f"{start}: undefined, as there are fewer than two groups or a score is undefined."
    by_songs = f"{signed(found.value)}, 95 % interval {signed(found.low)} to {signed(found.high)}, {p_value(found.p_value)}"
    better = first if found.value > 0 else second
    by_chance = found.low <= 0 <= found.high
    if by_chance:
        end = "The interval includes 0: these test songs do not tell the two apart."
    else:
        end = f"The interval excludes 0: {better} is better by more than the choice of test songs explains"
    over = comparison.over_splits[known.headline]
    if over is None:
        return f"{start}: {by_songs}. {end}" + ("" if by_chance else ".")
    by_splits = f"over folds and seeds {signed(over.low)} to {signed(over.high)}, {p_value(over.p_value)}"
    if not by_chance:
        alike = (over.low <= 0) == (over.high >= 0)
        end += (
            ", but not by more than the spread over folds and seeds."
            if alike
            else ", and than the spread over folds and seeds."
        )
    return f"{start}: {by_songs}; {by_splits}. {end}"


def _amplitude_envelope(table: Table) -> str:
    headline = table.study.measures.headline
    scored = {row.cell.id: row.pooled.scores[headline] or 0.0 for row in table.rows if row.pooled is not None}
    own = [row for row in table.rows if _is_amplitude_envelope(row) and row.cell.id in scored]
    if not own:
        return "No finished cell has the amplitude envelope alone, the worst input of the 2021 study."
    finished = [row for row in table.rows if row.cell.id in scored]
    value = max(scored[row.cell.id] for row in own)
    below = [row for row in finished if row not in own and scored[row.cell.id] < value]
    if len(finished) == len(own):
        return f"The amplitude envelope alone reaches {value:.3f}; no other input is finished."
    if not below:
        equal = any(row not in own and scored[row.cell.id] == value for row in finished)
        place = "shares the last place" if equal else "is worst"
        return f"The amplitude envelope alone {place} of {len(finished)} finished cells ({value:.3f}), as in the 2021 study."
    worst = min(below, key=lambda row: scored[row.cell.id])
    return (
        f"The amplitude envelope alone is not worst, unlike in the 2021 study: {value:.3f}, with {len(below)} of "
        f"{len(finished)} finished cells below it (lowest: {worst.cell.title}, {scored[worst.cell.id]:.3f})."
    )


def signed(value: float) -> str:
    """A difference with its sign.

    >>> signed(-0.0123)
    '−0.012'
    """
    return f"{value:+.3f}".replace("-", "−")


def p_value(value: float) -> str:
    """A p-value with two significant digits, which is what the resamples carry.

    >>> p_value(0.0123), p_value(0.0002), p_value(1.0)
    ('p = 0.012', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def _is_thesis(comparison: Comparison) -> bool:
    return (comparison.first.approach, comparison.second.approach) == (2, 3)


def _is_amplitude_envelope(row: Row) -> bool:
    return any(
        figure.features == "AE series"
        for figure in study_figures.counterparts(row.cell.approach, row.cell.features)
    )


def _headline(table: Table, approach: int) -> float:
    """The headline score of a choice; a correlation that is undefined, as its predictions are constant, tells nothing: 0."""
    return table.choices[approach].pooled.scores[table.study.measures.headline] or 0.0

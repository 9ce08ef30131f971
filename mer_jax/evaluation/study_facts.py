"""What a study's report says in words and numbers: cells of its tables, the same for the page and the terminal."""

from collections.abc import Mapping, Sequence

import numpy as np

from mer_jax.evaluation import study_figures
from mer_jax.evaluation.measures import Measures
from mer_jax.evaluation.run_facts import number, published_number
from mer_jax.evaluation.study_folder import APPROACHES, Study
from mer_jax.evaluation.study_table import Comparison, Row, Table
from mer_jax.evaluation.study_verdict import p_value, signed

#: Heading of each approach.
HEADINGS = {
    1: "Approach 1: time series",
    2: "Approach 2: time + frequency, numerical",
    3: "Approach 3: time-frequency pictures",
}

BASES = {"he": "He normal weights, not ImageNet", "imagenet": "ImageNet weights"}

DASH = "–"

TIME_NOTE = (
    "Features (s): time to compute the features of all clips, once. Training (s): mean of a split. Parameters: all, and those "
    "that are trained where some are frozen."
)
STUDY_NOTE = (
    "Study: what the 2021 study published for this input, on its own private clips, stated or read off a curve (*); not "
    "comparable."
)
MCNEMAR_NOTE = (
    "McNemar: exact test on the clips of the one split, as if clips were independent; a cross-check."
)
OVER_SPLITS_NOTE = (
    "Over splits: mean over folds and seeds, with the corrected t interval and test for training parts that overlap (Nadeau & "
    "Bengio 2003)."
)


def scores_note(known: Measures) -> str:
    """What the scores are, and their intervals."""
    return (
        "Scores: of the test parts, pooled over the folds of a seed and averaged over the seeds. Small figures: 95 % interval, "
        "percentile bootstrap over groups (1,000 resamples), which states the spread over songs for these trained models. "
        f"{known.note}"
    )


def comparison_note(known: Measures) -> str:
    """How differences are tested."""
    return (
        "Difference and interval: paired bootstrap over groups of the pooled predictions "
        f"({known.paired_resamples:,} resamples); p is two-sided, not adjusted for the number of comparisons. The first row is "
        "the study's thesis."
    )


def choice_note(known: Measures) -> str:
    """How cells are chosen."""
    return (
        f"“Chosen”: the cell of its approach with the highest validation {known.main_in_words} (then the lower validation "
        f"{known.tie_break_in_words}), taken in each split on its own; test scores are not looked at. The highest test score "
        "of a column is not marked: to pick it would be to choose on the test part. "
        f"{validation_name(known)}: validation {known.main_in_words}, mean over splits."
    )


def validation_name(known: Measures) -> str:
    """Heading of the column of validation scores."""
    return "Valid. acc." if known.headline == "accuracy" else f"Valid. {known.main.title}"


def subtitle(study: Study) -> str:
    """Data set, size and splits in a line."""
    data = study.facts["data"]
    parts = [study.data_name, f"{len(study.names)} {study.measures.outputs}", f"{data['num_clips']:,} clips"]
    if data.get("num_groups"):
        parts.append(f"{data['num_groups']:,} groups")
    parts.append(f"{len(study.cells)} cells on {splits(study)}")
    return ", ".join(parts)


def splits(study: Study) -> str:
    """The splits in words.

    Returns:
        e.g. "one split (fold 0, seed 0)" or "20 splits (folds 0–9, seeds 0, 1)".
    """
    folds = sorted({split.fold for split in study.splits})
    if len(study.splits) == 1:
        return f"one split (fold {folds[0]}, seed {study.seeds[0]})"
    return f"{len(study.splits)} splits ({_listed('fold', folds)}, {_listed('seed', list(study.seeds))})"


def counts_note(study: Study) -> str:
    """Which split the counts of clips are of; "" where there is one."""
    if len(study.splits) == 1:
        return ""
    first = study.splits[0]
    return f"Counts of the first split (fold {first.fold}, seed {first.seed}); the others part the same clips anew."


def status(row: Row, study: Study) -> str:
    """What is missing of a cell; "" for nothing."""
    total = len(study.splits)
    if row.pooled is not None:
        return ""
    return "missing" if row.num_done == 0 else f"missing: {row.num_done} of {total} splits done"


def chosen(row: Row, study: Study) -> str:
    """Whether, or in how many splits, a cell is chosen; "" for none."""
    total = len(study.splits)
    if row.num_chosen == 0:
        return ""
    return "chosen" if row.num_chosen == total else f"chosen {row.num_chosen}/{total}"


def score(row: Row, metric: str) -> str:
    """A score with three decimals, or a dash while the cell is not finished."""
    return DASH if row.pooled is None else number(row.pooled.scores[metric])


def interval(row: Row, study: Study, metric: str) -> str:
    """What stands below a score: its interval, or for the calibration error that of a calibrated model."""
    if row.pooled is None:
        return ""
    if metric == "ece":
        calibrated = row.pooled.calibrated_ece
        return "" if calibrated is None else f"({calibrated:.2f})"
    return spanned(row.pooled.intervals[metric], study.measures.table[metric].decimals)


def spanned(span: Sequence[float] | None, decimals: int = 2) -> str:
    """An interval; "" for none.

    >>> spanned([0.25, 0.5]), spanned([-0.25, 0.5]), spanned(None)
    ('0.25–0.50', '−0.25 to 0.50', '')
    """
    if not span:
        return ""
    low, high = (f"{value:.{decimals}f}".replace("-", "−") for value in span)
    return f"{low}–{high}" if span[0] >= 0 else f"{low} to {high}"


def parameters(row: Row) -> tuple[str, str]:
    """Number of parameters, and how many of them are trained where not all are."""
    total, trained = row.fact("num_parameters"), row.fact("num_trainable")
    if total is None or trained is None:
        return DASH, ""
    return _count(total), "" if trained == total else f"{_count(trained)} trained"


def seconds(row: Row, key: str) -> str:
    """A time with three significant digits, at most one decimal."""
    value = row.fact(key)
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def published(row: Row) -> list[str]:
    """The study's accuracies for the same input, stated ones first; an asterisk marks what was read off a curve."""
    found = study_figures.counterparts(row.cell.approach, row.cell.features, row.cell.network)
    marks = {study_figures.READ_FROM_TEXT: "", study_figures.READ_FROM_PLOT: "*"}
    return [published_number(figure.accuracy) + marks[figure.reading] for figure in found]


def base(row: Row) -> str:
    """Where the weights of a pretrained base come from; a dash where there is none."""
    found = row.words("base_init")
    return BASES.get(found, found) or DASH


def ran_on(row: Row, study: Study) -> str:
    """The machines of a cell: those its splits name, the study's where they name none."""
    machines = [run.facts.get("hardware", study.facts["hardware"]) for run in row.cell.runs.values()]
    return ", ".join(dict.fromkeys(_machine(machine) for machine in machines)) or DASH


def clips(row: Row) -> str:
    """Training, validation and test clips of a split, in the mean over splits."""
    runs = row.cell.runs.values()
    if not runs:
        return DASH
    sizes = [(run.num_train, run.num_validation, len(run.ids)) for run in runs]
    return " / ".join(f"{size:,.0f}" for size in np.mean(sizes, axis=0))


def epochs(row: Row) -> str:
    """Epochs that were trained, and the one that was kept; means over splits."""
    ran, kept = row.fact("epochs"), row.fact("best_epoch")
    if ran is None:
        return DASH
    return f"{ran:.0f}" if kept is None else f"{ran:.0f} ({kept:.0f})"


def comparison_name(comparison: Comparison) -> str:
    """First minus second."""
    return f"{APPROACHES[comparison.first.approach]} − {APPROACHES[comparison.second.approach].lower()}"


def comparison_rows(table: Table) -> list[list[str]]:
    """Rows of comparison, metric, difference, interval, p, over splits, p over splits, McNemar."""
    rows, titles = [], table.study.measures.table
    for comparison in table.comparisons:
        for metric, difference in comparison.differences.items():
            cells = [comparison_name(comparison), titles[metric].title]
            if difference is None:
                cells += ["undefined", "", ""]
            else:
                cells += [
                    signed(difference.value),
                    f"{signed(difference.low)} to {signed(difference.high)}",
                    p_value(difference.p_value),
                ]
            over = comparison.over_splits[metric]
            cells += (
                [DASH, DASH]
                if over is None
                else [
                    f"{signed(over.mean)} ({signed(over.low)} to {signed(over.high)})",
                    p_value(over.p_value),
                ]
            )
            exact = comparison.mcnemar_p
            cells.append(p_value(exact) if exact is not None and metric == "accuracy" else DASH)
            rows.append(cells)
    return rows


def _machine(hardware: object) -> str:
    """The accelerator, or the processor where there is none (``mer_jax.machine.describe_machine``)."""
    if not isinstance(hardware, Mapping):
        return str(hardware)
    accelerator = hardware.get("accelerator", "none")
    if accelerator != "none":
        return f"{hardware.get('accelerators', 1)} × {accelerator}"
    return f"{hardware.get('cpu', 'CPU')}, {hardware.get('cores', 'unknown')} cores"


def _listed(name: str, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{name} {numbers[0]}"
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{name}s {numbers[0]}–{numbers[-1]}"
    return f"{name}s {', '.join(map(str, numbers))}"


def _count(value: float) -> str:
    """1234 as 1.2 k, 20 million as 20.0 M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:.0f}"

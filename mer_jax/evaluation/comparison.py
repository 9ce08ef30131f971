"""Two configurations on the same clips: which is better, by how much, and how sure that is."""

from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.evaluation import repeated, run_facts, statistics, text_table


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """One configuration less another on the same clips: differences, intervals, p-values.

    Args:
        first: a run folder, or a cross-validated one.
        second: another, with the same folds and seeds.

    Returns:
        By metric: ``first``, ``second``, ``difference`` (of pooled scores, mean over seeds), ``bootstrap`` ([low, high] and
        p-value over groups), ``over_splits`` (corrected resampled t-test, where there are several splits); and
        ``mcnemar_p`` of a single split of classes.

    Raises:
        DataError: the two are not of the same task and clips.
    """
    return compare_repeats(repeated.read(first), repeated.read(second))


def compare_repeats(a: repeated.Repeats, b: repeated.Repeats) -> dict[str, Any]:
    """:func:`compare`, of runs that were read already."""
    _check_same(a, b)
    metrics = tuple(metric for metric in repeated.METRICS[a.kind] if metric != "ece")
    pairs = list(zip(a.splits, b.splits, strict=True))
    each = [(a.score(x.truth, x.outputs), b.score(y.truth, y.outputs)) for x, y in pairs]
    parts = a.pooled(), b.pooled()
    whole = [[a.score(part.truth, part.outputs) for part in of_one] for of_one in parts]
    drawn = [
        repeated.replicates(repeats, of_one, metrics) for repeats, of_one in zip((a, b), parts, strict=True)
    ]
    out: dict[str, Any] = {"num_clips": a.num_clips(parts[0][0]), "num_splits": len(pairs), "metrics": {}}
    for metric in metrics:
        means = [repeated.mean([one[metric] for one in of_one]) for of_one in whole]
        difference = None if None in means else means[0] - means[1]  # type: ignore[operator]
        found = None
        if difference is not None and metric in drawn[0]:
            found = statistics.difference(difference, drawn[0][metric] - drawn[1][metric])
        out["metrics"][metric] = {
            "first": means[0],
            "second": means[1],
            "difference": difference,
            "bootstrap": None if found is None else {"interval": [found.low, found.high], "p": found.p_value},
            "over_splits": repeated.over_splits(a, [_minus(x[metric], y[metric]) for x, y in each]),
        }
    if a.kind == "classes" and len(pairs) == 1:
        right = [split.outputs.argmax(axis=1) == split.truth for split in pairs[0]]
        out["mcnemar_p"] = statistics.mcnemar_exact(right[0], right[1])
    return out


def table(found: dict[str, Any], first: str, second: str) -> str:
    """What :func:`compare` found, as text."""
    rows = []
    for metric, one in found["metrics"].items():
        boot, over = one["bootstrap"], one["over_splits"]
        rows.append(
            [
                metric,
                run_facts.number(one["first"]),
                run_facts.number(one["second"]),
                _signed(one["difference"]),
                "" if boot is None else f"{_signed(boot['interval'][0])} to {_signed(boot['interval'][1])}",
                "" if boot is None else f"{boot['p']:.3g}",
                "" if over is None else f"{_signed(over['low'])} to {_signed(over['high'])}",
                "" if over is None else f"{over['p_value']:.3g}",
            ]
        )
    header = ["", first, second, "difference", "95 % (songs)", "p", "95 % (splits)", "p"]
    lines = text_table.columns(header, rows, left=1)
    lines.append(
        f"{found['num_clips']} clips, {found['num_splits']} splits. Songs: paired bootstrap over groups. Splits: corrected "
        "resampled t-test (Nadeau & Bengio 2003)."
    )
    if "mcnemar_p" in found:
        lines.append(f"McNemar's exact test of accuracy, clips as independent: p = {found['mcnemar_p']:.3g}")
    return "\n".join(lines)


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.3f}"


def _check_same(a: repeated.Repeats, b: repeated.Repeats) -> None:
    if a.kind != b.kind or a.names != b.names:
        raise checks.DataError(
            b.path, f"is about {', '.join(b.names)}", expected=f"{', '.join(a.names)}, as {a.path}"
        )
    keys = [[(split.seed, split.fold) for split in one.splits] for one in (a, b)]
    if keys[0] != keys[1] or any(
        not np.array_equal(x.ids, y.ids) for x, y in zip(a.splits, b.splits, strict=True)
    ):
        raise checks.DataError(
            b.path,
            f"was not tested on the clips of {a.path}",
            expected="the same data set, folds and seeds",
            remedy="train (or cross-validate) both with the same --data, --folds, --fold and --seed",
        )


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b

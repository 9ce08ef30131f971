"""The report of one training run: ``report.html``, the pictures under ``figures/``, and a table for the terminal.

The run folder must hold ``config.json``, ``facts.json``, ``metrics.jsonl``, ``scores.json`` and ``predictions.npz``
(:mod:`mer_jax.evaluation.run_folder`); ``examples.npz`` (:func:`write_examples`) adds a picture of each feature.
"""

import unicodedata
from pathlib import Path
from typing import Any

from mer_jax.evaluation import examples as _examples
from mer_jax.evaluation import html, run_facts, run_folder, statistics
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.run_folder import Run
from mer_jax.evaluation.sections import Sections

SYNTHETIC = "synthetic data"

write_examples = _examples.write


def write(run_dir: Path | str) -> Path:
    """Write ``report.html`` and ``figures/*.png`` into a run folder.

    The page needs no other file and no network. Running it again gives the same bytes.

    Args:
        run_dir: the run folder.

    Returns:
        The path of the page.

    Raises:
        DataError: a file or an entry of the run folder is missing or damaged, or the files are not of one run.
    """
    from mer_jax.data.atomic import atomic_path

    run = run_folder.read(run_dir)
    examples = _examples.read(run_dir)
    note = SYNTHETIC if run.synthetic else ""
    page = html.Page(title=f"Run {run.name}", subtitle=run_facts.subtitle(run), label=note)
    sections = Sections(run, page, note, _intervals(run))
    sections.headline()
    sections.curves()
    sections.errors()
    sections.data()
    if examples is not None:
        sections.features(examples)
    sections.study()
    sections.facts()
    target = run.path / "report.html"
    with atomic_path(target) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")
    return target


def summary_table(run_dir: Path | str) -> str:
    """The headline scores and the per-class table of a run as plain text, for a terminal.

    Raises:
        DataError: as :func:`write`.
    """
    run = run_folder.read(run_dir)
    title = f"{html.printable(run.name)}: {html.printable(run_facts.subtitle(run))}"
    lines = [f"{title}  [{SYNTHETIC.upper()}]" if run.synthetic else title, ""]
    rows = run_facts.score_rows(run, _intervals(run))
    lines += _columns(["score", "validation", "test", "95 % interval"], rows)
    lines += ["", *_columns(["class", "precision", "recall", "F1", "clips"], run_facts.class_rows(run))]
    return "\n".join(line.rstrip() for line in lines)


def _columns(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines with the first column to the left and the others to the right."""
    table = [[html.printable(cell) for cell in row] for row in [header, *rows]]
    widths = [max(_cells(row[k]) for row in table) for k in range(len(header))]
    lines = []
    for first, *others in table:
        line = first + " " * (widths[0] - _cells(first))
        lines.append("  ".join([line, *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]))
    return lines


def _cells(name: str) -> int:
    """Columns a terminal needs: East Asian wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name
    )


def _intervals(run: Run) -> dict[str, Any]:
    return statistics.bootstrap_intervals([Predictions(run.labels, run.probabilities, run.groups)])

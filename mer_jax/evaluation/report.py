"""The report of one training run: ``report.html``, the pictures under ``figures/``, and a table for the terminal.

The run folder must hold ``config.json``, ``facts.json``, ``metrics.jsonl``, ``scores.json`` and ``predictions.npz``
(:mod:`mer_jax.evaluation.run_folder`); ``examples.npz`` (:func:`write_examples`) adds a picture of each feature.
"""

from pathlib import Path
from typing import Any

from mer_jax.evaluation import dynamic_report, html, run_facts, run_folder, statistics, target_report
from mer_jax.evaluation import examples as _examples
from mer_jax.evaluation.run_folder import DynamicRun, Run, TargetRun
from mer_jax.evaluation.sections import Sections
from mer_jax.evaluation.text_table import columns

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
    if isinstance(run, DynamicRun):
        page = _dynamic_page(run)
    else:
        page = _target_page(run) if isinstance(run, TargetRun) else _class_page(run)
    target = run.path / "report.html"
    with atomic_path(target) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")
    return target


def _class_page(run: Run) -> html.Page:
    examples = _examples.read(run.path)
    note = SYNTHETIC if run.synthetic else ""
    page = html.Page(title=f"Run {run.name}", subtitle=run_facts.subtitle(run), label=note)
    sections = Sections(
        path=run.path, classes=run.classes, page=page, note=note, run=run, spans=_intervals(run)
    )
    sections.headline()
    sections.numbers()
    sections.curves()
    sections.errors()
    sections.data(run.facts["data"]["counts"])
    if examples is not None:
        sections.features(examples)
    sections.study()
    sections.facts()
    return page


def _target_page(run: TargetRun) -> html.Page:
    note = SYNTHETIC if run.synthetic else ""
    page = html.Page(title=f"Run {run.name}", subtitle=target_report.subtitle(run), label=note)
    span = target_report.interval(run)
    sections = target_report.TargetSections(
        path=run.path, classes=(), page=page, note=note, run=run, span=span
    )
    sections.headline()
    sections.curves()
    if run.task != "tags":
        sections.scatter()
    sections.facts()
    return page


def _dynamic_page(run: DynamicRun) -> html.Page:
    note = SYNTHETIC if run.synthetic else ""
    page = html.Page(title=f"Run {run.name}", subtitle=dynamic_report.subtitle(run), label=note)
    sections = dynamic_report.DynamicSections(
        path=run.path, classes=(), page=page, note=note, run=run, spans=dynamic_report.intervals(run)
    )
    sections.headline()
    sections.songs()
    sections.training_curves()
    sections.facts()
    return page


def summary_table(run_dir: Path | str) -> str:
    """The headline scores and the per-class table of a run as plain text, for a terminal.

    Raises:
        DataError: as :func:`write`.
    """
    run = run_folder.read(run_dir)
    if isinstance(run, DynamicRun):
        said = dynamic_report.subtitle(run)
    else:
        said = target_report.subtitle(run) if isinstance(run, TargetRun) else run_facts.subtitle(run)
    title = f"{html.printable(run.name)}: {html.printable(said)}"
    lines = [f"{title}  [{SYNTHETIC.upper()}]" if run.synthetic else title, ""]
    header = ["score", "validation", "test", "95 % interval"]
    if isinstance(run, DynamicRun):
        lines += columns(header, dynamic_report.score_rows(run, dynamic_report.intervals(run)))
        names, rows = dynamic_report.target_rows(run)
        return "\n".join(line.rstrip() for line in [*lines, "", *columns(names, rows)])
    if isinstance(run, TargetRun):
        lines += columns(header, target_report.score_rows(run, target_report.interval(run)))
        names, rows = target_report.target_rows(run)
        return "\n".join(line.rstrip() for line in [*lines, "", *columns(names, rows)])
    lines += columns(header, run_facts.score_rows(run, _intervals(run)))
    lines += ["", *columns(["class", "precision", "recall", "F1", "clips"], run_facts.class_rows(run))]
    return "\n".join(line.rstrip() for line in lines)


def _intervals(run: Run) -> dict[str, Any]:
    return statistics.bootstrap_intervals([run.predictions])

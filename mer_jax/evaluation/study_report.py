"""The report of a study: ``report.html``, its pictures in ``figures/``, ``table.csv``, ``results.json``, text for a terminal.

The folder is that of :mod:`mer_jax.evaluation.study_folder`; ``examples/examples.npz``
(:mod:`mer_jax.evaluation.feature_examples`) adds pictures of the features. A study that is not finished is reported as far as
it goes: a cell with missing splits stays in every table and says so.
"""

import json
from pathlib import Path

from mer_jax.evaluation import examples as _examples
from mer_jax.evaluation import (
    html,
    study_export,
    study_facts,
    study_folder,
    study_table,
    study_verdict,
    text_table,
)
from mer_jax.evaluation.report import SYNTHETIC
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_sections import StudySections
from mer_jax.evaluation.study_table import Row, Table


def write(out: Path | str) -> Path:
    """Write the report into a study folder.

    The page needs no other file and no network. Running it again gives the same bytes.

    Args:
        out: the study folder.

    Returns:
        The path of ``report.html``; ``figures/*.png``, ``table.csv`` and ``results.json`` lie beside it.

    Raises:
        DataError: a file or an entry of the study folder is missing or damaged, or the cells are not of one study.
    """
    study = study_folder.read(out)
    examples = _examples.read(study.path / "examples")
    table = study_table.compute(study)
    note = SYNTHETIC if study.synthetic else ""
    page = html.Page(
        title=f"Three approaches on {study.data_name}", subtitle=study_facts.subtitle(study), label=note
    )
    sections = StudySections(path=study.path, classes=study.classes, page=page, note=note, table=table)
    sections.headline()
    sections.scores()
    sections.comparison()
    sections.published_figures()
    sections.curves()
    sections.errors()
    sections.data(study.facts["data"]["counts"], study_facts.counts_note(study))
    if examples is not None:
        sections.features(examples)
    sections.facts()
    results = json.dumps(study_export.results(table), indent=2, ensure_ascii=False, allow_nan=False)
    _write_text(study.path / "results.json", results + "\n")
    _write_text(study.path / "table.csv", study_export.csv_text(table))
    return _write_text(study.path / "report.html", page.render())


def summary_table(out: Path | str) -> str:
    """The table and the verdict of a study as plain text, for a terminal.

    Raises:
        DataError: as :func:`write`.
    """
    study = study_folder.read(out)
    table = study_table.compute(study)
    title = f"Three approaches: {html.printable(study_facts.subtitle(study))}"
    lines = [f"{title}  [{SYNTHETIC.upper()}]" if study.synthetic else title, ""]
    names = [name for name, _ in study_facts.NAMES.values()]
    header = [
        "",
        "cell",
        names[0],
        "95 %",
        *names[1:],
        "parameters",
        "features s",
        "training s",
        "study*",
        "",
    ]
    lines += text_table.columns(header, [_cells(table, row) for row in table.rows], left=2)
    lines += ["", f"* published in 2021 for another data set. {study_facts.CHOICE_NOTE}", ""]
    lines += study_verdict.sentences(table)
    lines += [html.printable(note) for note in study.facts["notes"]]
    return "\n".join(lines)


def _cells(table: Table, row: Row) -> list[str]:
    metrics = list(study_facts.NAMES)
    remarks = [study_facts.chosen(row, table.study), study_facts.status(row, table.study)]
    return [
        APPROACHES[row.cell.approach],
        row.cell.title,
        study_facts.score(row, metrics[0]),
        study_facts.interval(row, metrics[0]),
        *(study_facts.score(row, metric) for metric in metrics[1:]),
        study_facts.parameters(row)[0],
        study_facts.seconds(row, "feature_s"),
        study_facts.seconds(row, "train_s"),
        ", ".join(study_facts.published(row)),
        ", ".join(remark for remark in remarks if remark),
    ]


def _write_text(target: Path, content: str) -> Path:
    from mer_jax.data.atomic import atomic_path

    with atomic_path(target) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return target

"""The report of a study: ``report.html``, its pictures in ``figures/``, ``table.csv``, ``results.json``, text for a terminal.

The folder is that of :mod:`mer_jax.evaluation.study_folder`; ``examples/examples.npz``
(:mod:`mer_jax.evaluation.feature_examples`) adds pictures of the features. A study that is not finished is reported as far as
it goes: a cell with missing splits stays in every table and says so.
"""

import json
from pathlib import Path
from typing import Any

from mer_jax.data.catalog import PARTS
from mer_jax.evaluation import examples as _examples
from mer_jax.evaluation import (
    html,
    run_folder,
    study_export,
    study_facts,
    study_folder,
    study_table,
    study_verdict,
    text_table,
)
from mer_jax.evaluation.examples import Examples
from mer_jax.evaluation.measures import CLASSES
from mer_jax.evaluation.report import SYNTHETIC
from mer_jax.evaluation.study_class_sections import ClassSections
from mer_jax.evaluation.study_folder import APPROACHES
from mer_jax.evaluation.study_table import Row, Table
from mer_jax.evaluation.study_target_sections import TargetStudySections

TARGETS = "targets.npz"
"""Beside ``study.json`` where numbers or tags are predicted: ``names``, and for each part (clips, targets) true values."""


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
    common: dict[str, Any] = {
        "path": study.path, "classes": study.names, "page": page, "note": note, "table": table,
    }  # fmt: skip
    if study.measures is CLASSES:
        _write_classes(ClassSections(**common), examples)
    else:
        _write_targets(TargetStudySections(**common), examples)
    results = json.dumps(study_export.results(table), indent=2, ensure_ascii=False, allow_nan=False)
    _write_text(study.path / "results.json", results + "\n")
    _write_text(study.path / "table.csv", study_export.csv_text(table))
    return _write_text(study.path / "report.html", page.render())


def _write_classes(sections: ClassSections, examples: Examples | None) -> None:
    study = sections.table.study
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


def _write_targets(sections: TargetStudySections, examples: Examples | None) -> None:
    study = sections.table.study
    arrays = run_folder.read_arrays(study.path / TARGETS, required=PARTS)
    sections.headline()
    sections.scores()
    sections.comparison()
    sections.curves()
    sections.targets()
    if sections.known.kind == "numbers":
        sections.predictions()
    sections.target_data({part: arrays[part] for part in PARTS}, study_facts.counts_note(study))
    if examples is not None:
        of_tags = sections.known.kind == "tags"
        each = "one clip with each of some tags" if of_tags else "clips that are high or low in a target"
        header = "Tag" if of_tags else "Target"
        sections.features(examples, names=tuple(examples.clip_ids), header=header, each=each)
    sections.facts()


def summary_table(out: Path | str) -> str:
    """The table and the verdict of a study as plain text, for a terminal.

    Raises:
        DataError: as :func:`write`.
    """
    study = study_folder.read(out)
    table = study_table.compute(study)
    title = f"Three approaches: {html.printable(study_facts.subtitle(study))}"
    lines = [f"{title}  [{SYNTHETIC.upper()}]" if study.synthetic else title, ""]
    known = study.measures
    names = [one.title for one in known.table.values()]
    of_study = ["study*"] if known is CLASSES else []
    header = [
        "",
        "cell",
        names[0],
        "95 %",
        *names[1:],
        "parameters",
        "features s",
        "training s",
        *of_study,
        "",
    ]
    lines += text_table.columns(header, [_cells(table, row) for row in table.rows], left=2)
    published = "* published in 2021 for another data set. " if of_study else ""
    lines += ["", f"{published}{study_facts.choice_note(known)}", ""]
    lines += study_verdict.sentences(table)
    lines += [html.printable(note) for note in study.facts["notes"]]
    return "\n".join(lines)


def _cells(table: Table, row: Row) -> list[str]:
    metrics = list(table.study.measures.table)
    published = [", ".join(study_facts.published(row))] if table.study.measures is CLASSES else []
    remarks = [study_facts.chosen(row, table.study), study_facts.status(row, table.study)]
    return [
        APPROACHES[row.cell.approach],
        row.cell.title,
        study_facts.score(row, metrics[0]),
        study_facts.interval(row, table.study, metrics[0]),
        *(study_facts.score(row, metric) for metric in metrics[1:]),
        study_facts.parameters(row)[0],
        study_facts.seconds(row, "feature_s"),
        study_facts.seconds(row, "train_s"),
        *published,
        ", ".join(remark for remark in remarks if remark),
    ]


def _write_text(target: Path, content: str) -> Path:
    from mer_jax.data.atomic import atomic_path

    with atomic_path(target) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return target

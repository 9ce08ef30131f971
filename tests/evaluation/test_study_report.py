import base64
import csv
import io
import json
import re

import fake_study
import pytest
from page import Page

from mer_jax import checks
from mer_jax.evaluation import measures, study_figures, study_folder, study_report, study_table

HOSTILE = ('<script>alert("1")</script>', r"$\frac", "悲しい", "\x1b[31mred", 'a" onload="x')

# AE, RMSE; time + frequency; log-CQT, MFCC.
CELLS = tuple(fake_study.CELLS[k] for k in (0, 1, 7, 9, 10))


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One split of synthetic data, finished."""
    out = fake_study.make(
        tmp_path_factory.mktemp("single") / "moods", cells=CELLS, num_epochs=3, num_clips=600, examples=True
    )
    return out, Page(study_report.write(out)), study_table.compute(study_folder.read(out))


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Two folds and two seeds of real data with hostile names; one cell lacks a split, another has none."""
    cells = [list(cell) for cell in CELLS]
    cells[1][2:4] = "<b>RMSE</b>", 'r"ms'
    out = fake_study.make(
        tmp_path_factory.mktemp("several") / "<i>study",
        cells=[tuple(cell) for cell in cells],
        folds=(0, 1),
        seeds=(0, 1),
        classes=HOSTILE,
        synthetic="no",
        missing=[("image-mfcc", 1, 1), "time-ae"],
        num_epochs=1,
        notes=("<u>mind</u> this",),
    )
    return out, Page(study_report.write(out)), study_table.compute(study_folder.read(out))


def test_page_stands_alone(single):
    _, page, _ = single
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "video"})
    for _, attributes in page.tags:
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert attributes.get("href", "#").startswith("#")


def test_pictures_are_files_too(single):
    out, page, _ = single
    embedded = {
        base64.b64decode(attributes["src"].partition(",")[2])
        for tag, attributes in page.tags
        if tag == "img" and attributes["class"] == "light"
    }
    files = {path.name: path.read_bytes() for path in (out / "figures").iterdir()}
    assert set(files.values()) == embedded
    wanted = {"scores", "study", "data_distribution", "example_02_Mel_spectrogram"}
    wanted |= {f"{kind}_{approach}" for kind in ("curves", "confusion") for approach in (1, 2, 3)}
    assert {f"{name}.png" for name in wanted} <= set(files)


def test_synthetic_data_is_said_everywhere(single):
    out, page, _ = single
    assert len(page.captions) > 15
    assert all("synthetic data" in caption for caption in page.captions)
    assert page.text.index("synthetic data") < page.text.index("Result")
    assert "SYNTHETIC DATA" in study_report.summary_table(out).splitlines()[0]
    assert json.loads((out / "results.json").read_text())["data"]["synthetic"] is True
    assert {row["synthetic"] for row in csv.DictReader(io.StringIO((out / "table.csv").read_text()))} == {
        "yes"
    }


def test_every_score_is_shown_with_its_interval(single):
    _, page, table = single
    for row in table.rows:
        for metric in measures.CLASSES.table:
            assert f"{row.pooled.scores[metric]:.3f}" in page.text
        low, high = row.pooled.intervals["mcc"]
        assert f"{low:.2f}–{high:.2f}" in page.text
        assert f"({row.pooled.calibrated_ece:.2f})" in page.text
    assert "8.9 M trained" in page.text
    assert "He normal weights, not ImageNet" in page.text
    assert page.text.count("Fast CPU, 2 cores") == len(CELLS)
    comparison = table.comparisons[0]
    assert f"{comparison.differences['macro_f1'].value:+.3f}".replace("-", "−") in page.text
    assert "McNemar" in page.text


def test_the_study_is_marked_as_other_data(single):
    _, page, _ = single
    assert study_figures.OTHER_DATA in page.text
    assert study_figures.MSE_NOTE in page.text
    for figure in study_figures.FIGURES:
        assert figure.features in page.text


def test_results_hold_what_the_table_shows(single):
    out, _, table = single
    results = json.loads((out / "results.json").read_text())
    rows = list(csv.DictReader(io.StringIO((out / "table.csv").read_text())))
    assert (
        [cell["id"] for cell in results["cells"]]
        == [row["cell"] for row in rows]
        == [cell[0] for cell in CELLS]
    )
    for row, entry, line in zip(table.rows, results["cells"], rows, strict=True):
        for metric in measures.CLASSES.table:
            assert entry["scores"][metric] == row.pooled.scores[metric] == float(line[metric])
        assert entry["intervals"]["auc"] == [float(line["auc_low"]), float(line["auc_high"])]
        assert entry["chosen_in_splits"] == row.num_chosen == int(line["chosen_in_splits"])
        assert float(line["num_parameters"]) == entry["num_parameters"] == row.fact("num_parameters")
        assert entry["by_split"][0]["test"]["accuracy"] == pytest.approx(row.pooled.scores["accuracy"])
    found = table.comparisons[0].differences["accuracy"]
    assert results["comparisons"][0]["accuracy"]["bootstrap"]["p_value"] == found.p_value
    assert results["comparisons"][0]["mcnemar_p"] == table.comparisons[0].mcnemar_p
    assert "2021 study" in results["verdict"][0]


def test_an_unfinished_study_shows_every_cell(several):
    out, page, _ = several
    assert "This study is not finished: 3 of 5 cells are done" in page.text
    assert "missing: 3 of 4 splits done" in page.text
    assert page.text.count("AE") >= 2
    results = json.loads((out / "results.json").read_text())
    assert [cell["complete"] for cell in results["cells"]] == [False, True, True, True, False]
    assert results["cells"][0]["scores"] is None
    line = list(csv.DictReader(io.StringIO((out / "table.csv").read_text())))[4]
    assert (line["accuracy"], line["splits_done"], line["splits"]) == ("", "3", "4")
    table = study_report.summary_table(out)
    assert re.search(r"AE .* missing$", table, re.MULTILINE)
    assert re.search(r"MFCC .* missing: 3 of 4 splits done$", table, re.MULTILINE)


def test_the_spread_over_splits_is_shown(several):
    _, page, table = several
    over = table.rows[2].pooled.over_splits["accuracy"]
    assert f"{over.low:.3f}–{over.high:.3f}" in page.text
    assert "Nadeau & Bengio" in page.text
    assert "McNemar" not in page.text


def test_names_cannot_become_markup(several):
    out, page, _ = several
    assert {"script", "b", "i", "u"}.isdisjoint({tag for tag, _ in page.tags})
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert HOSTILE[0] in page.text
    assert "<u>mind</u> this" in page.text
    assert "synthetic data" not in page.text
    assert "\x1b" not in study_report.summary_table(out)


def test_writing_again_gives_the_same_bytes_and_leaves_no_temporary_file(several):
    out, _, _ = several
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    study_report.write(out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_study_in_which_nothing_is_done_has_a_report(tmp_path):
    out = fake_study.make(tmp_path / "study", cells=CELLS[:2], missing=[cell[0] for cell in CELLS])
    page = Page(study_report.write(out))
    assert "0 of 2 cells are done" in page.text
    assert "No cell has been trained yet" in page.text


def test_a_damaged_split_leaves_the_old_report(tmp_path):
    out = fake_study.make(tmp_path / "study", cells=CELLS[:1], num_epochs=1)
    (out / "report.html").write_text("old")
    (out / "cells/time-ae/fold0_seed0/metrics.jsonl").write_text("{")
    with pytest.raises(checks.DataError, match=r"metrics\.jsonl line 1.*is not JSON.*delete"):
        study_report.write(out)
    assert (out / "report.html").read_text() == "old"
    assert not (out / "figures").exists()


def test_summary_table(single):
    out, _, table = single
    text = study_report.summary_table(out)
    for row in table.rows:
        scores = row.pooled.scores
        assert re.search(
            rf"{re.escape(row.cell.title)} +{scores['accuracy']:.3f} .* {scores['mcc']:.3f} ", text
        )
    assert re.search(r"Time \+ frequency statistics .* 0\.84, 0\.815\*  chosen$", text, re.MULTILINE)
    assert "another data set" in text
    assert "The order of the 2021 study" in text

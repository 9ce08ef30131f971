import base64
import json
import re

import fake_run
import numpy as np
import pytest
from page import Page

from mer_jax import checks
from mer_jax.evaluation import report, study_figures

HOSTILE = ('<script>alert("1")</script>', r"$\frac", "悲しい", "\x1b[31mred", "y" * 80, 'a" onload="x')


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    run_dir = fake_run.make(tmp_path_factory.mktemp("runs") / "run-07", num_epochs=8, num_clips=90)
    return run_dir, Page(report.write(run_dir))


def test_page_stands_alone(written):
    _, page = written
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "video"})
    for _, attributes in page.tags:
        assert attributes.get("src", "data:").startswith("data:image/png;base64,") or "src" not in attributes
        assert attributes.get("href", "#").startswith("#")


def test_pictures_are_files_too(written):
    run_dir, page = written
    embedded = {
        base64.b64decode(attributes["src"].partition(",")[2])
        for tag, attributes in page.tags
        if tag == "img" and attributes["class"] == "light"
    }
    files = {path.read_bytes() for path in (run_dir / "figures").iterdir()}
    assert files == embedded
    names = {path.name for path in (run_dir / "figures").iterdir()}
    assert {f"curve_{metric}.png" for metric in ("accuracy", "loss", "brier", "auc")} <= names
    assert {
        "confusion_counts.png",
        "confusion_normalised.png",
        "reliability.png",
        "data_distribution.png",
    } <= names
    assert {"example_02_Mel_spectrogram.png", "study.png"} <= names


def test_every_picture_has_a_dark_twin_and_an_alternative_text(written):
    _, page = written
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert sum(image["class"] == "light" for image in images) == sum(
        image["class"] == "dark" for image in images
    )
    assert all(image["alt"] for image in images)


def test_synthetic_data_is_said_everywhere(written):
    _, page = written
    assert len(page.captions) > 15
    assert all("synthetic data" in caption for caption in page.captions)
    assert page.text.index("synthetic data") < page.text.index("Scores")


def test_page_shows_the_scores_of_the_run(written):
    run_dir, page = written
    test = json.loads((run_dir / "scores.json").read_text())["test"]
    for key in ("accuracy", "macro_f1", "mcc", "auc", "brier", "loss"):
        assert f"{test[key]:.3f}" in page.text
    for entry in test["per_class"].values():
        assert f"{entry['f1']:.3f}" in page.text
    assert "1,234,567" in page.text
    assert "0.10.2" in page.text
    assert "90 test clips of 30 groups" in page.text
    assert "(-0.25, 0.7512), (-0.25, 0.7512)" in page.text


def test_the_study_is_marked_as_other_data(written):
    _, page = written
    assert study_figures.OTHER_DATA in page.text
    assert study_figures.MSE_NOTE in page.text
    assert "this run (synthetic data)" in page.text
    for figure in study_figures.FIGURES:
        assert figure.features in page.text


def test_writing_again_gives_the_same_bytes_and_leaves_no_temporary_file(written):
    run_dir, _ = written
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    report.write(run_dir)
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before


def test_names_cannot_become_markup(tmp_path):
    run_dir = fake_run.make(tmp_path / "<b>run", classes=HOSTILE, synthetic=False, num_epochs=1, num_clips=60)
    page = Page(report.write(run_dir))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "b" not in {tag for tag, _ in page.tags}
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert HOSTILE[0] in page.text
    assert "synthetic data" not in page.text


def test_scores_that_are_undefined_say_so(tmp_path):
    run_dir = fake_run.make(tmp_path / "run", num_epochs=2, num_clips=60, examples=False)
    path = run_dir / "scores.json"
    found = json.loads(path.read_text())
    found["test"]["auc"] = None
    found["test"]["per_class"]["Sad"]["precision"] = None
    del found["validation"]
    path.write_text(json.dumps(found))
    table = report.summary_table(run_dir)
    assert re.search(r"AUC +not recorded +undefined", table)
    assert re.search(r"Sad +undefined", table)


def test_a_metric_that_was_not_recorded_is_named(tmp_path):
    run_dir = fake_run.make(tmp_path / "run", num_epochs=2, num_clips=60, examples=False)
    path = run_dir / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["validation"]["auc"]
    path.write_text("\n".join(map(json.dumps, records)))
    page = Page(report.write(run_dir))
    assert "Not recorded by epoch: auc." in page.text
    assert not (run_dir / "figures" / "curve_auc.png").exists()


def test_facts_that_were_not_recorded_are_named(tmp_path):
    run_dir = fake_run.make(tmp_path / "run", num_epochs=2, num_clips=60, examples=False)
    path = run_dir / "facts.json"
    facts = json.loads(path.read_text())
    del facts["hardware"], facts["wall_s"]
    facts["cluster"] = {"node": "n7"}
    path.write_text(json.dumps(facts))
    page = Page(report.write(run_dir))
    assert page.text.count("not recorded") >= 2
    assert "cluster.node" in page.text


def test_a_damaged_run_leaves_the_old_report(written, tmp_path):
    run_dir = fake_run.make(tmp_path / "run", num_epochs=2, num_clips=60, examples=False)
    (run_dir / "report.html").write_text("old")
    (run_dir / "scores.json").unlink()
    with pytest.raises(checks.DataError, match=r"scores\.json: is missing"):
        report.write(run_dir)
    assert (run_dir / "report.html").read_text() == "old"
    assert not (run_dir / "figures").exists()


def test_summary_table(written):
    run_dir, _ = written
    table = report.summary_table(run_dir)
    test = json.loads((run_dir / "scores.json").read_text())["test"]
    assert "SYNTHETIC DATA" in table.splitlines()[0]
    assert re.search(
        rf"Accuracy +{test['accuracy']:.3f} +{test['accuracy']:.3f} +0\.\d{{3}}–0\.\d{{3}}", table
    )
    assert re.search(rf"Sad .* {test['per_class']['Sad']['support']}$", table)


def test_summary_table_cannot_steer_the_terminal(tmp_path):
    run_dir = fake_run.make(
        tmp_path / "run", classes=HOSTILE, synthetic=False, num_epochs=1, num_clips=60, examples=False
    )
    table = report.summary_table(run_dir)
    assert "\x1b" not in table
    assert "SYNTHETIC" not in table


def test_write_examples_adds_features_to_the_page(tmp_path):
    from mer_jax.evaluation.examples import FeatureExample

    run_dir = fake_run.make(tmp_path / "run", num_epochs=1, num_clips=60, examples=False)
    report.write_examples(
        run_dir, {"RMS": FeatureExample({"Sad": np.ones(9)}, 43.0)}, clip_ids={"Sad": "clip-3"}
    )
    page = Page(report.write(run_dir))
    assert "RMS: one clip of each class." in page.text
    assert "clip-3" in page.text

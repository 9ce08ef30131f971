import json

import fake_run
import numpy as np
import pytest

from mer_jax import checks
from mer_jax.evaluation import run_folder

FILES = ("config.json", "facts.json", "metrics.jsonl", "scores.json", "predictions.npz")


@pytest.fixture
def run_dir(tmp_path):
    return fake_run.make(tmp_path / "run", num_epochs=6, num_clips=60, examples=False)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def resave(path, **changes):
    with np.load(path) as file:
        arrays = dict(file) | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


def test_reads_what_was_written(run_dir):
    run = run_folder.read(run_dir)
    assert run.name == "run"
    assert run.classes == fake_run.MOODS
    assert run.synthetic is True
    assert [record["epoch"] for record in run.epochs] == [1, 2, 3, 4, 5, 6]
    assert run.curve("validation", "auc").shape == (6,)
    assert np.isnan(run.curve("train", "auc")).all()


def test_best_epoch_is_that_of_the_lowest_validation_loss(run_dir):
    lines = [
        {"epoch": epoch, "train": {"loss": 1.0}, "validation": {"loss": loss}}
        for epoch, loss in enumerate([0.9, None, 0.4, 0.6], 1)
    ]
    (run_dir / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run_folder.read(run_dir).best_epoch == (3, "lowest validation loss")


def test_best_epoch_of_the_training_wins(run_dir):
    edit(run_dir / "facts.json", lambda facts: facts.update(best_epoch=2))
    assert run_folder.read(run_dir).best_epoch[0] == 2


def test_no_run_at_all(tmp_path):
    with pytest.raises(checks.DataError, match="not a folder"):
        run_folder.read(tmp_path / "none")


@pytest.mark.parametrize("name", FILES)
def test_names_the_missing_file(run_dir, name):
    (run_dir / name).unlink()
    with pytest.raises(checks.DataError, match=f"{name}: is missing"):
        run_folder.read(run_dir)


@pytest.mark.parametrize("name", FILES)
def test_names_the_damaged_file(run_dir, name):
    content = (run_dir / name).read_bytes()
    (run_dir / name).write_bytes(content[: len(content) // 2 + 1])
    with pytest.raises(checks.DataError, match=name):
        run_folder.read(run_dir)


@pytest.mark.parametrize("name", FILES)
def test_refuses_bytes_that_are_no_text_or_archive(run_dir, name):
    (run_dir / name).write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(checks.DataError, match=name):
        run_folder.read(run_dir)


@pytest.mark.parametrize("key", ["name", "synthetic", "classes", "counts"])
def test_names_the_missing_fact(run_dir, key):
    edit(run_dir / "facts.json", lambda facts: facts["data"].pop(key))
    with pytest.raises(checks.DataError, match=rf"facts\.json: has no data\.{key}"):
        run_folder.read(run_dir)


@pytest.mark.parametrize("key", ["accuracy", "auc", "per_class", "confusion"])
def test_names_the_missing_score(run_dir, key):
    edit(run_dir / "scores.json", lambda found: found["test"].pop(key))
    with pytest.raises(checks.DataError, match=rf"scores\.json: has no test\.{key}"):
        run_folder.read(run_dir)


@pytest.mark.parametrize("key", ["labels", "probabilities", "groups", "classes"])
def test_names_the_missing_array(run_dir, key):
    resave(run_dir / "predictions.npz", **{key: None})
    with pytest.raises(checks.DataError, match=rf"predictions\.npz: has no array '{key}'"):
        run_folder.read(run_dir)


def test_whether_data_is_synthetic_must_be_said(run_dir):
    edit(run_dir / "facts.json", lambda facts: facts["data"].update(synthetic="maybe"))
    with pytest.raises(checks.DataError, match=r"data\.synthetic 'maybe'"):
        run_folder.read(run_dir)


@pytest.mark.parametrize(("answer", "wanted"), [(True, True), ("yes", True), (False, False), ("no", False)])
def test_ways_to_say_it(run_dir, answer, wanted):
    edit(run_dir / "facts.json", lambda facts: facts["data"].update(synthetic=answer))
    assert run_folder.read(run_dir).synthetic is wanted


def test_scores_of_another_model_are_refused(run_dir):
    edit(run_dir / "scores.json", lambda found: found["test"].update(accuracy=0.99))
    with pytest.raises(checks.DataError, match=r"accuracy 0\.9900, but predictions\.npz gives"):
        run_folder.read(run_dir)


def test_classes_in_another_order_are_refused(run_dir):
    resave(run_dir / "predictions.npz", classes=np.array(fake_run.MOODS[::-1]))
    with pytest.raises(checks.DataError, match="classes"):
        run_folder.read(run_dir)


def test_logits_are_refused(run_dir):
    with np.load(run_dir / "predictions.npz") as file:
        logits = np.log(file["probabilities"])
    resave(run_dir / "predictions.npz", probabilities=logits)
    with pytest.raises(checks.DataError, match="apply softmax"):
        run_folder.read(run_dir)


def test_groups_of_another_length_are_refused(run_dir):
    resave(run_dir / "predictions.npz", groups=np.array(["a", "b"]))
    with pytest.raises(checks.DataError, match="2 groups for 60 labels"):
        run_folder.read(run_dir)


def test_python_objects_are_refused(run_dir):
    resave(run_dir / "predictions.npz", groups=np.array([{"a": 1}] * 60, dtype=object))
    with pytest.raises(checks.DataError, match="without pickles"):
        run_folder.read(run_dir)


def test_epochs_of_two_runs_are_refused(run_dir):
    path = run_dir / "metrics.jsonl"
    path.write_text(path.read_text() * 2)
    with pytest.raises(checks.DataError, match=r"line 7.*epoch 1 after 6"):
        run_folder.read(run_dir)


def test_a_run_without_an_epoch_is_refused(run_dir):
    (run_dir / "metrics.jsonl").write_text("\n")
    with pytest.raises(checks.DataError, match="no epoch"):
        run_folder.read(run_dir)


def test_class_without_scores_is_refused(run_dir):
    edit(run_dir / "scores.json", lambda found: found["test"]["per_class"].pop("Sad"))
    with pytest.raises(checks.DataError, match="per_class"):
        run_folder.read(run_dir)


def test_a_bare_array_is_refused(run_dir):
    with open(run_dir / "predictions.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(checks.DataError, match="npz file"):
        run_folder.read(run_dir)

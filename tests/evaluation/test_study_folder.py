import json

import fake_study
import numpy as np
import pytest

from mer_jax import checks
from mer_jax.evaluation import study_folder
from mer_jax.evaluation.study_folder import Split

CELLS = (fake_study.CELLS[0], fake_study.CELLS[7])
SPLIT = "cells/time-ae/fold0_seed0"


@pytest.fixture
def study_dir(tmp_path):
    return fake_study.make(tmp_path / "study", cells=CELLS, num_epochs=2)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def resave(path, **changes):
    with np.load(path) as file:
        arrays = dict(file) | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


def test_reads_what_was_written(tmp_path):
    missing = ("time-ae", 1, 0)
    out = fake_study.make(
        tmp_path / "study", cells=CELLS, folds=(1, 0), seeds=(3, 0), missing=[missing], num_epochs=2
    )
    study = study_folder.read(out)
    assert study.names == fake_study.MOODS
    assert study.synthetic is True
    assert study.seeds == (0, 3)
    assert study.splits == (Split(0, 0), Split(0, 1), Split(3, 0), Split(3, 1))
    assert [cell.id for cell in study.cells] == ["time-ae", "stat-both"]
    first, second = study.cells
    assert set(study.splits) - set(first.runs) == {Split(seed=0, fold=1)}
    assert not study.is_complete(first)
    assert study.is_complete(second)
    assert second.approach == 2
    run = second.runs[Split(3, 1)]
    with np.load(out / "cells/stat-both/fold1_seed3/predictions.npz") as file:
        order = np.argsort(file["ids"])
        np.testing.assert_array_equal(run.ids, file["ids"][order])
        np.testing.assert_array_equal(run.predictions.labels, file["labels"][order])
        np.testing.assert_array_equal(run.predictions.probabilities, file["probabilities"][order])
        np.testing.assert_array_equal(run.predictions.groups, file["groups"][order])
        sizes = len(file["ids"]), len(file["validation_labels"])
    assert (run.num_train, run.num_validation) == (240 - sum(sizes), sizes[1])
    assert run.curve("validation", "auc").shape == (2,)


def test_cells_of_one_title_are_told_apart(study_dir):
    def same(content):
        for cell in content["cells"]:
            cell["title"] = "AE"

    edit(study_dir / "study.json", same)
    first, second = study_folder.read(study_dir).cells
    assert (first.title, second.title) == (f"AE: {first.network}", f"AE: {second.network}")

    def same_network(content):
        for cell in content["cells"]:
            cell["network"] = "RNN"

    edit(study_dir / "study.json", same_network)
    assert [cell.title for cell in study_folder.read(study_dir).cells] == [
        f"AE: RNN: {cell.id}" for cell in (first, second)
    ]


def test_a_split_without_a_result_is_not_done(study_dir):
    (study_dir / SPLIT / "result.json").unlink()
    (study_dir / SPLIT / "predictions.npz").write_bytes(b"half a file")
    assert study_folder.read(study_dir).cells[0].runs == {}


def test_no_study_at_all(tmp_path):
    with pytest.raises(checks.DataError, match=r"holds no study\.json.*mer-jax study"):
        study_folder.read(tmp_path)


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "predictions.npz"])
def test_names_the_damaged_file_and_the_remedy(study_dir, name):
    path = study_dir / SPLIT / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1])
    with pytest.raises(checks.DataError, match=rf"{name}.*delete .*fold0_seed0 and run the study again"):
        study_folder.read(study_dir)


@pytest.mark.parametrize("name", ["metrics.jsonl", "predictions.npz"])
def test_names_the_missing_file(study_dir, name):
    (study_dir / SPLIT / name).unlink()
    with pytest.raises(checks.DataError, match=rf"{name}: is missing; delete"):
        study_folder.read(study_dir)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda study: study.pop("notes"), "no entry 'notes'"),
        (lambda study: study["data"].pop("counts"), r"no data\.counts"),
        (lambda study: study["data"].pop("num_clips"), r"no data\.num_clips"),
        (lambda study: study["data"].update(synthetic="perhaps"), "synthetic 'perhaps'"),
        (lambda study: study.update(folds=[]), r"folds \[\]"),
        (lambda study: study.update(seeds=[0, 0]), r"seeds \[0, 0\]"),
        (lambda study: study.update(cells=[]), "names no cells"),
        (lambda study: study["cells"][1].pop("network"), r"cells\[1\]: has no 'network'"),
        (lambda study: study["cells"][1].update(id="../elsewhere"), "letters, digits"),
        (lambda study: study["cells"][1].update(id="time-ae"), "names a cell twice"),
        (lambda study: study["cells"][0].update(approach=4), "approach 4"),
    ],
)
def test_a_study_that_cannot_be_used(study_dir, change, problem):
    edit(study_dir / "study.json", change)
    with pytest.raises(checks.DataError, match=problem):
        study_folder.read(study_dir)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda result: result.update(fold=3), r"is of \('time-ae', 3, 0\)"),
        (lambda result: result.pop("train_s"), "no entry 'train_s'"),
        (lambda result: result.update(train_s=-1.0), r"train_s -1\.0"),
        (lambda result: result["scores"].pop("validation"), r"no scores\.validation"),
        (lambda result: result["scores"]["validation"].pop("brier"), r"no scores\.validation\.brier"),
        (lambda result: result["scores"]["test"].update(mcc=float("nan")), r"scores\.test\.mcc nan"),
        (
            lambda result: result["scores"]["test"].update(accuracy=0.999),
            r"accuracy 0\.9990, but predictions",
        ),
    ],
)
def test_a_result_that_cannot_be_used(study_dir, change, problem):
    edit(study_dir / SPLIT / "result.json", change)
    with pytest.raises(checks.DataError, match=problem):
        study_folder.read(study_dir)


def test_classes_in_another_order_are_refused(study_dir):
    resave(study_dir / SPLIT / "predictions.npz", classes=np.array(fake_study.MOODS[::-1]))
    with pytest.raises(checks.DataError, match=r"as in study\.json"):
        study_folder.read(study_dir)


@pytest.mark.parametrize("key", ["ids", "groups"])
def test_cells_on_other_clips_are_refused(study_dir, key):
    path = study_dir / SPLIT / "predictions.npz"
    with np.load(path) as file:
        other = np.array([f"other {name}" for name in file[key]])
    resave(path, **{key: other})
    with pytest.raises(checks.DataError, match=r"stat-both.*was not run on the clips"):
        study_folder.read(study_dir)


def test_a_clip_named_twice_is_refused(study_dir):
    path = study_dir / SPLIT / "predictions.npz"
    with np.load(path) as file:
        ids = file["ids"].copy()
    ids[1] = ids[0]
    resave(path, ids=ids)
    with pytest.raises(checks.DataError, match="without an id of their own"):
        study_folder.read(study_dir)


def test_folds_that_share_clips_are_refused(tmp_path):
    out = fake_study.make(tmp_path / "study", cells=CELLS[:1], folds=(0, 1), num_epochs=1)
    with np.load(out / SPLIT / "predictions.npz") as file:
        ids = file["ids"]
    path = out / "cells/time-ae/fold1_seed0/predictions.npz"
    with np.load(path) as file:
        other = file["ids"].copy()
    other[0] = ids[0]
    resave(path, ids=other)
    with pytest.raises(checks.DataError, match=r"fold1_seed0.*another fold"):
        study_folder.read(out)


def test_more_clips_than_the_data_set_has_are_refused(study_dir):
    edit(study_dir / "study.json", lambda study: study["data"].update(num_clips=10))
    with pytest.raises(checks.DataError, match="of 10 clips to train on"):
        study_folder.read(study_dir)

import json

import fake_study
import numpy as np
import pytest
from sklearn import metrics

from mer_jax.evaluation import statistics, study_folder, study_table
from mer_jax.evaluation.study_folder import Split

# AE, RMSE; time + frequency, frequency; log-CQT, MFCC.
CELLS = tuple(fake_study.CELLS[k] for k in (0, 1, 7, 6, 9, 10))
FOLDS, SEEDS = (0, 1, 2), (0, 1)


def set_validation(out, cell, fold, seed, **scores):
    path = out / "cells" / cell / f"fold{fold}_seed{seed}" / "result.json"
    content = json.loads(path.read_text())
    content["scores"]["validation"].update(scores)
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Three folds, two seeds; frequency beats time + frequency on the validation part of one split; MFCC lacks one split."""
    out = fake_study.make(
        tmp_path_factory.mktemp("several") / "study",
        cells=CELLS,
        folds=FOLDS,
        seeds=SEEDS,
        missing=[("image-mfcc", 2, 1)],
        num_epochs=2,
    )
    for seed in SEEDS:
        for fold in FOLDS:
            set_validation(out, "stat-both", fold, seed, accuracy=0.8)
            set_validation(out, "stat-frequency", fold, seed, accuracy=0.9 if (fold, seed) == (1, 0) else 0.7)
    return out, study_table.compute(study_folder.read(out))


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    out = fake_study.make(
        tmp_path_factory.mktemp("single") / "study", cells=CELLS, num_epochs=2, num_clips=600
    )
    return out, study_table.compute(study_folder.read(out))


def stored(out, cell, fold, seed):
    with np.load(out / "cells" / cell / f"fold{fold}_seed{seed}" / "predictions.npz") as file:
        return {key: file[key] for key in ("ids", "groups", "labels", "probabilities")}


def row(table, name):
    return next(row for row in table.rows if row.cell.id == name)


def test_scores_are_pooled_over_folds_and_averaged_over_seeds(several):
    out, table = several
    found = []
    for seed in SEEDS:
        parts = [stored(out, "stat-both", fold, seed) for fold in FOLDS]
        labels = np.concatenate([part["labels"] for part in parts])
        p = np.concatenate([part["probabilities"] for part in parts]).astype(np.float64)
        predicted = p.argmax(axis=1)
        one_hot = np.eye(5)[labels]
        found.append(
            {
                "accuracy": metrics.accuracy_score(labels, predicted),
                "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
                "mcc": metrics.matthews_corrcoef(labels, predicted),
                "auc": metrics.roc_auc_score(one_hot, p, average="macro"),
                "brier": np.mean(np.sum((p - one_hot) ** 2, axis=1)),
            }
        )
    pooled = row(table, "stat-both").pooled
    for metric in found[0]:
        wanted = np.mean([one[metric] for one in found])
        assert pooled.scores[metric] == pytest.approx(wanted), metric
        low, high = pooled.intervals[metric]
        assert low < wanted < high
    assert pooled.confusion.sum() == sum(len(part.labels) for part in pooled.predictions)
    assert len(pooled.predictions) == len(SEEDS)


def test_an_incomplete_cell_is_shown_without_scores(several):
    _, table = several
    found = row(table, "image-mfcc")
    assert found.pooled is None
    assert found.num_done == 5
    assert found.num_chosen == 0
    assert found.validation is not None
    assert [one.cell.id for one in table.incomplete] == ["image-mfcc"]
    assert len(table.rows) == len(CELLS)


def test_each_split_chooses_on_its_own_validation_part(several):
    out, table = several
    choice = table.choices[2]
    for split, cell in choice.cells.items():
        assert cell.id == ("stat-frequency" if split == Split(fold=1, seed=0) else "stat-both")
    assert (row(table, "stat-both").num_chosen, row(table, "stat-frequency").num_chosen) == (5, 1)
    assert choice.title == "Time + frequency statistics (5×), Frequency statistics (1×)"
    right = []
    for seed in SEEDS:
        parts = [
            stored(out, "stat-frequency" if (fold, seed) == (1, 0) else "stat-both", fold, seed)
            for fold in FOLDS
        ]
        right.append(
            np.mean(np.concatenate([part["probabilities"].argmax(1) == part["labels"] for part in parts]))
        )
    assert choice.pooled.scores["accuracy"] == pytest.approx(np.mean(right))


def test_an_incomplete_cell_is_never_chosen(several):
    out, table = several
    for split in table.study.splits:
        if split != Split(fold=2, seed=1):
            set_validation(out, "image-mfcc", split.fold, split.seed, accuracy=1.0)
    chosen = study_table.choose(study_folder.read(out), 3)
    assert {cell.id for cell in chosen.values()} == {"image-log-cqt"}


def test_the_choice_looks_at_validation_scores_alone(single):
    out, table = single
    test = {name: row(table, name).pooled.scores["accuracy"] for name in ("image-log-cqt", "image-mfcc")}
    assert test["image-log-cqt"] != test["image-mfcc"]
    for winner, loser in (("image-log-cqt", "image-mfcc"), ("image-mfcc", "image-log-cqt")):
        set_validation(out, winner, 0, 0, accuracy=0.61)
        set_validation(out, loser, 0, 0, accuracy=0.60)
        chosen = study_table.choose(study_folder.read(out), 3)
        assert [cell.id for cell in chosen.values()] == [winner]


def test_equal_accuracy_is_decided_by_the_brier_score_then_by_order(single):
    out, _ = single
    for name, brier in (("time-ae", 0.5), ("time-rms", 0.4)):
        set_validation(out, name, 0, 0, accuracy=0.5, brier=brier)
    assert [cell.id for cell in study_table.choose(study_folder.read(out), 1).values()] == ["time-rms"]
    set_validation(out, "time-rms", 0, 0, brier=0.5)
    assert [cell.id for cell in study_table.choose(study_folder.read(out), 1).values()] == ["time-ae"]


def test_comparisons_are_paired_by_clip(several):
    out, table = several
    comparison = table.comparisons[0]
    assert (comparison.first.approach, comparison.second.approach) == study_table.PAIRS[0] == (2, 3)
    of_seeds, of_splits = [], []
    for seed in SEEDS:
        gaps = []
        for fold in FOLDS:
            split = Split(seed, fold)
            first, second = (
                stored(out, choice.cells[split].id, fold, seed)
                for choice in (comparison.first, comparison.second)
            )
            assert set(first["ids"]) == set(second["ids"])
            right = [
                dict(zip(one["ids"], one["probabilities"].argmax(1) == one["labels"], strict=True))
                for one in (first, second)
            ]
            gaps.append(np.array([float(right[0][key]) - float(right[1][key]) for key in right[0]]))
            of_splits.append(gaps[-1].mean())
        of_seeds.append(np.concatenate(gaps).mean())
    found = comparison.differences["accuracy"]
    assert found.value == pytest.approx(np.mean(of_seeds))
    assert found.low <= found.value <= found.high
    runs = [comparison.first.cells[split].runs[split] for split in table.study.splits]
    ratio = np.mean([len(run.ids) / run.num_train for run in runs])
    wanted = statistics.mean_interval(np.array(of_splits), test_to_train=float(ratio))
    over = comparison.over_splits["accuracy"]
    assert (over.mean, over.low, over.p_value) == pytest.approx((wanted.mean, wanted.low, wanted.p_value))
    assert comparison.mcnemar_p is None


def test_a_single_split_has_mcnemar_and_nothing_over_splits(single):
    _, table = single
    assert [(c.first.approach, c.second.approach) for c in table.comparisons] == list(study_table.PAIRS)
    for comparison in table.comparisons:
        assert 0 <= comparison.mcnemar_p <= 1
        assert comparison.over_splits == {"accuracy": None, "macro_f1": None}
    assert table.rows[0].pooled.over_splits["accuracy"] is None


def test_without_a_finished_cell_an_approach_chooses_nothing(tmp_path):
    missing = [cell[0] for cell in CELLS if cell[1] == 3]
    out = fake_study.make(tmp_path / "study", cells=CELLS, missing=missing, num_epochs=1)
    table = study_table.compute(study_folder.read(out))
    assert set(table.choices) == {1, 2}
    assert [(c.first.approach, c.second.approach) for c in table.comparisons] == [(2, 1)]


def test_a_study_in_which_nothing_is_done(tmp_path):
    out = fake_study.make(tmp_path / "study", cells=CELLS, missing=[cell[0] for cell in CELLS])
    table = study_table.compute(study_folder.read(out))
    assert all(row.pooled is None for row in table.rows)
    assert table.choices == {}
    assert table.rows[0].validation is None


def test_features_are_computed_once(several):
    # The fake's first fold computes features, the others find them.
    _, table = several
    assert row(table, "stat-both").fact("feature_s") == pytest.approx(23.2)
    assert row(table, "stat-both").fact("num_parameters") == 230_085
    assert row(table, "image-log-cqt").words("base_init") == "he"
    assert row(table, "stat-both").words("base_init") == ""

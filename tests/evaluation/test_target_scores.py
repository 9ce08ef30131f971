"""Scores of predicted numbers and tags, against SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics

from mer_jax import checks
from mer_jax.evaluation import target_scores

NAMES = ("calmness", "power", "tension")


def test_regression_is_scipys_and_scikit_learns(rng):
    y = rng.normal(size=(60, 3)) * [1, 0.1, 10]
    p = 0.6 * y + rng.normal(size=(60, 3)) * [0.5, 0.05, 5] + 0.1
    found = target_scores.regression(y, p, NAMES, std=y.std(axis=0).tolist())
    r = [scipy.stats.pearsonr(y[:, k], p[:, k]).statistic for k in range(3)]
    assert found["pearson_r"] == pytest.approx(np.mean(r), rel=1e-10)
    assert found["per_target"]["power"]["pearson_r"] == pytest.approx(r[1], rel=1e-10)
    assert found["r2"] == pytest.approx(metrics.r2_score(y, p), rel=1e-10)
    assert found["rmse"] == pytest.approx(
        np.mean(metrics.root_mean_squared_error(y, p, multioutput="raw_values")), rel=1e-10
    )
    assert found["loss"] == pytest.approx(np.mean((y - p) ** 2 / y.var(axis=0)), rel=1e-10)
    # Concordance of a prediction that is off by a constant, by its definition.
    shifted = target_scores.regression(y, y + 1, NAMES)["per_target"]["calmness"]["ccc"]
    assert shifted == pytest.approx(2 * y[:, 0].var() / (2 * y[:, 0].var() + 1), rel=1e-10)


def test_a_constant_target_has_no_correlation_and_does_not_count(rng):
    y = rng.normal(size=(20, 2))
    y[:, 1] = 3
    found = target_scores.regression(y, y + rng.normal(size=y.shape), NAMES[:2])
    assert found["per_target"]["power"]["pearson_r"] is None
    assert found["pearson_r"] == found["per_target"]["calmness"]["pearson_r"]


def test_tags_are_scikit_learns(rng):
    y = (rng.uniform(size=(80, 3)) < [0.5, 0.2, 0.7]).astype(float)
    p = np.clip(0.5 * y + rng.uniform(size=(80, 3)) * 0.6, 0, 1)
    found = target_scores.tags(y, p, NAMES)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(y, p), rel=1e-10)
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(y, p), rel=1e-10)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, p > 0.5, average="macro"), rel=1e-10)
    assert found["accuracy"] == pytest.approx(((p > 0.5) == y).mean(), rel=1e-10)
    assert found["loss"] == pytest.approx(
        np.mean([metrics.log_loss(y[:, k], p[:, k]) for k in range(3)]), rel=1e-6
    )


def test_a_tag_that_no_clip_has_is_undefined(rng):
    y = np.zeros((10, 2))
    y[:5, 0] = 1
    found = target_scores.tags(y, rng.uniform(size=(10, 2)), NAMES[:2])
    assert found["per_target"]["power"]["auc"] is None
    assert found["auc"] == found["per_target"]["calmness"]["auc"]


@pytest.mark.parametrize("bad", ["shape", "nan", "empty"])
def test_what_cannot_be_scored_is_named(bad):
    y, p = np.zeros((4, 2)), np.ones((4, 2))
    if bad == "shape":
        y, p = y[:, :1], p[:, :1]
    elif bad == "nan":
        p[0, 0] = np.nan
    else:
        y = p = np.zeros((0, 2))
    with pytest.raises(checks.DataError, match="predictions"):
        target_scores.regression(y, p, NAMES[:2])
    with pytest.raises(checks.DataError, match="outside their range"):
        target_scores.tags(np.full((4, 2), 0.5), np.ones((4, 2)), NAMES[:2])


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=(40, 3)) < [0.1, 0.5, 0.9]).astype(np.float64)
    p = np.round(np.clip(0.4 * y + rng.uniform(0, 0.6, y.shape), 0, 1), 1)  # rounded, so that some are equal
    found = target_scores.best_thresholds(y, p)
    for k in range(3):
        every = [
            metrics.f1_score(y[:, k], p[:, k] > t, zero_division=0) for t in np.linspace(-0.05, 1.05, 23)
        ]
        assert metrics.f1_score(y[:, k], p[:, k] > found[k], zero_division=0) == pytest.approx(max(every))


def test_a_tag_that_no_clip_has_keeps_one_half():
    assert target_scores.best_thresholds(np.zeros((3, 1)), np.full((3, 1), 0.2)).tolist() == [0.5]


def test_thresholds_decide_f1_and_accuracy_alone():
    y, p = np.array([[1.0], [0.0], [1.0]]), np.array([[0.3], [0.1], [0.6]])
    half, tuned = (
        target_scores.tags(y, p, ["calm"], thresholds=t) for t in (None, target_scores.best_thresholds(y, p))
    )
    assert (half["macro_f1"], tuned["macro_f1"]) == (pytest.approx(2 / 3), 1.0)
    assert (half["accuracy"], tuned["accuracy"]) == (pytest.approx(2 / 3), 1.0)
    assert half["auc"] == tuned["auc"]

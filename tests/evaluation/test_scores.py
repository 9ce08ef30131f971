import json

import numpy as np
import pytest
from sklearn import metrics

from mer_jax import checks
from mer_jax.evaluation import scores

CLASSES = ("a", "b", "c", "d")


def draw(rng, num_clips=200, num_classes=4, decimals=None):
    labels = rng.integers(0, num_classes, num_clips).astype(np.int32)
    logits = rng.normal(size=(num_clips, num_classes)) + np.eye(num_classes)[labels]
    if decimals is not None:
        logits = np.round(logits, decimals)  # ties between clips
    probabilities = np.exp(logits)
    return labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def test_worked_example():
    # Four clips, worked by hand; the third is wrong.
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    out = scores.compute(labels, probabilities, ("calm", "tense"))
    assert out["confusion"] == [[2, 0], [1, 1]]
    assert out["accuracy"] == 0.75
    assert out["brier"] == pytest.approx((0.02 + 0.08 + 0.72 + 0.18) / 4)
    assert out["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())
    assert out["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert out["mcc"] == pytest.approx((2 * 1 - 0 * 1) / np.sqrt(3 * 2 * 2 * 1))
    assert out["auc"] == 1.0
    # Each clip has a bin of its own: (0.9 right, 0.8 right, 0.6 wrong, 0.7 right).
    assert out["ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    assert out["per_class"]["tense"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }
    assert out["num_clips"] == 4


@pytest.mark.parametrize("decimals", [None, 0])
def test_agrees_with_scikit_learn(rng, decimals):
    labels, probabilities = draw(rng, decimals=decimals)
    predicted, exact = probabilities.argmax(axis=1), probabilities.astype(np.float64)
    normalised = exact / exact.sum(axis=1, keepdims=True)  # scikit-learn warns about float32 rounding
    out = scores.compute(labels, probabilities, CLASSES)
    assert out["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert out["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert out["mcc"] == pytest.approx(metrics.matthews_corrcoef(labels, predicted))
    assert out["brier"] == pytest.approx(
        metrics.brier_score_loss(labels, normalised, labels=range(4)), abs=1e-6
    )
    assert out["loss"] == pytest.approx(metrics.log_loss(labels, normalised), abs=1e-6)
    one_hot = np.eye(4)[labels]
    assert out["auc"] == pytest.approx(metrics.roc_auc_score(one_hot, exact, average="macro"))


def test_calibration_error_counts_each_clip_in_its_bin(rng):
    labels, probabilities = draw(rng)
    total = 0.0
    for b in range(15):
        inside = [
            (p.max(), p.argmax() == label)
            for p, label in zip(probabilities.astype(np.float64), labels, strict=True)
            if b / 15 < p.max() <= (b + 1) / 15
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += len(inside) / len(labels) * abs(confidence - right)
    assert scores.expected_calibration_error(labels, probabilities) == pytest.approx(total)
    assert scores.reliability(labels, probabilities)["count"].sum() == len(labels)


def test_class_without_clips_is_left_out_of_the_means():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1]])
    out = scores.compute(labels, probabilities, ("a", "b", "gone"))
    assert out["per_class"]["gone"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert out["macro_f1"] == 1.0
    assert out["auc"] == 1.0
    assert np.shape(out["confusion"]) == (3, 3)


def test_class_without_clips_that_is_predicted_counts_against_macro_f1():
    labels = np.array([0, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.3, 0.6]])
    out = scores.compute(labels, probabilities, ("a", "b", "gone"))
    assert out["per_class"]["gone"]["f1"] == 0.0
    assert out["per_class"]["b"]["precision"] is None
    assert out["macro_f1"] == pytest.approx(1 / 3)


def test_constant_predictions():
    labels = np.array([0, 1, 2, 0])
    probabilities = np.full((4, 3), 1 / 3)
    out = scores.compute(labels, probabilities, ("a", "b", "c"))
    assert out["accuracy"] == 0.5  # the first of equal probabilities
    assert out["mcc"] == 0.0
    assert out["auc"] == 0.5
    assert out["brier"] == pytest.approx(2 / 3)
    assert out["loss"] == pytest.approx(np.log(3))


def test_one_clip():
    out = scores.compute(np.array([1]), np.array([[0.25, 0.75]]), ("a", "b"))
    assert out["accuracy"] == 1.0
    assert out["mcc"] == 0.0
    assert out["auc"] is None
    assert out["ece"] == pytest.approx(0.25)
    assert out["macro_f1"] == 1.0


def test_a_certain_mistake_has_a_finite_loss():
    out = scores.compute(np.array([0]), np.array([[0.0, 1.0]], dtype=np.float32), ("a", "b"))
    assert 80 < out["loss"] < 90
    assert out["brier"] == 2.0


def test_result_is_strict_json(rng):
    labels, probabilities = draw(rng, num_clips=3)
    out = scores.compute(labels, probabilities, CLASSES)
    assert json.loads(json.dumps(out, allow_nan=False)) == out


@pytest.mark.parametrize(
    ("labels", "probabilities", "problem"),
    [
        (np.zeros(0, int), np.zeros((0, 2)), "no clip"),
        (np.array([2]), np.array([[0.5, 0.5]]), "label outside"),
        (np.array([-1]), np.array([[0.5, 0.5]]), "label outside"),
        (np.array([0]), np.array([[2.0, -1.0]]), "not probabilities"),
        (np.array([0]), np.array([[np.nan, 0.5]]), "not probabilities"),
        (np.array([0]), np.array([[0.7, 0.7]]), "not probabilities"),
        (np.array([0]), np.array([[0.2, 0.3, 0.5]]), "shape"),
    ],
)
def test_refuses_what_cannot_be_scored(labels, probabilities, problem):
    with pytest.raises(checks.DataError, match=problem):
        scores.compute(labels, probabilities, ("a", "b"))


def test_refuses_a_class_named_twice():
    with pytest.raises(checks.DataError, match="different names"):
        scores.compute(np.array([0]), np.array([[0.5, 0.5]]), ("a", "a"))


def test_reliability_bins_are_open_below_and_closed_above():
    # 0.5 is the upper edge of the second of four bins; 0.75 and 1.0 are upper edges too.
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0], [0.8, 0.2]])
    bins = scores.reliability(np.array([0, 0, 0, 1, 1]), probabilities, num_bins=4)
    assert bins["count"].tolist() == [0, 1, 2, 2]
    assert np.isnan(bins["accuracy"][0])
    assert bins["accuracy"][1:].tolist() == [1.0, 0.5, 0.5]
    assert bins["confidence"][1:].tolist() == pytest.approx([0.5, 0.75, 0.9])

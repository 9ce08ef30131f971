"""The tasks: losses and measures against scikit-learn and against their formulas in NumPy, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics
from sklearn.utils.class_weight import compute_class_weight

from mer_jax.training.task import (
    Classification,
    Joint,
    MultiLabel,
    Regression,
    balanced_weights,
    concordance,
    standardising,
)

CLASSES = 4


@pytest.fixture
def logits(rng):
    return 3 * rng.normal(size=(50, CLASSES))


@pytest.fixture
def labels(rng):
    return rng.integers(0, CLASSES, 50).astype(np.int32)


def softmax(logits):
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def cross_entropy(logits, labels, **options):
    task = Classification(**options)
    return task.losses(logits, task.targets({"label": labels}, logits.shape[-1]))


def brier(probabilities, labels):
    """Of given probabilities: their logarithms are logits that give them."""
    task = Classification()
    logits = jnp.log(jnp.maximum(probabilities, 1e-30))
    return task.measure(logits, task.targets({"label": labels}, logits.shape[-1]))["brier"]


def test_cross_entropy_is_the_log_loss(logits, labels):
    with jax.enable_x64(True):
        ours = float(cross_entropy(jnp.asarray(logits), jnp.asarray(labels)).mean())
    theirs = metrics.log_loss(labels, softmax(logits), labels=range(CLASSES))
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_smoothing_and_weights_are_their_formulas(logits, labels):
    smoothing, weights = 0.2, np.array([0.5, 1.0, 2.0, 3.0])
    targets = np.full((50, CLASSES), smoothing / CLASSES)
    targets[np.arange(50), labels] += 1 - smoothing
    expected = -(targets * np.log(softmax(logits))).sum(axis=1) * weights[labels]
    with jax.enable_x64(True):
        ours = cross_entropy(
            jnp.asarray(logits),
            jnp.asarray(labels),
            label_smoothing=smoothing,
            class_weights=tuple(weights),
        )
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_brier_is_scikit_learns_sum_over_classes(logits, labels):
    probabilities = softmax(logits)
    with jax.enable_x64(True):
        ours = float(brier(jnp.asarray(probabilities), jnp.asarray(labels)).mean())
    theirs = metrics.brier_score_loss(labels, probabilities, labels=list(range(CLASSES)), scale_by_half=False)
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_brier_falls_as_a_model_improves_where_the_mean_squared_error_of_labels_rises():
    """The study's figure compares probabilities with class numbers: better predictions make it worse."""
    labels = np.array([3, 2, 3])
    poor, good = np.full((3, CLASSES), 0.25), np.eye(CLASSES)[labels]

    def study(probabilities):
        return np.mean((probabilities - labels[:, None]) ** 2)

    def ours(probabilities):
        return float(brier(jnp.asarray(probabilities, jnp.float32), jnp.asarray(labels)).mean())

    assert study(good) > study(poor)
    assert ours(good) < 1e-12 < ours(poor)


def test_confident_mistakes_stay_finite():
    logits = jnp.array([[1e4, -1e4], [-1e4, 1e4]])
    losses, grad = jax.value_and_grad(lambda x: cross_entropy(x, jnp.array([1, 1])).sum())(logits)
    assert np.isfinite(losses)
    assert np.isfinite(grad).all()


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat(np.arange(3), (5, 20, 7)).astype(np.int32)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced_weights(labels, 3), expected, rtol=1e-6)
    assert float(np.array(balanced_weights(labels, 3))[labels].mean()) == pytest.approx(1.0)


def test_a_class_without_clips_has_a_finite_weight():
    assert np.isfinite(balanced_weights(np.array([0, 0, 2], np.int32), 4)).all()


def test_regression_counts_targets_in_units_of_their_spread(rng):
    targets = rng.normal([0.2, -3.0], [0.01, 10.0], (500, 2)).astype(np.float32)
    task = standardising(targets)
    batch = {"target": jnp.asarray(targets)}
    found = task.targets(batch, 2)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(task.outputs(found), targets, rtol=1e-4, atol=1e-6)
    # Predicting the mean leaves a loss of 1, whatever the units; the measure is in the targets' own.
    zeros = jnp.zeros_like(found)
    assert float(task.losses(zeros, found).mean()) == pytest.approx(1, rel=1e-5)
    expected = metrics.mean_squared_error(targets, np.tile(targets.mean(axis=0), (500, 1)))
    assert float(task.measure(zeros, found)["mse"].mean()) == pytest.approx(expected, rel=1e-4)


def test_a_constant_target_is_left_in_its_units():
    task = standardising(np.full((5, 1), 2.0, np.float32))
    assert task.std == (1.0,)
    assert float(task.targets({"target": jnp.full((1, 1), 2.0)}, 1)[0, 0]) == 0


def test_tags_are_scored_one_by_one(rng):
    logits = rng.normal(size=(40, 3)) * 3
    tags = rng.integers(0, 2, (40, 3)).astype(np.float64)
    task = MultiLabel()
    probabilities = 1 / (1 + np.exp(-logits))
    with jax.enable_x64(True):
        targets = task.targets({"target": jnp.asarray(tags)}, 3)
        losses = np.asarray(task.losses(jnp.asarray(logits), targets))
        measured = {name: np.asarray(x) for name, x in task.measure(jnp.asarray(logits), targets).items()}
        outputs = np.asarray(task.outputs(jnp.asarray(logits)))
    expected = np.mean([metrics.log_loss(tags[:, k], probabilities[:, k]) for k in range(3)])
    assert float(losses.mean()) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(outputs, probabilities, rtol=1e-12)
    assert float(measured["accuracy"].mean()) == pytest.approx(((logits > 0) == (tags > 0.5)).mean())
    assert float(measured["brier"].mean()) == pytest.approx(((probabilities - tags) ** 2).mean(), rel=1e-10)


def test_concordance_as_a_loss(rng):
    """Against the definition from moments that NumPy takes in float64."""
    x, y = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 0.3
    x[:, 1] = y[:, 1]
    expected = [
        2 * np.cov(x[:, k], y[:, k], bias=True)[0, 1]
        / (x[:, k].var() + y[:, k].var() + (x[:, k].mean() - y[:, k].mean()) ** 2)
        for k in range(2)
    ]  # fmt: skip
    np.testing.assert_allclose(concordance(jnp.asarray(x), jnp.asarray(y)), expected, rtol=1e-5)
    losses = Regression((0.0, 0.0), (1.0, 1.0), "ccc").losses(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(losses, np.full(50, 1 - np.mean(expected)), rtol=1e-5)


def test_concordance_of_constants_is_zero_with_a_finite_gradient():
    same = jnp.zeros((4, 2))
    assert concordance(same, same).tolist() == [0.0, 0.0]
    gradient = jax.grad(lambda x: concordance(x, same).sum())(same)
    assert np.isfinite(gradient).all()


def test_both_at_once_is_the_sum_of_both(rng):
    one, two = (
        Classification(label_smoothing=0.1),
        standardising(rng.normal(3, 2, (20, 2)).astype(np.float32)),
    )
    task = Joint(one, two, weight=0.5)
    batch = {
        "label": jnp.asarray(rng.integers(0, 3, 6)),
        "target": jnp.asarray(rng.normal(3, 2, (6, 2)).astype(np.float32)),
    }
    logits = jnp.asarray(rng.normal(size=(6, 5)).astype(np.float32))
    targets = task.targets(batch, 5)
    a, b = one.targets(batch, 3), two.targets(batch, 2)
    np.testing.assert_array_equal(targets, np.concatenate([a, b], axis=1))
    expected = one.losses(logits[:, :3], a) + 0.5 * two.losses(logits[:, 3:], b)
    np.testing.assert_allclose(task.losses(logits, targets), expected, rtol=1e-6)
    np.testing.assert_allclose(
        task.outputs(logits), np.concatenate([one.outputs(logits[:, :3]), two.outputs(logits[:, 3:])], axis=1)
    )
    assert set(task.measure(logits, targets)) == set(task.measures)
    assert task.truth(batch).shape == (6, 3)

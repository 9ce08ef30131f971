"""Losses over steps of which some have no rating."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.training import SequenceRegression
from mer_jax.training.sequence_task import masked_concordance

MEAN, STD = (2.0, -1.0), (0.5, 4.0)


@pytest.fixture
def batch(rng):
    index = np.where(rng.random((5, 7)) < 0.6, np.arange(7)[None], -1).astype(np.int32)
    index[4] = -1  # filler
    ratings = rng.normal(size=(5, 7, 2)).astype(np.float32) * np.array(STD, np.float32)
    ratings[index < 0] = 77.0  # must not matter
    return {
        "ratings": ratings,
        "rating_index": index,
        "index": np.array([3, 1, 4, 1, 3], np.int32),
        "weight": (index >= 0).sum(axis=1).astype(np.float32),
    }


def logits_of(rng, shape=(5, 7, 2)):
    return jnp.asarray(rng.normal(size=shape).astype(np.float32))


def test_the_weighted_mean_is_over_the_rated_steps_of_the_batch(batch, rng):
    task, logits = SequenceRegression(MEAN, STD), logits_of(rng)
    losses = task.losses(logits, task.targets(batch, 2))
    assert losses.shape == (5,)
    found = float((losses * batch["weight"]).sum() / batch["weight"].sum())
    rated = batch["rating_index"] >= 0
    standard = (batch["ratings"][rated] - np.array(MEAN)) / np.array(STD)
    assert found == pytest.approx(np.square(np.asarray(logits)[rated] - standard).mean(), rel=1e-5)
    error = (task.outputs(logits)[rated] - batch["ratings"][rated]) ** 2
    measured = task.measure(logits, task.targets(batch, 2))["mse"]
    assert float((measured * batch["weight"]).sum() / batch["weight"].sum()) == pytest.approx(
        float(error.mean()), rel=1e-4
    )


def test_concordance_is_over_the_rated_steps_of_all_clips(batch, rng):
    task, logits = SequenceRegression(MEAN, STD, "ccc"), logits_of(rng)
    losses = task.losses(logits, task.targets(batch, 2))
    rated = batch["rating_index"] >= 0
    y = (batch["ratings"][rated] - np.array(MEAN)) / np.array(STD)
    p = np.asarray(logits)[rated]
    below = y.var(axis=0) + p.var(axis=0) + (y.mean(axis=0) - p.mean(axis=0)) ** 2
    ccc = 2 * ((y - y.mean(axis=0)) * (p - p.mean(axis=0))).mean(axis=0) / below
    np.testing.assert_allclose(losses, np.full(5, 1 - ccc.mean()), rtol=1e-5)


def test_constants_have_no_concordance_and_no_nan():
    x = jnp.ones((1, 3, 1))
    mask = jnp.ones((1, 3, 1))
    assert masked_concordance(x, x, mask).tolist() == [0]
    assert masked_concordance(x, 2 * x, mask).tolist() == [0]
    assert masked_concordance(x, x, jnp.zeros((1, 3, 1))).tolist() == [0]
    gradient = jax.grad(lambda p: masked_concordance(p, x, mask).sum())(x)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", ["mse", "ccc"])
def test_what_is_not_rated_has_no_gradient(batch, rng, loss):
    task, logits = SequenceRegression(MEAN, STD, loss), logits_of(rng)
    total = lambda x: (task.losses(x, task.targets(batch, 2)) * batch["weight"]).sum()  # noqa: E731
    gradient = np.asarray(jax.grad(total)(logits))
    rated = batch["rating_index"] >= 0
    assert (gradient[~rated] == 0).all()
    assert (gradient[rated] != 0).all()


def test_truth_says_which_rating_of_which_clip(batch):
    truth = SequenceRegression(MEAN, STD).truth(batch)
    assert truth.shape == (5, 7, 4)
    np.testing.assert_array_equal(truth[:, :, :2], batch["ratings"])
    np.testing.assert_array_equal(truth[2, :, 2], 4)
    np.testing.assert_array_equal(truth[:, :, 3], batch["rating_index"])

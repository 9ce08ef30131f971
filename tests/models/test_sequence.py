"""One output a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.models import RecurrentConfig, SequenceNetwork
from mer_jax.models.sequence import frames_of_steps


def network(architecture: str = "cnn_bilstm", **changes) -> SequenceNetwork:
    config = RecurrentConfig(architecture, conv_filters=4, lstm_units=3, dense_units=5, dropout=0.0)
    sizes = {"num_features": 2, "num_outputs": 2, "num_steps": 4, "hop_length": 256, "step_samples": 2000.0}
    return SequenceNetwork(config, **(sizes | changes), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("architecture", ["dense", "rnn", "lstm", "bilstm", "cnn", "cnn_bilstm"])
def test_outputs_are_a_row_a_step(architecture):
    x = jax.random.normal(jax.random.key(0), (3, 32, 2))
    assert network(architecture)(x).shape == (3, 4, 2)


def test_frames_belong_to_the_step_that_their_centre_lies_in():
    found = frames_of_steps(32, 4, hop_length=256, step_samples=2000, pooled=False)
    for step in range(4):
        for frame in range(32):
            inside = 2000 * step <= 256 * frame < 2000 * (step + 1)
            assert found[step, frame] == inside
    # A pooled frame has its centre between the two that it is made of.
    found = frames_of_steps(16, 4, hop_length=256, step_samples=2000, pooled=True)
    assert np.flatnonzero(found[1]).tolist() == [4, 5, 6, 7]  # centres 2176, 2688, 3200, 3712


def test_a_step_is_the_mean_of_its_frames():
    model = network("dense", num_features=1)
    x = jnp.arange(32.0)[None, :, None] / 32
    weights = frames_of_steps(32, 4, hop_length=256, step_samples=2000, pooled=False)
    means = (weights @ np.asarray(x[0]) / weights.sum(axis=1, keepdims=True))[None]
    expected = model.logits(nnx.relu(model.dense(jnp.asarray(means))))
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["bilstm", "cnn_bilstm"])
def test_padding_changes_no_step_that_has_frames(architecture):
    model = network(architecture)
    x = jax.random.normal(jax.random.key(1), (1, 32, 2))
    mask = jnp.arange(32)[None] < 16
    short = model(x, mask=mask)
    other = model(jnp.where(mask[:, :, None], x, 99.0), mask=mask)
    np.testing.assert_array_equal(short, other)
    alone = model(x[:, :16])
    np.testing.assert_allclose(short[:, :2], alone[:, :2], rtol=1e-5, atol=1e-6)
    assert np.isfinite(short).all()


def test_frames_too_far_apart_for_the_steps():
    with pytest.raises(checks.ConfigError, match="a state every 2048 samples, and an output every 2000"):
        network(hop_length=1024)
    assert network("bilstm", hop_length=1000).num_steps == 4

"""The network over frames against the same layers written out in NumPy, and its promise about padding."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.models import CNNBiLSTM, RecurrentConfig, build

ARCHITECTURES = ("dense", "rnn", "lstm", "bilstm", "cnn", "cnn_lstm", "cnn_bilstm")
SMALL = {"conv_filters": 6, "lstm_units": 5, "dense_units": 4}


def make(architecture="cnn_bilstm", *, features=3, classes=5, frames=12, **options):
    config = RecurrentConfig(**(SMALL | {"architecture": architecture} | options))
    return build(config, num_features=features, num_classes=classes, num_frames=frames, rngs=nnx.Rngs(0))


def float64(variable):
    return np.asarray(variable[...], np.float64)


def numpy_lstm(x, layer):
    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    recurrent = float64(layer.recurrent_kernel)
    h = c = np.zeros(recurrent.shape[0])
    out = []
    for x_t in x:
        i, f, g, o = np.split(x_t @ float64(layer.kernel) + h @ recurrent + float64(layer.bias), 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def numpy_cnn_bilstm(x, model):
    """Conv1D (same) - ReLU - max-pool 2 - BiLSTM - flatten - dense - ReLU - logits, one clip."""
    kernel, taps = float64(model.conv.kernel), model.conv.kernel.shape[0]
    padded = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
    conv = np.array([np.einsum("kf,kfo->o", padded[t : t + taps], kernel) for t in range(len(x))])
    conv = np.maximum(conv + float64(model.conv.bias), 0)
    pooled = np.array([np.maximum(conv[t], conv[t + 1]) for t in range(0, len(conv) - 1, 2)])
    forward = numpy_lstm(pooled, model.recurrent.forward)
    backward = numpy_lstm(pooled[::-1], model.recurrent.backward)[::-1]
    flat = np.concatenate([forward, backward], axis=1).ravel()
    dense = np.maximum(flat @ float64(model.dense.kernel) + float64(model.dense.bias), 0)
    return dense @ float64(model.logits.kernel) + float64(model.logits.bias)


@pytest.mark.parametrize("frames", [12, 13])
def test_cnn_bilstm_is_the_protocols(rng, frames):
    model = make(frames=frames)
    x = rng.normal(size=(2, frames, 3))
    expected = np.stack([numpy_cnn_bilstm(clip, model) for clip in x])
    np.testing.assert_allclose(model(jnp.asarray(x, jnp.float32)), expected, atol=1e-6, rtol=0)


def test_default_sizes_are_the_protocols():
    model = CNNBiLSTM(num_features=3, num_classes=5, rngs=nnx.Rngs(0))
    count = sum(p.size for p in jax.tree.leaves(nnx.state(model, nnx.Param)))
    bilstm = 2 * (64 + 64 + 1) * 4 * 64
    assert count == (3 * 3 + 1) * 64 + bilstm + (108 * 128 + 1) * 64 + (64 + 1) * 5
    assert model(jnp.zeros((2, 216, 3))).shape == (2, 5)
    assert (model.config.dropout, model.config.kernel_size, model.config.pool) == (0.3, 3, "flatten")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("length", [6, 7])
def test_padding_never_changes_a_clips_logits(rng, architecture, pool, length):
    if pool == "last" and architecture in ("dense", "cnn"):
        pytest.skip("refused: there is no state (test_configuration_is_checked)")
    model = make(architecture, pool=pool)
    # Some of these few units would be shut by their ReLU for any input.
    model.dense.bias[...] = jnp.ones_like(model.dense.bias[...])
    clip = jnp.asarray(rng.normal(size=(1, length, 3)), jnp.float32)
    alone = model(clip)
    for extra in (1, 2, 9):
        padded = jnp.concatenate([clip, jnp.full((1, extra, 3), 50.0)], axis=1)
        mask = jnp.arange(length + extra)[None] < length
        np.testing.assert_allclose(model(padded, mask=mask), alone, atol=1e-6, rtol=0)
        assert float(jnp.abs(model(padded) - alone).max()) > 1e-3, (
            "the padding matters where no mask is given"
        )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_flatten_crops_and_pads_to_its_frames(rng, architecture):
    model = make(architecture, frames=8)
    long = jnp.asarray(rng.normal(size=(2, 20, 3)), jnp.float32)
    np.testing.assert_array_equal(model(long), model(long[:, :8]))
    short = model(long[:, :5])
    padded = jnp.concatenate([long[:, :5], jnp.full((2, 3, 3), 50.0)], axis=1)
    mask = jnp.tile(jnp.arange(8)[None] < 5, (2, 1))
    np.testing.assert_allclose(model(padded, mask=mask), short, atol=1e-6, rtol=0)


def test_last_takes_each_direction_at_its_end(rng):
    model = make("bilstm", pool="last")
    x = jnp.asarray(rng.normal(size=(1, 9, 3)), jnp.float32)
    mask = jnp.arange(9)[None] < 6
    seen = []
    model.dense = lambda state: seen.append(state) or jnp.zeros((1, 4))
    model(x, mask=mask)
    clip = np.asarray(x[0, :6], np.float64)
    expected = [
        numpy_lstm(clip, model.recurrent.forward)[-1],
        numpy_lstm(clip[::-1], model.recurrent.backward)[-1],
    ]
    np.testing.assert_allclose(seen[0][0], np.concatenate(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_every_parameter(rng, architecture):
    model = make(architecture, dropout=0.0)
    graph, params = nnx.split(model)
    x = jnp.asarray(rng.normal(size=(4, 12, 3)), jnp.float32)
    grads = jax.jit(jax.grad(lambda p: (nnx.merge(graph, p)(x) ** 2).sum()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path


def test_clips_shorter_than_a_pooled_frame_stay_finite():
    model = make(pool="mean")
    graph, params = nnx.split(model)
    mask = jnp.zeros((2, 12), bool).at[0, 0].set(True)

    def loss(p):
        return (nnx.merge(graph, p)(jnp.ones((2, 12, 3)), mask=mask) ** 2).sum()

    value, grads = jax.value_and_grad(loss)(params)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_dropout_takes_its_key_from_the_call(rng):
    model = make(dropout=0.5)
    x = jnp.asarray(rng.normal(size=(4, 12, 3)), jnp.float32)
    first = model(x, deterministic=False, rngs=nnx.Rngs(dropout=1))
    np.testing.assert_array_equal(first, model(x, deterministic=False, rngs=nnx.Rngs(dropout=1)))
    assert not np.allclose(first, model(x, deterministic=False, rngs=nnx.Rngs(dropout=2)))
    assert not np.allclose(first, model(x))
    assert not jax.tree.leaves(nnx.state(model, nnx.RngState)), "no random state inside the model"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "cnn_bilstn"}, r"recurrent\.architecture.*did you mean 'cnn_bilstm'"),
        ({"pool": "max"}, r"recurrent\.pool"),
        ({"conv_filters": 0}, r"recurrent\.conv_filters"),
        ({"lstm_units": -1}, r"recurrent\.lstm_units"),
        ({"dropout": 1.0}, r"recurrent\.dropout"),
        ({"dropout": float("nan")}, r"recurrent\.dropout"),
        ({"architecture": "cnn", "pool": "last"}, r"recurrent\.pool.*no state"),
    ],
)
def test_configuration_is_checked(options, message):
    # Field by field: in tests the annotations are enforced, and a wrong Literal would never reach the check.
    config = object.__new__(RecurrentConfig)
    for field in dataclasses.fields(RecurrentConfig):
        object.__setattr__(config, field.name, options.get(field.name, field.default))
    with pytest.raises(checks.ConfigError, match=message):
        config.__post_init__()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"features": 0}, "num_features"),
        ({"classes": 1}, "num_classes"),
        ({"frames": 1}, "num_frames.*at least 2"),
    ],
)
def test_sizes_are_checked(sizes, message):
    with pytest.raises(checks.ArgumentError, match=message):
        make(**sizes)


def test_one_frame_is_refused_where_two_are_needed():
    with pytest.raises(checks.ArgumentError, match="at least 2"):
        make(pool="mean")(jnp.zeros((1, 1, 3)))

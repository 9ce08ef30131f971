"""The recurrent layers against equations written out frame by frame in NumPy, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

from mer_jax import checks
from mer_jax.models import LSTM, BiLSTM, SimpleRNN, recurrence
from mer_jax.models.lstm import lstm


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def keras_lstm(x, kernel, recurrent_kernel, bias):
    """keras.layers.LSTM(return_sequences=True) on one clip (frames, features): gates in the order i, f, c, o."""
    units = recurrent_kernel.shape[0]
    h, c, out = np.zeros(units), np.zeros(units), []
    for x_t in x:
        z = x_t @ kernel + h @ recurrent_kernel + bias
        z_i, z_f, z_c, z_o = z[:units], z[units : 2 * units], z[2 * units : 3 * units], z[3 * units :]
        c = sigmoid(z_f) * c + sigmoid(z_i) * np.tanh(z_c)
        h = sigmoid(z_o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def weights(rng, features, units, gates=4):
    return (
        rng.normal(size=(features, gates * units)),
        rng.normal(size=(units, gates * units)) / units**0.5,
        rng.normal(size=gates * units),
    )


def plain_lstm(x, valid, kernel, recurrent_kernel, bias, *, reverse):
    """The same equations in JAX without a scan and without a custom gradient: what autodiff makes of them."""
    h = c = jnp.zeros((x.shape[0], recurrent_kernel.shape[0]), x.dtype)
    out = [None] * x.shape[1]
    order = range(x.shape[1])
    for t in reversed(order) if reverse else order:
        i, f, g, o = jnp.split(x[:, t] @ kernel + h @ recurrent_kernel + bias[None], 4, axis=-1)
        c = jnp.where(valid[:, t, None], jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g), 0)
        h = jnp.where(valid[:, t, None], jax.nn.sigmoid(o) * jnp.tanh(c), 0)
        out[t] = h
    return jnp.stack(out, axis=1)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("x64", "tolerance"), [(False, 2e-6), (True, 1e-13)])
def test_same_weights_give_the_output_of_keras(rng, reverse, x64, tolerance):
    x, params = rng.normal(size=(3, 11, 5)), weights(rng, 5, 7)
    step = -1 if reverse else 1
    expected = np.stack([keras_lstm(clip[::step], *params)[::step] for clip in x])
    with jax.enable_x64(x64):
        dtype = np.float64 if x64 else np.float32
        got = lstm(
            *(jnp.asarray(a, dtype) for a in (x,)),
            None,
            *(jnp.asarray(p, dtype) for p in params),
            reverse=reverse,
        )
        assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradient_is_that_of_plain_autodiff(rng, reverse):
    valid = np.arange(9)[None] < np.array([[9], [4], [1]])
    with jax.enable_x64(True):
        args = [jnp.asarray(a) for a in (rng.normal(size=(3, 9, 2)), *weights(rng, 2, 4))]
        probe = jnp.asarray(rng.normal(size=(3, 9, 4)))

        def ours(x, *params):
            return (lstm(x, jnp.asarray(valid), *params, reverse=reverse) * probe).sum()

        def plain(x, *params):
            return (plain_lstm(x, valid, *params, reverse=reverse) * probe).sum()

        got = jax.jit(jax.grad(ours, argnums=(0, 1, 2, 3)))(*args)
        expected = jax.jit(jax.grad(plain, argnums=(0, 1, 2, 3)))(*args)
        for a, b in zip(got, expected, strict=True):
            assert float(jnp.abs(b).max()) > 1e-3
            np.testing.assert_allclose(a, b, atol=1e-13, rtol=1e-11)
        check_grads(jax.jit(ours), args, order=1, modes=["rev"], rtol=1e-6)


@pytest.mark.parametrize("make", [SimpleRNN, LSTM, BiLSTM])
def test_padding_changes_nothing(rng, make):
    """The clip alone and the clip followed by junk, masked: the backward direction starts at the last real frame."""
    layer = make(3, 4, rngs=nnx.Rngs(0))
    clip = jnp.asarray(rng.normal(size=(1, 6, 3)), jnp.float32)
    junk = 100 * jnp.ones((1, 5, 3))
    mask = jnp.arange(11)[None] < 6
    padded = layer(jnp.concatenate([clip, junk], axis=1), mask)
    np.testing.assert_allclose(padded[:, :6], layer(clip), atol=1e-6, rtol=0)
    np.testing.assert_array_equal(padded[:, 6:], 0)


def test_padding_gets_no_gradient(rng):
    layer = LSTM(3, 4, reverse=True, rngs=nnx.Rngs(0))
    mask = jnp.arange(8)[None] < 5
    grad = jax.grad(lambda x: (layer(x, mask) ** 2).sum())(
        jnp.asarray(rng.normal(size=(1, 8, 3)), jnp.float32)
    )
    np.testing.assert_array_equal(grad[:, 5:], 0)
    assert np.all(np.abs(grad[:, :5]) > 0)


def test_bidirectional_puts_forward_then_backward(rng):
    layer = BiLSTM(3, 4, rngs=nnx.Rngs(0))
    x = rng.normal(size=(2, 6, 3))

    def reference(part, clip):
        return keras_lstm(
            clip, *(np.asarray(p[...], np.float64) for p in (part.kernel, part.recurrent_kernel, part.bias))
        )

    forward = [reference(layer.forward, clip) for clip in x]
    backward = [reference(layer.backward, clip[::-1])[::-1] for clip in x]
    expected = np.concatenate([forward, backward], axis=-1)
    np.testing.assert_allclose(layer(jnp.asarray(x, jnp.float32)), expected, atol=1e-6, rtol=0)


def test_simple_rnn_is_elmans(rng):
    layer = SimpleRNN(3, 4, rngs=nnx.Rngs(0))
    kernel, recurrent, bias = weights(rng, 3, 4, gates=1)
    layer.kernel[...], layer.recurrent_kernel[...], layer.bias[...] = (
        jnp.asarray(v, jnp.float32) for v in (kernel, recurrent, bias)
    )
    x, h, expected = rng.normal(size=(7, 3)), np.zeros(4), []
    for x_t in x:
        h = np.tanh(x_t @ kernel + h @ recurrent + bias)
        expected.append(h)
    np.testing.assert_allclose(layer(jnp.asarray(x, jnp.float32)[None])[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("make", [SimpleRNN, LSTM])
def test_initial_values_are_those_of_keras(make):
    gates = 1 if make is SimpleRNN else 4
    layer = make(30, 20, rngs=nnx.Rngs(0))
    limit = (6 / (30 + gates * 20)) ** 0.5
    kernel = np.asarray(layer.kernel[...])
    assert 0.9 * limit < np.abs(kernel).max() <= limit
    assert abs(kernel.std() - limit / 3**0.5) < 0.1 * limit
    recurrent = np.asarray(layer.recurrent_kernel[...])
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(20), atol=1e-5)
    expected_bias = np.zeros(20) if gates == 1 else np.repeat([0, 1, 0, 0], 20)
    np.testing.assert_array_equal(layer.bias[...], expected_bias)


def test_directions_start_from_different_weights():
    layer = BiLSTM(3, 4, rngs=nnx.Rngs(0))
    assert not np.allclose(layer.forward.kernel[...], layer.backward.kernel[...])


def test_many_models_by_vmap(rng):
    x = jnp.asarray(rng.normal(size=(2, 5, 3)), jnp.float32)
    params = [
        jnp.asarray(np.stack(p), jnp.float32)
        for p in zip(*(weights(rng, 3, 4) for _ in range(3)), strict=True)
    ]

    def loss(*params):
        return (lstm(x, None, *params) ** 2).sum()

    got = jax.vmap(jax.grad(loss, argnums=(0, 1, 2)))(*params)
    for model in range(3):
        one = jax.grad(loss, argnums=(0, 1, 2))(*(p[model] for p in params))
        for a, b in zip(got, one, strict=True):
            np.testing.assert_allclose(a[model], b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [SimpleRNN, LSTM, BiLSTM])
def test_half_precision_input_is_computed_in_the_weights_type(rng, make):
    x = jnp.asarray(rng.normal(size=(1, 4, 3)), jnp.bfloat16)
    layer = make(3, 4, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer(x), layer(x.astype(jnp.float32)))


@pytest.mark.parametrize("make", [SimpleRNN, LSTM])
@pytest.mark.parametrize(("name", "sizes"), [("in_features", (0, 4)), ("units", (3, -1))])
def test_sizes_are_checked(make, name, sizes):
    with pytest.raises(checks.ArgumentError, match=name):
        make(*sizes, rngs=nnx.Rngs(0))


def test_an_accelerator_walks_both_directions_in_one_scan(rng, monkeypatch):
    layer = BiLSTM(3, 7, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(4, 5, 3)), jnp.float32)
    mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0])[:, None]
    graph, state = nnx.split(layer)

    def value_and_gradients():
        def loss(state, x):
            y = nnx.merge(graph, state)(x, mask)
            return jnp.square(y).sum(), y

        return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(state, x)

    expected = value_and_gradients()
    monkeypatch.setattr(recurrence, "platform", lambda: "gpu")
    jax.clear_caches()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), value_and_gradients(), expected)
    jax.clear_caches()

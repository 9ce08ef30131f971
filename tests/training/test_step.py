"""The training step as a pure function: what it changes, what it must not, and many models at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax.training import step as training_step
from mer_jax.training.optimizer import OptimizerConfig, build

CONSTANT = OptimizerConfig(learning_rate=0.01, schedule="constant", warmup_fraction=0.0)


class Net(nnx.Module):
    """A list of layers, batch normalisation and dropout: each kind of state that a model has."""

    def __init__(self, rngs, *, dropout=0.5):
        self.layers = nnx.List([nnx.Linear(6, 8, use_bias=False, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)])
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)

    def __call__(self, waveforms, lengths, *, deterministic=True, rngs=None):
        h = nnx.relu(self.norm(self.layers[0](waveforms), use_running_average=deterministic))
        return self.layers[1](self.dropout(h, deterministic=deterministic, rngs=rngs))


class Root(nnx.Module):
    """A finite loss with a gradient that is not: the square root of nothing."""

    def __init__(self):
        self.scale = nnx.Param(jnp.zeros(()))

    def __call__(self, waveforms, lengths, *, deterministic=True, rngs=None):
        return jnp.sqrt(self.scale[...]) * waveforms[:, :3]


def make_batch(rng, size=8):
    return {
        "waveform": rng.normal(size=(size, 6)).astype(np.float32),
        "length": np.full(size, 6, np.int32),
        "label": rng.integers(0, 3, size).astype(np.int32),
        "weight": np.ones(size, np.float32),
    }


def start(model, seed=0):
    optimizer = build(CONSTANT, 10)
    graph, state = training_step.create(model, optimizer, seed=seed)
    return jax.jit(training_step.make_step(graph, optimizer)), state


def assert_same(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance) if tolerance else np.testing.assert_array_equal(x, y)


def test_state_is_plain_and_the_model_keeps_its_own(rng):
    model = Net(nnx.Rngs(0))
    before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(model)))
    optimizer = build(CONSTANT, 10)
    graph, state = training_step.create(model, optimizer, seed=0)
    assert all(type(part) is dict for part in (state.params, state.model_state))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
    jax.jit(training_step.make_step(graph, optimizer), donate_argnums=0)(state, make_batch(rng))
    assert_same(nnx.to_pure_dict(nnx.state(model)), before)


def test_a_step_moves_every_weight_and_the_running_statistics(rng):
    step, state = start(Net(nnx.Rngs(0), dropout=0.0))
    after = step(state, make_batch(rng))
    assert int(after.step) == 1
    for part in ("params", "model_state"):
        old, new = jax.tree.leaves(getattr(state, part)), jax.tree.leaves(getattr(after, part))
        assert all(np.abs(a - b).max() > 0 for a, b in zip(old, new, strict=True))


def test_totals_are_the_sums_over_the_clips(rng):
    model = Net(nnx.Rngs(0), dropout=0.0)
    step, state = start(model)
    batch = make_batch(rng)
    batch["weight"][5:] = 0
    logits = np.asarray(model(jnp.asarray(batch["waveform"]), None, deterministic=False), np.float64)[:5]
    labels = batch["label"][:5]
    exp = np.exp(logits)
    p = exp / exp.sum(axis=1, keepdims=True)
    totals = step(state, batch).totals
    assert float(totals["weight"]) == 5
    assert float(totals["loss"]) == pytest.approx(-np.log(p[range(5), labels]).sum(), rel=1e-5)
    assert float(totals["accuracy"]) == (p.argmax(axis=1) == labels).sum()
    assert float(totals["brier"]) == pytest.approx(((p - np.eye(3)[labels]) ** 2).sum(), rel=1e-5)
    assert int(totals["bad_step"]) == -1


def test_rows_of_weight_zero_teach_nothing(rng):
    """The label of a filler row may be anything. (Its features count in batch statistics, so they stay.)"""
    step, state = start(Net(nnx.Rngs(0)))
    batch = make_batch(rng)
    batch["weight"][6:] = 0
    other = batch | {"label": np.where(batch["weight"] > 0, batch["label"], (batch["label"] + 1) % 3)}
    assert_same(step(state, batch), step(state, other))


def test_dropout_differs_from_step_to_step_and_repeats_with_the_seed(rng):
    step, state = start(Net(nnx.Rngs(0)))
    batch = make_batch(rng)
    first = step(state, batch).totals["loss"]
    assert float(first) == float(step(state, batch).totals["loss"])
    assert float(first) != float(step(state._replace(step=jnp.int32(1)), batch).totals["loss"])
    _, other = start(Net(nnx.Rngs(0)), seed=1)
    assert float(first) != float(step(other, batch).totals["loss"])


def test_a_gradient_that_is_not_finite_is_reported_with_its_step(rng):
    step, state = start(Root())
    batch = make_batch(rng)
    after = step(state._replace(step=jnp.int32(4)), batch)
    assert np.isfinite(after.totals["loss"])
    assert int(after.totals["bad_step"]) == 4
    assert int(step(after, batch).totals["bad_step"]) == 4, "the first one stays"


def test_many_models_train_as_one_by_one(rng):
    """A population: the step vmapped over a leading axis of the state, all on one batch."""
    optimizer = build(CONSTANT, 10)
    states = []
    for seed in range(3):
        graph, state = training_step.create(Net(nnx.Rngs(seed)), optimizer, seed=seed)
        states.append(state)
    step = training_step.make_step(graph, optimizer)
    batch = make_batch(rng)
    together = jax.jit(jax.vmap(step, in_axes=(0, None)))(
        jax.tree.map(lambda *x: jnp.stack(x), *states), batch
    )
    alone = jax.jit(step)
    for k, state in enumerate(states):
        one = jax.tree.map(lambda leaf, k=k: leaf[k], together)
        assert_same(one, alone(state, batch), atol=2e-6, rtol=2e-5)


def test_predict_gives_probabilities_without_dropout(rng):
    model = Net(nnx.Rngs(0))
    graph, params, rest = training_step.split(model)
    batch = make_batch(rng)
    got = jax.jit(training_step.make_predict(graph))(params, rest, batch)
    np.testing.assert_allclose(got.sum(axis=1), 1.0, rtol=1e-6)
    expected = jax.nn.softmax(model(jnp.asarray(batch["waveform"]), None))
    np.testing.assert_allclose(got, expected, atol=1e-6)

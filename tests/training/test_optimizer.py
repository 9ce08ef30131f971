"""AdamW against its equations in NumPy; the schedule at its corners; what decays and what does not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mer_jax import checks
from mer_jax.training import optimizer
from mer_jax.training.optimizer import OptimizerConfig, build, learning_rate


def test_cosine_schedule_rises_peaks_and_ends_at_zero():
    schedule = learning_rate(OptimizerConfig(learning_rate=0.1, warmup_fraction=0.2), 100)
    got = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
    np.testing.assert_allclose(got, [0.0, 0.05, 0.1, 0.05, 0.0], atol=1e-8)


def test_constant_schedule_without_warm_up():
    schedule = learning_rate(OptimizerConfig(learning_rate=0.1, schedule="constant", warmup_fraction=0.0), 9)
    assert [float(schedule(step)) for step in (0, 5, 9)] == pytest.approx([0.1] * 3)


def adamw(gradients, start, *, lr, decay, clip, b1=0.9, b2=0.999, eps=1e-8):
    """Loshchilov & Hutter 2019, algorithm 2, on one array, after clipping by its norm."""
    w, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t, g in enumerate(gradients, start=1):
        g = g * min(1.0, clip / np.linalg.norm(g))
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - lr * (m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps) + decay * w)
    return w


def test_updates_are_adamws(rng):
    start, gradients = (
        rng.normal(size=(3, 4)),
        rng.normal(size=(5, 3, 4)) * np.array([0.1, 5, 1, 9, 0.3])[:, None, None],
    )
    config = OptimizerConfig(
        learning_rate=0.05, weight_decay=0.1, schedule="constant", warmup_fraction=0.0, clip_norm=2.0
    )
    with jax.enable_x64(True):
        optimizer = build(config, 5)
        params = {"kernel": jnp.asarray(start)}
        state = optimizer.init(params)
        for gradient in gradients:
            updates, state = optimizer.update({"kernel": jnp.asarray(gradient)}, state, params)
            params = jax.tree.map(jnp.add, params, updates)
    expected = adamw(gradients, start, lr=0.05, decay=0.1, clip=2.0)
    np.testing.assert_allclose(params["kernel"], expected, rtol=1e-9)


def test_only_kernels_of_layers_decay():
    """With gradients of zero, what moves is what decays."""
    optimizer = build(OptimizerConfig(weight_decay=0.1, schedule="constant", warmup_fraction=0.0), 1)
    params = {
        "frontend": {"filters": jnp.ones((2, 2))},
        "network": {
            "dense": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
            "norm": {"scale": jnp.ones(2)},
        },
    }
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    moved = jax.tree.map(lambda update: bool(np.abs(update).max() > 0), updates)
    assert moved == {
        "frontend": {"filters": False},
        "network": {"dense": {"kernel": True, "bias": False}, "norm": {"scale": False}},
    }


def both(**frontend):
    """One step with gradients of one, at a constant rate of 0.1; how far kernels of both parts move, by step."""
    config = OptimizerConfig(
        learning_rate=0.1, schedule="constant", warmup_fraction=0.0, weight_decay=0.0, **frontend
    )
    optimizer = build(config, 10)
    params = {
        "frontend": {"matrix": jnp.ones((2, 2)), "centre": jnp.ones(2)},
        "network": {"kernel": jnp.ones((2, 2))},
    }
    state, moves = optimizer.init(params), []
    for _ in range(3):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        moves.append(jax.tree.map(lambda update: round(float(update.mean()), 5), updates))
    return moves


def test_the_front_end_has_its_own_rate():
    assert both(frontend_rate=0.2)[0] == {
        "frontend": {"matrix": -0.02, "centre": -0.02},
        "network": {"kernel": -0.1},
    }


def test_a_frozen_front_end_starts_to_move_after_its_steps():
    moves = both(frontend_freeze_steps=2)
    assert [move["frontend"]["matrix"] for move in moves] == [0.0, 0.0, -0.1]
    assert [move["network"]["kernel"] for move in moves] == [-0.1] * 3


def test_only_matrices_of_a_front_end_decay():
    move = both(frontend_weight_decay=0.5)[0]
    assert move == {"frontend": {"matrix": -0.15, "centre": -0.1}, "network": {"kernel": -0.1}}


def test_parts_are_clipped_by_their_own_norms():
    """A huge gradient of the front-end leaves the step of the network as it would be without it."""
    optimizer = build(OptimizerConfig(clip_norm=1.0, warmup_fraction=0.0), 10)
    params = {"frontend": {"matrix": jnp.ones((1, 1))}, "network": {"kernel": jnp.ones((1, 1))}}
    gradients = {"frontend": {"matrix": jnp.full((1, 1), 1e9)}, "network": {"kernel": jnp.full((1, 1), 0.5)}}
    _, state = optimizer.update(gradients, optimizer.init(params), params)
    moments = {
        name: np.asarray(optax.tree.get(inner, "mu")[name][leaf]).item()
        for name, inner, leaf in (
            ("frontend", state.inner_states["frontend"], "matrix"),
            ("network", state.inner_states["model"], "kernel"),
        )
    }
    assert moments == {"frontend": pytest.approx(0.1), "network": pytest.approx(0.05)}


def test_zero_clip_norm_does_not_clip():
    config = {"schedule": "constant", "warmup_fraction": 0.0, "weight_decay": 0.0}
    params = {"kernel": jnp.ones((1, 1))}
    states = []
    for clip_norm in (0.0, 1.0):
        optimizer = build(OptimizerConfig(clip_norm=clip_norm, **config), 1)
        _, state = optimizer.update({"kernel": jnp.full((1, 1), 100.0)}, optimizer.init(params), params)
        states.append(max(float(np.max(leaf)) for leaf in jax.tree.leaves(state)))
    unclipped, clipped = states
    assert unclipped == pytest.approx(10.0)  # (1 - b1) 100, the first moment
    assert clipped == pytest.approx(1.0)  # the count of steps; the moments are smaller


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -1.0),
        ("warmup_fraction", 1.0),
        ("clip_norm", -0.5),
        ("frontend_rate", -1.0),
        ("frontend_weight_decay", -1.0),
        ("frontend_freeze_steps", -1),
    ],
)
def test_configuration_is_checked(field, value):
    with pytest.raises(checks.ConfigError, match=rf"optimizer\.{field}"):
        OptimizerConfig(**{field: value})


def test_no_steps_are_refused():
    with pytest.raises(checks.ArgumentError, match="total_steps"):
        build(OptimizerConfig(), 0)


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 100.0, float("nan")])
def test_gradients_are_clipped_as_optax_clips_them(rng, scale):
    gradients = {
        "a": jnp.asarray(scale * rng.normal(size=(3, 4))),
        "b": jnp.asarray(scale * rng.normal(size=5)),
    }
    ours, theirs = optimizer._clip_by_norm(1.0), optax.clip_by_global_norm(1.0)
    assert jax.tree.structure(ours.init(gradients)) == jax.tree.structure(theirs.init(gradients))
    found, expected = (one.update(gradients, one.init(gradients))[0] for one in (ours, theirs))
    for name in gradients:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)

"""One contract for every front-end that learns: shapes, batching, compilation, gradients, and values at the start."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from learnable_members import MEMBERS, SR, build, hard_clips, music

from mer_jax import checks, frontends
from mer_jax.signal import platform as signal_platform

# Put together from others (log_mel, cqt, multi_resolution): all that they learn is learnt and tried in those.
COMPOSED = ("mfcc", "log_cqt", "multi_resolution cqt")
PARTS = [case for case in MEMBERS if case not in COMPOSED]
# Those without a fixed counterpart: that they start near log-mel is tested in test_learnable_references.py.
NO_FIXED = ("leaf", "efficient_leaf", "sincnet", "td_filterbank")


def relative_error(found, expected):
    return np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected)


def function_of(frontend):
    """The front-end as a function of its parameters and waveforms, and its parameters."""
    graph, params, rest = nnx.split(frontend, nnx.Param, ...)
    return lambda params, waveforms: nnx.merge(graph, params, rest)(waveforms), params


def assert_starts_equal(case, frontend, y, found):
    """What learns starts equal to the front-end that does not; the differentiable STFT to the fixed one."""
    fixed = build("spectrogram" if case == "dstft" else case, trainable=False)
    assert frontend.trainable
    assert not fixed.trainable
    assert not jax.tree.leaves(nnx.state(fixed, nnx.Param))
    expected = np.asarray(fixed(y))
    for values in found:
        assert relative_error(values, expected) < 1e-5


@pytest.mark.parametrize("case", MEMBERS)
def test_shape_mask_batch_and_compilation(case):
    frontend = build(case)
    y = np.stack([music(3000, seed) for seed in range(3)])
    compute, params = function_of(frontend)
    compiled = jax.jit(compute)
    together = compiled(params, y)
    eager = frontend(y)
    if MEMBERS[case][0] not in NO_FIXED:
        assert_starts_equal(case, frontend, y, (together, eager))
    assert together.shape == (3, frontend.num_frames(3000), frontend.num_features)
    assert together.dtype == jnp.float32
    assert len(set(frontend.feature_names)) == frontend.num_features
    # Learnt parameters only, each of them finite.
    assert jax.tree.leaves(params)
    mask = frontend.frame_mask(jnp.array([1, 128, 129, 3000]), 3000)
    np.testing.assert_array_equal(mask.sum(axis=1), [1, 1, 2, frontend.num_frames(3000)])
    scale = 1e-5 * float(jnp.abs(together).max())
    alone = np.concatenate([compiled(params, np.stack([clip] * 3))[:1] for clip in y])
    np.testing.assert_allclose(alone, together, rtol=0, atol=scale)
    np.testing.assert_allclose(eager, together, rtol=0, atol=scale)
    half = compiled(params, jnp.asarray(y, jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    assert jnp.isfinite(half.astype(jnp.float32)).all()


@pytest.mark.parametrize("case", [case for case in PARTS if case != "cqt exact"])
def test_gradients_are_finite_on_hard_clips_of_30_s(case):
    compute, params = function_of(build(case, hop_length=512))
    y = hard_clips(30 * SR)

    def energy(params, y):
        return jnp.square(compute(params, y)).mean()

    of_params, of_waveforms = jax.jit(jax.grad(energy, argnums=(0, 1)))(params, y)
    for path, leaf in jax.tree_util.tree_leaves_with_path((of_params, of_waveforms)):
        assert jnp.isfinite(leaf).all(), jax.tree_util.keystr(path)
    # Everything but the floor of decibels, under which no value of these clips may lie, takes part.
    for path, leaf in jax.tree_util.tree_leaves_with_path(of_params):
        assert jnp.any(leaf != 0) or "floor" in jax.tree_util.keystr(path), jax.tree_util.keystr(path)


# Nothing that an accelerator computes by another algorithm but what mel has.
LIKE_MEL = ("spectrogram", "mel triangles", "log_mel")


@pytest.fixture
def algorithms_of(request, monkeypatch):
    """Everything that asks where it runs is told this platform."""
    original = signal_platform.platform
    for name, module in list(sys.modules.items()):
        if name.startswith("mer_jax.") and getattr(module, "platform", None) is original:
            monkeypatch.setattr(module, "platform", lambda: request.param)
    # Functions that are compiled by themselves would keep the algorithm of the other platform.
    jax.clear_caches()
    yield request.param
    jax.clear_caches()


@pytest.mark.parametrize(
    ("case", "algorithms_of"),
    [(case, where) for where in ("cpu", "gpu") for case in PARTS if where == "cpu" or case not in LIKE_MEL],
    indirect=["algorithms_of"],
)
def test_two_models_at_once(case, algorithms_of):
    """Values and gradients under vmap over the parameters, as a population has them."""
    compute, params = function_of(build(case))
    y = np.stack([[music(1500, seed) for seed in pair] for pair in ((0, 1), (2, 3))])
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    moved = [leaf + 0.02 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), params, jax.tree.unflatten(tree, moved))

    def energy(params, y):
        found = compute(params, y)
        return jnp.square(found).mean(), found

    graded = jax.value_and_grad(energy, has_aux=True)
    together = jax.jit(jax.vmap(graded))(both, y)
    by_itself = jax.jit(graded)
    for k in range(2):
        alone = by_itself(jax.tree.map(lambda x, k=k: x[k], both), y[k])
        found = jax.tree.map(lambda x, k=k: x[k], together)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * (1e-9 + float(jnp.abs(b).max())))


@pytest.mark.slow
@pytest.mark.parametrize("case", PARTS)
def test_a_thousand_large_steps_leave_numbers(case):
    """At a learning rate of 1e-2 every free parameter moves by up to 10."""
    compute, params = function_of(build(case))
    y = np.stack([hard_clips(2000)[-1], np.zeros(2000, np.float32), music(2000)])
    start = jax.jit(compute)(params, y)
    target = start.mean() + (1 + start.std()) * jax.random.normal(jax.random.key(0), start.shape)
    optimizer = optax.adam(1e-2)

    def loss(params):
        return jnp.square((compute(params, y) - target) / (1 + start.std())).mean()

    def step(carry, _):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(params, updates), state), value

    carry = (params, optimizer.init(params))
    (params, _), losses = jax.jit(lambda carry: jax.lax.scan(step, carry, length=1000))(carry)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def test_parts_are_chosen_by_name():
    def parts(trainable):
        fe = frontends.LogMel(sr=SR, n_fft=256, n_mels=8, trainable=trainable, rngs=nnx.Rngs(0))
        return fe.trainable, set(nnx.to_pure_dict(nnx.state(fe, nnx.Param)))

    everything = ("window", "mel", "compression")
    assert parts(True) == (everything, {"spectra", "mel", "compression"})
    assert parts("true") == parts(True)
    assert parts(False) == parts("false") == parts(()) == ((), set())
    assert parts("mel") == parts(("mel",)) == (("mel",), {"mel"})
    assert parts("mel, window") == (("window", "mel"), {"spectra", "mel"})
    with pytest.raises(checks.ArgumentError, match="did you mean 'window'"):
        parts("windw")


@pytest.mark.parametrize("name", ["time_domain", "tempogram", "chroma", "spectral_statistics"])
def test_where_nothing_can_be_learnt_there_is_no_such_option(name):
    with pytest.raises(checks.ConfigError, match=f"options of {name}: is 'trainable'"):
        frontends.build(name, sr=SR, options={"trainable": True}, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("leaf", {"fmin_hz": 5000.0}, "fmin_hz / fmax_hz"),
        ("leaf", {"compression": "pcn"}, "did you mean 'pcen'"),
        ("efficient_leaf", {"groups": 99}, "at most n_filters=40"),
        ("dstft", {"win_length": 4096}, "at most n_fft=2048"),
        ("pcen", {"alpha": 1.5}, "alpha: is 1.5"),
        ("multi_resolution", {"resolutions": "512,x"}, "different whole numbers"),
        ("multi_resolution", {"of": "lgo_mel"}, "did you mean 'log_mel'"),
        ("mel", {"mel_parameters": "triangle"}, "did you mean 'triangles'"),
    ],
)
def test_what_cannot_be_used_is_named(name, options, words):
    with pytest.raises(checks.ConfigError, match=words):
        frontends.build(name, sr=SR, options=options, rngs=nnx.Rngs(0))

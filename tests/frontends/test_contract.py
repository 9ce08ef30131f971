"""One contract for every front-end: shapes, names, masks, batching, jit and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, features, frontends

SR = 22050


def waveforms(batch=3, num_samples=SR // 2, seed=0):
    t = np.arange(num_samples) / SR
    rng = np.random.default_rng(seed)
    clips = [
        0.3 * np.sin(2 * np.pi * rng.uniform(200, 2000) * t) * np.exp(-3 * t)
        + 0.05 * rng.standard_normal(num_samples)
        for _ in range(batch)
    ]
    return jnp.asarray(np.stack(clips), jnp.float32)


FIXED = [name for name in frontends.NAMES if name not in frontends.LEARNT_NAMES]


# Learnable ones keep the same contract in test_learnable.py.
# Of the numerical sets those that the others are put together from (tests/features/test_features_numerical.py).
@pytest.fixture(params=[*FIXED, "time_frequency", "tonal", "rhythm"])
def frontend(request):
    return features.build(request.param, sr=SR, rngs=nnx.Rngs(0)).frontend


def test_shape_names_and_rate(frontend):
    y = waveforms()
    out = frontend(y)
    assert out.shape == (3, frontend.num_frames(y.shape[1]), frontend.num_features)
    assert out.dtype == jnp.float32
    assert len(set(frontend.feature_names)) == frontend.num_features
    assert frontend.frame_rate_hz == SR / frontend.hop_length
    assert jnp.isfinite(out).all()


def test_batch_equals_one_by_one_and_jit_equals_eager(frontend):
    y = waveforms()
    together = frontend(y)
    alone = jnp.concatenate([frontend(clip[None]) for clip in y])
    compiled = nnx.jit(lambda module, x: module(x))(frontend, y)
    scale = float(jnp.abs(together).max())
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(compiled, together, rtol=0, atol=1e-5 * scale)


def test_gradient_is_finite(frontend):
    """Of clips side by side: no reduction crosses them, so each has the gradient that it has alone."""
    clips = {
        "silence": np.zeros(SR // 4),
        "dc": np.full(SR // 4, 0.5),
        "impulse": np.eye(1, SR // 4, 1000)[0],
        "clipped": np.sign(np.sin(np.arange(SR // 4) / 20.0)),
    }
    gradient = jax.jit(jax.grad(lambda x: (frontend(x) ** 2).sum()))
    found = gradient(jnp.asarray(np.stack(list(clips.values())), jnp.float32))
    for kind, slope in zip(clips, found, strict=True):
        assert jnp.isfinite(slope).all(), kind


def test_mask_counts_frames_centred_inside_the_clip(frontend):
    hop = frontend.hop_length
    lengths = jnp.array([1, hop, hop + 1, 3 * hop, 4 * hop])
    mask = frontend.frame_mask(lengths, 4 * hop)
    np.testing.assert_array_equal(mask.sum(axis=1), [1, 1, 2, 3, 4])
    assert mask.shape == (5, frontend.num_frames(4 * hop))


@pytest.mark.parametrize(
    ("bad", "words"),
    [(np.zeros(100, np.float32), "batch axis"), (np.zeros((1, 100), np.int16), "floating-point")],
)
def test_other_input_is_refused(frontend, bad, words):
    with pytest.raises(checks.ArgumentError, match=words):
        frontend(bad)


def test_unknown_name_and_option_name_the_nearest():
    with pytest.raises(checks.ConfigError, match="did you mean 'time_domain'"):
        frontends.build("time_domian", sr=SR, rngs=nnx.Rngs(0))
    with pytest.raises(checks.ConfigError, match="did you mean 'hop_length'"):
        frontends.build("time_domain", sr=SR, options={"hop_lenght": 256}, rngs=nnx.Rngs(0))


def test_more_coefficients_than_bands_are_refused_when_built():
    with pytest.raises(checks.ArgumentError, match="at most the 16 mel bands"):
        frontends.MFCC(sr=8000, n_mels=16)

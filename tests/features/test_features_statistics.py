"""Clip statistics against NumPy and SciPy on the valid frames alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from flax import nnx

from mer_jax import checks
from mer_jax.features.statistics import STATISTICS, ClipStatistics, clip_statistics

RATE_HZ = 43.0
FRAMES = 41


@pytest.fixture(scope="module")
def features():
    """Columns: normal, skewed, whole numbers (ties), tiny, large beside its spread."""
    rng = np.random.default_rng(0)
    shape = (4, FRAMES)
    columns = [
        rng.standard_normal(shape),
        rng.gamma(1.5, size=shape),
        rng.integers(0, 4, shape),
        1e-12 * rng.standard_normal(shape),
        2000 + 0.1 * rng.standard_normal(shape),
    ]
    return np.stack(columns, axis=-1).astype(np.float32)


@pytest.fixture(scope="module")
def mask():
    """All frames, an odd and an even number of them, and some from anywhere."""
    valid = np.arange(FRAMES) < np.array([FRAMES, 23, 10, 0])[:, None]
    valid[3] = np.random.default_rng(1).random(FRAMES) < 0.5
    return valid


def reference(x, valid):
    """Of one clip, in float64: (statistics, features)."""
    x, t = x[valid].astype(np.float64), np.flatnonzero(valid) / RATE_HZ
    return {
        "mean": x.mean(axis=0),
        "std": x.std(axis=0),
        "min": x.min(axis=0),
        "max": x.max(axis=0),
        "median": np.median(x, axis=0),
        "skewness": scipy.stats.skew(x, axis=0),
        "kurtosis": scipy.stats.kurtosis(x, axis=0),
        "slope": [scipy.stats.linregress(t, column).slope for column in x.T],
    }


def test_statistics_are_those_of_scipy(features, mask):
    found = np.asarray(clip_statistics(features, mask, frame_rate_hz=RATE_HZ)).reshape(4, len(STATISTICS), 5)
    for clip, x, valid in zip(found, features, mask, strict=True):
        expected = reference(x, valid)
        for values, name in zip(clip, STATISTICS, strict=True):
            # Some hundred float32 operations; what cancels, like the slope of noise, has the error of its terms.
            terms = {"skewness": 1.0, "kurtosis": 1.0, "slope": x.std(axis=0)}.get(name, 0.0)
            assert (np.abs(values - expected[name]) <= 1e-5 * (np.abs(expected[name]) + terms)).all(), name


def test_selection_keeps_its_order(features):
    found = clip_statistics(features, frame_rate_hz=RATE_HZ, statistics=("max", "mean"))
    np.testing.assert_allclose(found[:, :5], features.max(axis=1))
    np.testing.assert_allclose(found[:, 5:], features.mean(axis=1, dtype=np.float64), rtol=1e-5, atol=1e-7)


def test_padding_does_not_count(features, mask):
    padded = np.where(mask[..., None], features, np.nan)
    found = clip_statistics(padded, mask, frame_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(found, clip_statistics(features, mask, frame_rate_hz=RATE_HZ))


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e20])
@pytest.mark.parametrize("frames", [0, 1, 2, 41])
def test_what_does_not_change_has_no_shape_and_a_gradient(value, frames):
    x = jnp.full((1, FRAMES, 1), value, jnp.float32)
    valid = jnp.arange(FRAMES)[None] < frames
    found = dict(zip(STATISTICS, clip_statistics(x, valid, frame_rate_hz=RATE_HZ)[0], strict=True))
    for name in ("mean", "min", "max", "median"):
        assert found[name] == jnp.float32(value)
    for name in ("std", "skewness", "kurtosis", "slope"):
        assert found[name] == 0
    gradient = jax.jacobian(lambda x: clip_statistics(x, valid, frame_rate_hz=RATE_HZ))(x)
    assert jnp.isfinite(gradient).all()


def test_rounding_error_of_a_constant_is_no_spread():
    x = 0.1 * (1 + np.finfo(np.float32).eps * np.random.default_rng(0).integers(-2, 3, (1, FRAMES, 1)))
    found = clip_statistics(x.astype(np.float32), frame_rate_hz=RATE_HZ, statistics=("skewness", "kurtosis"))
    assert not found.any()


def test_gradient_is_that_of_differences(features, mask):
    with jax.enable_x64(True):
        x = jnp.asarray(features[..., [0, 1, 4]], jnp.float64)  # no ties, and nothing as small as a step
        weights = jnp.asarray(np.random.default_rng(2).standard_normal((4, 3 * len(STATISTICS))))

        def weighted(x):
            return (weights * clip_statistics(x, jnp.asarray(mask), frame_rate_hz=RATE_HZ)).sum()

        direction = jnp.asarray(np.random.default_rng(3).standard_normal(x.shape))
        step = 1e-6
        difference = (weighted(x + step * direction) - weighted(x - step * direction)) / (2 * step)
        np.testing.assert_allclose((jax.grad(weighted)(x) * direction).sum(), difference, rtol=1e-6)


def test_gradient_of_the_median_goes_to_the_middle():
    def median(x):
        return clip_statistics(x.reshape(1, -1, 1), frame_rate_hz=1.0, statistics=("median",)).sum()

    gradient = jax.grad(median)
    np.testing.assert_array_equal(gradient(jnp.array([5.0, 1.0, 2.0])), [0, 0, 1])
    np.testing.assert_array_equal(gradient(jnp.array([5.0, 1.0, 2.0, 3.0])), [0, 0, 0.5, 0.5])
    np.testing.assert_array_equal(gradient(jnp.array([2.0, 1.0, 2.0, 3.0])), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(gradient(jnp.array([-0.0, 0.0, -1.0, 1.0])), [0.5, 0.5, 0, 0])


def test_half_precision_is_summed_in_single(features):
    half = jnp.asarray(features, jnp.bfloat16)
    found = clip_statistics(half, frame_rate_hz=RATE_HZ)
    assert found.dtype == jnp.bfloat16
    whole = clip_statistics(half.astype(jnp.float32), frame_rate_hz=RATE_HZ)
    np.testing.assert_allclose(found.astype(jnp.float32), whole, rtol=2**-8)


def test_module_names_what_it_gives_and_compiles(features, mask):
    summary = ClipStatistics("abcde", frame_rate_hz=RATE_HZ, statistics=("mean", "slope"))
    assert summary.feature_names[:2] == ("mean a", "mean b")
    assert summary.feature_names[5] == "slope a"
    assert summary.num_features == 10
    graph, state = nnx.split(summary)
    compiled = jax.jit(lambda state, x, valid: nnx.merge(graph, state)(x, valid))(state, features, mask)
    np.testing.assert_allclose(compiled, summary(features, mask), rtol=1e-6, atol=1e-6)
    # Without a mask every frame counts.
    np.testing.assert_allclose(compiled[0], summary(features)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ClipStatistics("ab", frame_rate_hz=1.0, statistics=("meen",)), "did you mean 'mean'"),
        (lambda: ClipStatistics("ab", frame_rate_hz=1.0, statistics=("std", "std")), "at most once"),
        (lambda: ClipStatistics("ab", frame_rate_hz=1.0, statistics=()), "at least one"),
        (lambda: ClipStatistics("ab", frame_rate_hz=0.0), "frame_rate_hz"),
        (lambda: clip_statistics(np.zeros((2, 0, 3), np.float32), frame_rate_hz=1.0), r"shape \(2, 0, 3\)"),
    ],
)
def test_what_cannot_be_used_is_named(call, words):
    with pytest.raises(checks.ArgumentError, match=words):
        call()

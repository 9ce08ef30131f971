"""Streaming statistics against NumPy over all frames at once, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.models import Normalizer
from mer_jax.models.normalizer import moments


def batches(rng, lengths, *, offset=0.0, scale=1.0, frames=20):
    """(features, mask) pairs; what the mask hides is junk."""
    out = []
    for clip_lengths in lengths:
        features = (offset + scale * rng.normal(size=(len(clip_lengths), frames, 3))).astype(np.float32)
        mask = np.arange(frames)[None] < np.array(clip_lengths)[:, None]
        features[~mask] = np.nan
        out.append((features, mask))
    return out


def frames_of(parts):
    return np.concatenate([features[mask] for features, mask in parts]).astype(np.float64)


def test_statistics_are_those_of_all_valid_frames(rng):
    parts = batches(rng, [[20, 3, 1], [7, 0, 20], [0, 0, 0], [11]])
    normalizer = Normalizer.fit(parts)
    expected = frames_of(parts)
    np.testing.assert_allclose(normalizer.mean[...], expected.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(normalizer.std[...], expected.std(axis=0), rtol=1e-6)


def test_a_large_mean_does_not_swamp_a_small_spread(rng):
    """A spectral centroid: thousands of hertz, a spread of a few. Sums of squares in float32 would give nonsense."""
    parts = batches(rng, [[20] * 4] * 10, offset=4000.0, scale=2.0)
    expected = frames_of(parts)
    normalizer = Normalizer.fit(parts)
    np.testing.assert_allclose(normalizer.mean[...], expected.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(normalizer.std[...], expected.std(axis=0), rtol=1e-5)


def test_batches_with_very_different_means_are_merged_exactly(rng):
    parts = [*batches(rng, [[20, 20]], offset=-50.0), *batches(rng, [[2]], offset=300.0)]
    normalizer = Normalizer.fit(parts)
    np.testing.assert_allclose(normalizer.std[...], frames_of(parts).std(axis=0), rtol=1e-6)


def test_standardised_features_have_mean_0_and_spread_1(rng):
    features = (5 + 3 * rng.normal(size=(8, 20, 3))).astype(np.float32)
    out = np.asarray(Normalizer.fit([(features, None)])(jnp.asarray(features)), np.float64)
    np.testing.assert_allclose(out.mean(axis=(0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(axis=(0, 1)), 1, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 7e5])
def test_a_constant_feature_becomes_zero_not_noise(rng, value):
    features = rng.normal(size=(4, 20, 3)).astype(np.float32)
    features[:, :, 1] = value
    normalizer = Normalizer.fit([(features[:2], None), (features[2:], None)])
    assert float(normalizer.std[...][1]) == 1.0
    np.testing.assert_allclose(normalizer(jnp.asarray(features))[:, :, 1], 0, atol=1e-6 * max(1.0, value))


def test_a_spread_is_never_less_than_nothing(rng):
    """A tempogram's lag 0 is 1 everywhere, and rounding made the sum of its squared deviations negative."""
    constants = np.broadcast_to(rng.uniform(0.1, 2, 400).astype(np.float32), (7, 331, 400))
    _, _, squares = moments(jnp.asarray(constants), jnp.ones((7, 331), bool))
    assert (np.asarray(squares) >= 0).all()
    assert (Normalizer.fit([(constants, None)]).std[...] == 1).all()


def test_a_new_one_changes_nothing(rng):
    features = jnp.asarray(rng.normal(size=(2, 5, 3)), jnp.float32)
    np.testing.assert_array_equal(Normalizer(3)(features), features)


def test_statistics_are_saved_but_not_trained():
    normalizer = Normalizer(3)
    assert not jax.tree.leaves(nnx.state(normalizer, nnx.Param))
    assert len(jax.tree.leaves(nnx.state(normalizer))) == 2


def test_no_frames_are_refused():
    with pytest.raises(checks.DataError, match="no valid frame"):
        Normalizer.fit([(np.zeros((2, 4, 3), np.float32), np.zeros((2, 4), bool))])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_feature(rng, bad):
    features = rng.normal(size=(2, 4, 3)).astype(np.float32)
    features[1, 2, 2] = bad
    with pytest.raises(checks.DataError, match=r"not finite \(feature 2\)"):
        Normalizer.fit([(features, None)])

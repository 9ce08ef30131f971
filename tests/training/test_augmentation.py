"""Altered training clips: how much, where, and that nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import checks
from mer_jax.training.augmentation import AugmentationConfig, Mixture, augment_features, augment_waveforms

KEY = jax.random.key(0)


def test_gain_stays_in_its_range_and_differs_between_clips(rng):
    y = jnp.asarray(rng.normal(size=(64, 100)), jnp.float32)
    gains_db = 20 * np.log10(np.asarray(augment_waveforms(KEY, y, AugmentationConfig(gain_db=6.0)) / y))
    np.testing.assert_allclose(gains_db, gains_db[:, :1] + 0 * gains_db, atol=1e-4)
    assert np.abs(gains_db).max() <= 6.001
    assert np.ptp(gains_db[:, 0]) > 8


def test_noise_lies_below_the_clip_and_silence_stays_silent(rng):
    y = jnp.asarray(rng.normal(size=(8, 20_000)) * np.logspace(-3, 0, 8)[:, None], jnp.float32)
    y = y.at[0].set(0)
    noise = np.asarray(augment_waveforms(KEY, y, AugmentationConfig(noise_db=20.0)) - y)
    assert not noise[0].any()
    below_db = 10 * np.log10((np.square(y[1:]).mean(axis=1)) / np.square(noise[1:]).mean(axis=1))
    assert below_db.min() >= 19.8
    assert below_db.max() <= 50.2


@pytest.mark.parametrize("shape", [(16, 50, 20), (16, 20, 50, 3)])
def test_a_mask_hides_a_stretch_of_time_and_a_band_of_frequency(rng, shape):
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    out = np.asarray(augment_features(KEY, x, None, AugmentationConfig(time_mask=0.4, frequency_mask=0.3)))
    time, frequency = (1, 2) if len(shape) == 3 else (2, 1)
    changed = (out != np.asarray(x)).any(axis=tuple(range(3, len(shape)))) if len(shape) == 4 else out != x
    changed = np.asarray(changed)
    hidden_times, hidden_bands = changed.all(axis=frequency), changed.all(axis=time)
    for k in range(16):
        for hidden, share in ((hidden_times[k], 0.4), (hidden_bands[k], 0.3)):
            found = np.flatnonzero(hidden)
            assert len(found) <= share * len(hidden) + 1
            assert len(found) == 0 or np.ptp(found) == len(found) - 1, "one stretch without gaps"
        # Nothing outside the two is touched.
        grid = hidden_times[k][:, None] | hidden_bands[k][None, :]
        np.testing.assert_array_equal(changed[k], grid if len(shape) == 3 else grid.T)
    assert hidden_times.any()
    assert hidden_bands.any()


def test_hidden_frames_hold_the_mean_of_the_valid_ones(rng):
    x = jnp.asarray(rng.normal(size=(4, 40, 3)), jnp.float32)
    mask = jnp.arange(40)[None, :] < jnp.array([[40], [30], [20], [10]])
    out = augment_features(KEY, x, mask, AugmentationConfig(time_mask=0.9))
    for k, count in enumerate((40, 30, 20, 10)):
        hidden = np.asarray((out[k] != x[k]).all(axis=1))
        np.testing.assert_allclose(
            out[k][hidden], np.tile(x[k, :count].mean(axis=0), (hidden.sum(), 1)), atol=1e-6
        )


def test_vectors_have_no_time_to_hide(rng):
    x = jnp.asarray(rng.normal(size=(4, 9)), jnp.float32)
    assert augment_features(KEY, x, None, AugmentationConfig(time_mask=0.5)) is x


def test_a_mixture_blends_features_and_targets_alike(rng):
    mixture = Mixture.draw(KEY, 32, alpha=0.4)
    targets = jax.nn.one_hot(jnp.arange(32) % 5, 5)
    blended = np.asarray(mixture.blend(targets))
    np.testing.assert_allclose(blended.sum(axis=1), 1, rtol=1e-6)
    share = np.asarray(mixture.share)
    assert ((share >= 0) & (share <= 1)).all()
    assert sorted(np.asarray(mixture.order).tolist()) == list(range(32))
    x = rng.normal(size=(32, 4, 2)).astype(np.float32)
    expected = share[:, None, None] * x + (1 - share[:, None, None]) * x[np.asarray(mixture.order)]
    np.testing.assert_allclose(mixture.blend(jnp.asarray(x)), expected, atol=1e-6)
    mask = jnp.arange(4)[None, :] < jnp.arange(32)[:, None]
    both = np.asarray(mixture.both(mask))
    assert (
        both.sum(axis=1)
        == np.minimum(np.asarray(mask.sum(axis=1)), np.asarray(mask.sum(axis=1))[mixture.order])
    ).all()


def test_no_mixing_changes_nothing(rng):
    x = jnp.asarray(rng.normal(size=(6, 3)), jnp.float32)
    np.testing.assert_array_equal(Mixture.draw(KEY, 6, alpha=0.0).blend(x), x)


@pytest.mark.parametrize("options", [{"time_mask": 1.0}, {"gain_db": -1.0}, {"mixup": float("nan")}])
def test_what_cannot_be_used_is_named(options):
    with pytest.raises(checks.ConfigError, match=f"augmentation.{next(iter(options))}"):
        AugmentationConfig(**options)

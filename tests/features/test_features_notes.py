"""Notes of one clip, and the means, deviations and windows that note features are made of."""

import jax
import jax.numpy as jnp
import note_reference as reference
import numpy as np
import pytest
from played import FRAMES, RATE_HZ, play, random_clip

from mer_jax.features import notes


def found(salience, valid=None):
    valid = np.ones(salience.shape[1], bool) if valid is None else valid
    return notes.find_notes(jnp.asarray(salience, jnp.float32), jnp.asarray(valid), frame_rate_hz=RATE_HZ)


def test_against_the_reference():
    clip = random_clip()
    ours = found(clip)
    rise, onsets = reference.rise_and_onsets(clip)
    np.testing.assert_allclose(ours.level, clip / clip.max(), rtol=1e-6)
    np.testing.assert_allclose(ours.loudness, reference.compressed(clip), atol=1e-5)
    np.testing.assert_allclose(ours.rise, rise, atol=1e-5)
    np.testing.assert_allclose(ours.onsets, onsets, atol=1e-5)
    np.testing.assert_allclose(ours.active, reference.activity(clip), atol=1e-5)
    assert np.flatnonzero(ours.peaks).tolist() == reference.onset_frames(rise)
    assert float(ours.seconds) == pytest.approx(FRAMES / RATE_HZ)


def test_onsets_are_where_notes_set_in():
    ours = found(play([(50, 60, 40, 1.0), (120, 64, 40, 0.5), (120, 67, 40, 0.5), (200, 48, 9, 0.8)]))
    pitches, frames = np.nonzero(np.asarray(ours.onsets))
    # A note rises for as long as the lag reaches back to before it; the rise is largest at once, since it dies away.
    assert set(zip((pitches + 21).tolist(), frames.tolist(), strict=True)) == {
        (60, 50),
        (64, 120),
        (67, 120),
        (48, 200),
    }
    assert np.flatnonzero(ours.peaks).tolist() == [50, 120, 200]


def test_frames_that_do_not_count_are_empty():
    clip = random_clip()
    valid = np.arange(FRAMES) < 200
    ours = found(clip, valid)
    cropped = found(clip[:, :200])
    for name in ("level", "active", "loudness", "rise", "onsets"):
        assert not np.asarray(getattr(ours, name))[:, 200:].any(), name
        np.testing.assert_allclose(
            getattr(ours, name)[:, :200], getattr(cropped, name), atol=1e-6, err_msg=name
        )
    np.testing.assert_array_equal(ours.peaks[:200], cropped.peaks)
    assert not np.asarray(ours.peaks)[200:].any()
    assert float(ours.seconds) == pytest.approx(200 / RATE_HZ)


def test_statistics_are_those_of_numpy(rng):
    x = rng.standard_normal((3, 50)).astype(np.float32)
    valid = np.arange(50) < 37
    kept = x[:, :37]
    np.testing.assert_allclose(notes.mean(jnp.asarray(x), jnp.asarray(valid)), kept.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(notes.std(jnp.asarray(x), jnp.asarray(valid)), kept.std(axis=1), rtol=1e-5)
    means, counted = notes.windows(jnp.asarray(x), jnp.asarray(valid), frames=8)
    np.testing.assert_allclose(means[:, :5], reference.window_means(kept, 8), atol=1e-6)
    assert counted.tolist() == [True] * 5 + [False] * 2
    lagged = notes.mean_at_lag(jnp.asarray(x), jnp.asarray(valid), 4)
    expected = np.mean([kept[:, t] @ kept[:, t - 4] for t in range(4, 37)])
    np.testing.assert_allclose(lagged, expected, rtol=1e-5)
    p = np.abs(x[0])
    np.testing.assert_allclose(notes.entropy(jnp.asarray(p)), reference.entropy(p), rtol=1e-5)


def test_nothing_to_average_gives_zero_with_gradient_zero():
    x, none, some = jnp.zeros((2, 6)), jnp.zeros(6, bool), jnp.ones(6, bool)
    for value in (
        notes.mean(x + 1, none),
        notes.std(x + 1, some),
        notes.mean_at_lag(x, some, 6),
        notes.mean_at_lag(x, none, 1),
    ):
        assert not np.asarray(value).any()
    for function in (
        lambda x: notes.std(x, some).sum(),
        lambda x: notes.root(x).sum(),
        lambda x: jnp.square(notes.unit(x)).sum(),
    ):
        assert not np.asarray(jax.grad(function)(x)).any()

"""The vector of note statistics: names, padding, batches, silence, gradients, and audio that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from played import MAJOR, MINOR, RATE_HZ, progression, random_clip

from mer_jax import checks
from mer_jax.features.note_statistics import NoteStatistics, note_statistic_names, note_statistics
from mer_jax.features.salience import PitchSalience

FRAMES = 200
CLIPS = {
    "music": random_clip(0)[:, :FRAMES],
    "major": progression(MAJOR)[:, :FRAMES],
    "silence": np.zeros((88, FRAMES)),
    "one note": np.eye(88, FRAMES, 50),
    "constant": np.ones((88, FRAMES)),
    "faint": 1e-30 * random_clip(1)[:, :FRAMES],
}
SALIENCE = np.stack(list(CLIPS.values())).transpose(0, 2, 1).astype(np.float32)


@pytest.fixture(scope="module")
def statistics():
    return NoteStatistics(frame_rate_hz=RATE_HZ)


def test_names(statistics):
    names = note_statistic_names()
    assert statistics.feature_names == names
    assert statistics.num_features == len(names) == len(set(names)) == 270
    assert names[0] == "key_sustained_krumhansl_major"
    assert {"degree_bass_11", "periodicity_23", "melody_slope"} <= set(names)
    assert names[-1] == "similarity_mean"


def test_every_value_is_finite_and_batches_do_not_matter(statistics):
    batched = np.asarray(statistics(SALIENCE))
    assert batched.shape == (len(SALIENCE), 270)
    assert np.isfinite(batched).all()
    # Each among clips of its own kind: the batch is the one that is compiled already.
    for clip, found in zip(SALIENCE, batched, strict=True):
        alone = statistics(np.stack([clip] * len(SALIENCE)))
        np.testing.assert_allclose(alone, np.tile(found, (len(SALIENCE), 1)), rtol=1e-4, atol=1e-5)


def test_padding_does_not_count(statistics):
    half = FRAMES // 2
    padded = np.concatenate([SALIENCE[:, :half], 3 * SALIENCE[::-1, :half]], axis=1)
    mask = np.tile(np.arange(FRAMES) < half, (len(SALIENCE), 1))
    np.testing.assert_allclose(statistics(padded, mask), statistics(SALIENCE[:, :half]), rtol=1e-4, atol=1e-4)


def test_level_does_not_count(statistics):
    quieter, found = statistics(SALIENCE * 0.125), statistics(SALIENCE)
    np.testing.assert_allclose(quieter, found, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_gradients_are_finite(statistics):
    gradient = jax.grad(lambda x: jnp.square(statistics(x)).sum())
    found = np.asarray(gradient(jnp.asarray(SALIENCE)))
    assert np.isfinite(found).all()
    assert np.abs(found[0]).max() > 0


def test_from_audio_to_mode(statistics):
    seconds_a_chord = 0.75
    t = np.arange(int(4 * seconds_a_chord * 22050)) / 22050

    def sound(chords):
        y = np.zeros_like(t)
        for k, chord in enumerate(chords):
            since = t - k * seconds_a_chord
            on = np.where((since >= 0) & (since < seconds_a_chord), np.exp(-2 * since.clip(0)), 0)
            for midi in chord:
                hz = 440 * 2 ** ((midi - 69) / 12)
                y += on * sum(0.6**h * np.sin(2 * np.pi * (h + 1) * hz * t) for h in range(5))
        return 0.1 * y

    salience = PitchSalience()(np.stack([sound(MAJOR), sound(MINOR)]).astype(np.float32))
    batch = np.zeros_like(SALIENCE)  # the shape that is compiled already
    batch[:2, : salience.shape[1]] = salience
    mask = np.tile(np.arange(FRAMES) < salience.shape[1], (len(batch), 1))
    found = dict(zip(note_statistic_names(), np.asarray(statistics(batch, mask)).T, strict=True))
    for kind in ("krumhansl", "temperley"):
        major, minor = found[f"key_sustained_{kind}_mode"][:2]
        assert major > 0.03 > -0.03 > minor
    assert found["chord_major_minor"][0] > 0.1 > -0.1 > found["chord_major_minor"][1]


def test_what_cannot_be_used_is_refused():
    with pytest.raises(checks.ArgumentError, match=r"salience: has shape \(2, 9, 84\)"):
        note_statistics(np.zeros((2, 9, 84)), frame_rate_hz=RATE_HZ)
    with pytest.raises(checks.ArgumentError, match="frame_rate_hz"):
        NoteStatistics(frame_rate_hz=0)

"""Rhythm of clips whose rhythm is known, and against the reference."""

import jax.numpy as jnp
import note_reference as reference
import numpy as np
import pytest
from played import FRAMES, RATE_HZ, play, random_clip

from mer_jax.features import note_rhythm
from mer_jax.features.notes import find_notes


def features(salience, valid=None):
    valid = np.ones(salience.shape[1], bool) if valid is None else valid
    notes = find_notes(jnp.asarray(salience, jnp.float32), jnp.asarray(valid), frame_rate_hz=RATE_HZ)
    return {name: np.asarray(value) for name, value in note_rhythm.note_rhythm_features(notes).items()}


def test_against_the_reference():
    clip = random_clip(4)
    found = features(clip)
    loudness = reference.compressed(clip)
    rise, onsets = reference.rise_and_onsets(clip)
    active = reference.activity(clip)
    seconds = FRAMES / RATE_HZ
    total, peaks, struck = rise.sum(axis=0), reference.onset_frames(rise), onsets > 0
    intervals = np.log2(np.diff(peaks) / RATE_HZ)
    fall = np.maximum(-np.diff(loudness, axis=1), 0) * active[:, 1:]
    centred = total - total.mean()
    products = np.correlate(centred, centred, "full")[FRAMES - 1 :]
    similarity = np.pad(products / products[0], (0, 200))
    beat = similarity[8:91]  # 0.19 s to 2.1 s
    power = reference.window_means(np.square(clip / clip.max()).sum(axis=0)[None], 8)[0]
    decibel = 10 * np.log10(power + 1e-5)
    expected = {
        "note_density": struck.sum() / seconds,
        "note_strength": onsets.sum() / seconds,
        "onset_density": len(peaks) / seconds,
        "notes_per_onset": struck.sum() / (len(peaks) + 1),
        "onset_strength": total[peaks].mean(),
        "onset_variation": total[peaks].std() / total[peaks].mean(),
        "interval_log2_mean": intervals.mean(),
        "interval_log2_std": intervals.std(),
        "interval_share": [
            np.mean(np.abs(intervals - centre) < 0.25) for centre in np.arange(-3.5, 1.6, 0.5)
        ],
        "periodicity": np.interp(note_rhythm.PERIODS_S * RATE_HZ, np.arange(len(similarity)), similarity),
        "beat_strength": beat.max(),
        "beat_log2_period": np.log2((8 + beat.argmax()) / RATE_HZ),
        "beat_spread": reference.entropy(np.maximum(beat, 0)),
        "note_length": active.sum() / (struck.sum() + 1) / RATE_HZ,
        "note_decay": fall.sum() / (active.sum() + 1),
        "velocity_mean": loudness[struck].mean(),
        "velocity_std": loudness[struck].std(),
        "dynamics_std": decibel.std(),
        "dynamics_slope": np.polyfit(8 * np.arange(len(decibel)) / RATE_HZ, decibel, 1)[0],
    }
    assert list(expected) == list(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("period", [15, 30])
def test_a_known_pulse(period):
    starts = range(5, FRAMES, period)
    found = features(play([(start, 60, 10, 1.0) for start in starts]))
    seconds = FRAMES / RATE_HZ
    assert found["note_density"] == pytest.approx(len(starts) / seconds)
    assert found["onset_density"] == pytest.approx(len(starts) / seconds)
    assert found["interval_log2_mean"] == pytest.approx(np.log2(period / RATE_HZ), abs=1e-4)
    assert found["interval_log2_std"] == pytest.approx(0, abs=1e-3)
    assert found["beat_log2_period"] == pytest.approx(np.log2(period / RATE_HZ), abs=1e-4)
    assert found["beat_strength"] > 0.8


def test_rhythm_told_apart(rng):
    even = features(play([(start, 60, 10, 1.0) for start in range(5, FRAMES, 20)]))
    free = features(play([(int(start), 60, 10, 1.0) for start in np.sort(rng.choice(FRAMES, 17))]))
    assert even["beat_strength"] > free["beat_strength"] + 0.3
    assert even["interval_log2_std"] < free["interval_log2_std"]
    short, long = (
        features(play([(start, 60, length, 1.0) for start in range(5, FRAMES, 40)])) for length in (6, 38)
    )
    assert short["note_length"] < 0.4 * long["note_length"]
    louder = features(play([(start, 60, 10, 0.1 + start / FRAMES) for start in range(5, FRAMES, 40)]))
    assert louder["dynamics_slope"] > 0.3
    assert louder["velocity_std"] > short["velocity_std"]


def test_frames_before_a_mark():
    marked = jnp.asarray([True, False, False, True, True])
    assert note_rhythm.last_before(marked).tolist() == [-1, 0, 0, 0, 3]

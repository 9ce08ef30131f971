"""Register, voices, intervals and melody of clips that are known, and against the reference."""

import jax.numpy as jnp
import note_reference as reference
import numpy as np
import pytest
from played import FRAMES, RATE_HZ, play, random_clip

from mer_jax.features import texture
from mer_jax.features.notes import find_notes


def features(salience):
    notes = find_notes(
        jnp.asarray(salience, jnp.float32), jnp.ones(salience.shape[1], bool), frame_rate_hz=RATE_HZ
    )
    return {name: np.asarray(value) for name, value in texture.texture_features(notes).items()}


def unit(x):
    return x / np.linalg.norm(x, axis=0)


def expected_features(clip):
    level, active = clip / clip.max(), reference.activity(clip)
    _, onsets = reference.rise_and_onsets(clip)
    seconds, pitch = FRAMES / RATE_HZ, np.arange(88)
    out = {}
    for name, (low, high) in texture.REGISTERS.items():
        out[f"density_{name}"] = (onsets[low:high] > 0).sum() / seconds
        out[f"activity_{name}"] = active[low:high].sum(axis=0).mean()
        out[f"energy_{name}"] = np.log(level[low:high].sum(axis=0).mean() + 1e-4)

    amount = level.sum(axis=0)
    centre = pitch @ level / amount
    weight = np.sqrt(amount) / np.sqrt(amount).sum()
    spread = np.sqrt((level * (pitch[:, None] - centre) ** 2).sum(axis=0) / amount)
    out["pitch_mean"] = weight @ centre
    out["pitch_std"] = np.sqrt(weight @ (centre - weight @ centre) ** 2)
    out["pitch_spread"] = weight @ spread

    sounding = [np.flatnonzero(column > 0.5) for column in active.T]
    low, high = np.array([(keys[0], keys[-1]) for keys in sounding if len(keys)]).T
    for name, value in {"lowest": low, "highest": high, "range": high - low}.items():
        out[f"{name}_mean"], out[f"{name}_std"] = value.mean(), value.std()
    out["voices_mean"], out["voices_std"] = active.sum(axis=0).mean(), active.sum(axis=0).std()
    out["silence"] = np.mean([len(keys) == 0 for keys in sounding])

    share = onsets.sum(axis=1) / onsets.sum()
    mean = share @ pitch
    std = np.sqrt(share @ (pitch - mean) ** 2)
    out["onset_pitch_mean"], out["onset_pitch_std"] = mean, std
    out["onset_pitch_skewness"] = share @ (pitch - mean) ** 3 / std**3
    out["onset_pitch_count"] = np.exp(reference.entropy(share))

    shape = unit(np.sqrt(reference.window_means(level, 8)))
    out["interval"] = [np.mean([column[k:] @ column[: 88 - k] for column in shape.T]) for k in range(1, 25)]
    chroma = unit(reference.window_means(reference.fold(np.sqrt(level)), 16))
    out["interval_class"] = [
        np.mean([column @ np.roll(column, k) for column in chroma.T]) for k in range(1, 7)
    ]

    frames = [t for t in range(FRAMES) if onsets[:, t].any()]
    top = np.array([np.flatnonzero(onsets[:, t])[-1] for t in frames])
    step = np.diff(top)
    out["melody_step_mean"] = np.abs(step).mean()
    out["melody_repetition"] = np.mean(step == 0)
    out["melody_step"] = np.mean((np.abs(step) == 1) | (np.abs(step) == 2))
    out["melody_minor_second"] = np.mean(np.abs(step) == 1)
    out["melody_leap"] = np.mean(np.abs(step) >= 5)
    out["melody_rising"] = np.mean(step > 0)
    out["melody_pitch_mean"], out["melody_pitch_std"] = top.mean(), top.std()
    out["melody_slope"] = np.polyfit(np.array(frames) / RATE_HZ, top, 1)[0]
    return out


def test_against_the_reference():
    clip = random_clip(5)
    found, expected = features(clip), expected_features(clip)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=2e-4, err_msg=name)


def test_a_melody_that_is_known():
    steps = [60, 62, 64, 65, 67, 72, 72, 71]  # +2 +2 +1 +2 +5 0 -1
    found = features(play([(10 + 40 * k, midi, 38, 1.0) for k, midi in enumerate(steps)]))
    assert found["melody_step_mean"] == pytest.approx(13 / 7)
    assert found["melody_repetition"] == pytest.approx(1 / 7)
    assert found["melody_minor_second"] == pytest.approx(2 / 7)
    assert found["melody_leap"] == pytest.approx(1 / 7)
    assert found["melody_rising"] == pytest.approx(5 / 7)
    assert found["melody_pitch_mean"] == pytest.approx(np.mean(steps) - 21)


def test_register_and_voices():
    low, high = (
        features(play([(5, midi, 300, 1.0), (5, midi + 7, 300, 1.0)], decay=0.999)) for midi in (36, 80)
    )
    assert high["pitch_mean"] - low["pitch_mean"] == pytest.approx(44, abs=0.1)
    assert low["activity_bass"] > 0.5 > low["activity_high"] + low["activity_soprano"]
    assert low["range_mean"] == pytest.approx(7, abs=0.01)
    assert low["voices_mean"] == pytest.approx(2, abs=0.4)
    # A fifth is the interval that a fifth is like.
    assert np.argmax(low["interval"]) + 1 == 7
    assert np.argmax(low["interval_class"]) + 1 == 5

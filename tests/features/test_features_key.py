"""Key features of clips whose key is known, and against the reference."""

import jax.numpy as jnp
import note_reference as reference
import numpy as np
import pytest
from played import FRAMES, MAJOR, MINOR, RATE_HZ, progression, random_clip

from mer_jax.features import key
from mer_jax.features.notes import find_notes


def notes_of(salience):
    return find_notes(
        jnp.asarray(salience, jnp.float32), jnp.ones(salience.shape[1], bool), frame_rate_hz=RATE_HZ
    )


def features(salience):
    return {name: np.asarray(value) for name, value in key.key_features(notes_of(salience)).items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_against_the_reference(seed):
    clip = random_clip(seed)
    found = features(clip)
    weights = reference.pitch_class_weights(clip)
    for name, weight in weights.items():
        assert found[f"key_{name}_entropy"] == pytest.approx(reference.entropy(weight), abs=1e-4)
        for kind in key.PROFILES:
            fit = reference.key_fit(weight, kind)
            (major, minor), tonic = fit, fit[0].argmax()
            ordered = np.sort(fit.ravel())
            expected = {
                "major": major.max(),
                "minor": minor.max(),
                "mode": major.max() - minor.max(),
                "parallel": major[tonic] - minor[tonic],
                "relative": major[tonic] - minor[tonic - 3],
                "clarity": ordered[-1] - ordered[-2],
                "spread": reference.entropy(reference.softmax(10 * fit.ravel())),
            }
            for what, value in expected.items():
                assert found[f"key_{name}_{kind}_{what}"] == pytest.approx(value, abs=2e-4), what
    tonic = reference.scale_tonic(weights)
    level = clip / clip.max()
    weights["bass"] = reference.fold(np.sqrt(level[:34]).sum(axis=1))
    for name in ("sustained", "onset", "bass"):
        share = np.roll(weights[name], -tonic) / weights[name].sum()
        np.testing.assert_allclose(found[f"degree_{name}"], share, atol=1e-5)
    share = weights["sustained"] / weights["sustained"].sum()
    for name, step in key.CIRCLES.items():
        centroid = abs((share * np.exp(2j * np.pi * step * np.arange(12) / 12)).sum())
        assert found[f"centroid_{name}"] == pytest.approx(centroid, abs=1e-5)


@pytest.mark.parametrize("shift", [0, 5, 11])
def test_mode_and_tonic(shift):
    for chords, sign, relative in ((MAJOR, 1, 0), (MINOR, -1, 3)):
        clip = np.roll(progression(chords), shift, axis=0)
        found = features(clip)
        for name in reference.NAMES:
            for kind in key.PROFILES:
                assert sign * found[f"key_{name}_{kind}_mode"] > 0.03
        assert int(key.tonic_of_scale(notes_of(clip))) == (shift + relative) % 12


def test_a_transposed_clip_has_the_same_features():
    clip = random_clip(2)
    clip[:12] = clip[-12:] = 0
    here, there = features(clip), features(np.roll(clip, 7, axis=0))
    for name, value in here.items():
        if "bass" in name:  # a register, so not of the key alone
            continue
        np.testing.assert_allclose(there[name], value, atol=1e-4, err_msg=name)


def test_pitch_classes_begin_at_c():
    for note, expected in ((0, 9), (3, 0), (87, 0), (86, 11)):
        weights = jnp.zeros(88).at[note].set(1.0)
        assert int(key.pitch_classes(weights).argmax()) == expected
    x = np.random.default_rng(0).random((88, 5)).astype(np.float32)
    np.testing.assert_allclose(key.pitch_classes(jnp.asarray(x)), reference.fold(x), rtol=1e-6)


def test_even_weights_fit_no_key():
    assert not np.asarray(key.key_correlations(jnp.ones(12))).any()
    assert not np.asarray(features(np.zeros((88, FRAMES)))["key_sustained_krumhansl_mode"])

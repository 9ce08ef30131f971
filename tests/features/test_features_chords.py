"""Chord features of clips whose chords are known, and against the reference."""

import jax.numpy as jnp
import note_reference as reference
import numpy as np
import pytest
from played import MAJOR, MINOR, RATE_HZ, progression, random_clip, triad

from mer_jax.features import chords
from mer_jax.features.notes import find_notes

FRAMES_A_WINDOW = 16


def features(salience):
    notes = find_notes(
        jnp.asarray(salience, jnp.float32), jnp.ones(salience.shape[1], bool), frame_rate_hz=RATE_HZ
    )
    return {name: np.asarray(value) for name, value in chords.chord_features(notes).items()}


def test_against_the_reference():
    clip = random_clip(3)
    found = features(clip)
    chroma = reference.window_means(reference.fold(np.sqrt(clip / clip.max())), FRAMES_A_WINDOW)
    fits = np.array([reference.chord_fit(column) for column in chroma.T])  # (windows, kinds, roots)
    kinds = np.array([reference.softmax(8 * fit).sum(axis=1) for fit in fits]).mean(axis=0)
    triads = np.array([reference.softmax(10 * fit[:2].ravel()) for fit in fits])
    tonic = reference.scale_tonic(reference.pitch_class_weights(clip))
    shape = chroma - chroma.mean(axis=0)
    shape /= np.linalg.norm(shape, axis=0)
    expected = dict(zip((f"chord_{name}" for name in chords.QUALITIES), kinds, strict=True))
    expected |= {
        "chord_fit": fits.max(axis=(1, 2)).mean(),
        "chord_fit_std": fits.max(axis=(1, 2)).std(),
        "chord_major_minor": (fits[:, 0].max(axis=1) - fits[:, 1].max(axis=1)).mean(),
        "chord_degree_major": np.roll(triads.mean(axis=0)[:12], -tonic),
        "chord_degree_minor": np.roll(triads.mean(axis=0)[12:], -tonic),
        "chord_variety": reference.entropy(triads.mean(axis=0)),
        "chord_ambiguity": np.mean([reference.entropy(p) for p in triads]),
        "chord_change": 1 - np.mean([p @ q for p, q in zip(triads[1:], triads[:-1], strict=True)]),
        "harmonic_flux": np.linalg.norm(np.diff(shape, axis=1), axis=0).mean(),
    }
    for lag in (1, 2, 4, 8, 16):
        pairs = [shape[:, t] @ shape[:, t - lag] for t in range(lag, shape.shape[1])]
        expected[f"chroma_similarity_{lag}"] = np.mean(pairs)
    share = chroma / chroma.sum(axis=0)
    for name, step in chords.CIRCLES.items():
        wave = np.exp(2j * np.pi * step * np.arange(12) / 12)
        expected[f"window_centroid_{name}"] = np.abs(wave @ share).mean()
    assert set(expected) == set(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-4, err_msg=name)


def test_kinds_and_degrees():
    major, minor = features(progression(MAJOR)), features(progression(MINOR))
    assert major["chord_major"] > 2 * major["chord_minor"]
    assert minor["chord_minor"] > minor["chord_major"]
    assert major["chord_major_minor"] > 0.2
    assert minor["chord_major_minor"] < 0
    # I, IV and V of C major; i and iv of C minor lie 9 and 2 semitones above its relative major.
    assert set(np.argsort(major["chord_degree_major"])[-3:]) == {0, 5, 7}
    assert set(np.argsort(minor["chord_degree_minor"])[-2:]) == {9, 2}
    augmented = features(progression([[60, 64, 68], [65, 69, 73]]))
    kinds = {name: float(augmented[f"chord_{name}"]) for name in chords.QUALITIES}
    assert max(kinds, key=lambda name: kinds[name]) == "augmented"


def test_change_is_slow_where_chords_are_long():
    slow, fast, still = (
        features(progression(which, period=period))
        for which, period in ((MAJOR, 86), (MAJOR, 16), ([triad(60, 4)], 43))
    )
    for name in ("chord_change", "harmonic_flux"):
        assert still[name] < slow[name] < fast[name]
    assert still["chroma_similarity_1"] > 0.99


def test_a_clip_of_one_window():
    found = features(progression(MAJOR)[:, 4:14])
    for name, value in found.items():
        assert np.isfinite(value).all(), name
    assert found["harmonic_flux"] == pytest.approx(0)
    assert found["chroma_similarity_1"] == 0

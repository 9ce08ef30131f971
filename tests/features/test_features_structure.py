"""Self-similarity of clips that repeat, and against the reference."""

import jax.numpy as jnp
import note_reference as reference
import numpy as np
from played import FRAMES, MAJOR, RATE_HZ, progression, random_clip

from mer_jax.features import structure
from mer_jax.features.notes import find_notes

FRAMES_A_WINDOW = 16


def features(salience, valid=None):
    valid = np.ones(salience.shape[1], bool) if valid is None else valid
    notes = find_notes(jnp.asarray(salience, jnp.float32), jnp.asarray(valid), frame_rate_hz=RATE_HZ)
    return {name: float(value) for name, value in structure.structure_features(notes).items()}


def test_against_the_reference():
    clip = random_clip(6)
    found = features(clip)
    shape = np.sqrt(reference.window_means(clip / clip.max(), FRAMES_A_WINDOW))
    shape /= np.linalg.norm(shape, axis=0)
    similarity = shape.T @ shape
    assert similarity.shape[0] == -(-FRAMES // FRAMES_A_WINDOW) < max(structure.LAGS)
    for lag in structure.LAGS:
        products = similarity.diagonal(lag)
        mean, std = (products.mean(), products.std()) if products.size else (0, 0)
        np.testing.assert_allclose(found[f"similarity_{lag}_mean"], mean, atol=1e-5)
        np.testing.assert_allclose(found[f"similarity_{lag}_std"], std, atol=1e-5)
    np.testing.assert_allclose(found["similarity_mean"], similarity.mean(), atol=1e-5)


def test_what_repeats_is_alike_at_its_period():
    window_frames = 16
    two = progression(MAJOR[:2], period=2 * window_frames)  # repeats every four windows
    found = features(two)
    assert found["similarity_4_mean"] > 0.95 > 0.6 > found["similarity_2_mean"]
    assert found["similarity_8_mean"] > 0.95 > 0.6 > found["similarity_6_mean"]


def test_padding_is_like_nothing():
    clip = random_clip(7)[:, :160]
    padded = np.concatenate([clip, random_clip(8)], axis=1)
    found, expected = features(padded, np.arange(padded.shape[1]) < 160), features(clip)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)

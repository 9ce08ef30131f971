"""Probes against what is known of a front-end beforehand."""

import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import frontends
from mer_jax.ablation import probes

SR = 16000


def test_mel_bands_answer_to_their_own_frequencies():
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    response = probes.probe(frontends.LogMel(sr=SR, n_mels=20, n_fft=1024, hop_length=256))
    assert response.tones.shape == (probes.NUM_TONES, 20)
    centres = librosa.mel_frequencies(22, fmin=0, fmax=SR / 2)[1:-1]
    # Bands overlap and tones are 7 % apart: within a band's half width.
    np.testing.assert_array_less(
        abs(probes.centres_hz(response) - centres)[2:], np.diff(centres, append=8000)[2:]
    )


def test_decibels_follow_the_level_one_to_one():
    response = probes.probe(frontends.LogMel(sr=SR, n_mels=20, n_fft=1024, hop_length=256))
    slope = np.polyfit(response.levels_db, response.levels.mean(axis=1), 1)[0]
    assert slope == pytest.approx(1, abs=1e-3)


def test_movement_is_relative_to_the_size_at_the_start():
    before = {"a": jnp.full(4, 2.0), "b": {"c": jnp.zeros(3)}}
    after = {"a": jnp.full(4, 3.0), "b": {"c": jnp.full(3, 0.25)}}
    assert probes.movement(before, after) == pytest.approx({"a": 0.5, "b/c": 0.25})
    assert probes.movement({}, {}) == {}

"""The two kinds of features side by side are what each gives alone."""

import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, features
from mer_jax.features.musical import MusicalFeatures, MusicalStatistics
from mer_jax.features.note_statistics import NoteStatistics
from mer_jax.features.salience import PitchSalience

OPTIONS = {"n_fft": 1024, "hop_length": 1024, "n_mfcc": 5}


def test_features_and_statistics_are_those_of_the_parts():
    clips = np.random.default_rng(0).standard_normal((2, 22050)).astype(np.float32)
    frontend = MusicalFeatures(sr=22050, **OPTIONS)
    numbers = features.build(
        "time_frequency",
        kind="vector",
        sr=22050,
        rngs=nnx.Rngs(0),
        options=OPTIONS | {"statistics": ("std",)},
    )
    salience = PitchSalience(sr=22050, hop_length=1024)
    found = frontend(clips)
    assert found.shape == (2, frontend.num_frames(22050), frontend.num_features) == (2, 22, 30 + 88)
    np.testing.assert_allclose(found[..., :30], numbers.frontend(clips), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[..., 30:], salience(clips), rtol=1e-5, atol=1e-6)
    assert frontend.feature_names[29:31] == (numbers.frontend.feature_names[-1], "salience_A0")

    mask = np.arange(22) < np.array([[22], [15]])
    summary = MusicalStatistics(
        frontend.feature_names, frame_rate_hz=frontend.frame_rate_hz, statistics=("std",)
    )
    of_notes = NoteStatistics(frame_rate_hz=frontend.frame_rate_hz)
    vector = np.asarray(summary(found, mask))
    assert vector.shape == (2, summary.num_features) == (2, 30 + 270)
    np.testing.assert_allclose(vector[:, :30], numbers.summary(found[..., :30], mask), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(vector[:, 30:], of_notes(found[..., 30:], mask), rtol=1e-4, atol=1e-5)
    assert summary.feature_names == numbers.feature_names + of_notes.feature_names


def test_a_sampling_rate_too_low_is_refused():
    with pytest.raises(checks.ArgumentError, match="sr: is 8000"):
        MusicalFeatures(sr=8000)

"""The numerical features together, against each by itself and against a script of librosa."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from signal_contract import (
    assert_compiles_once,
    assert_gradients_finite,
    assert_same_in_every_mode,
    music,
    rel_l2,
)

from mer_jax import checks, signal
from mer_jax.signal import numerical

SR = 22050


def by_librosa(y):
    """The same rows, computed in float64 by a script that shares its STFT."""
    y = y.astype(np.float64)
    feature = librosa.feature
    frames = librosa.util.frame(np.pad(y, 1024), frame_length=2048, hop_length=512)
    S = np.abs(librosa.stft(y))
    mfcc = feature.mfcc(S=librosa.power_to_db(feature.melspectrogram(S=S**2, sr=SR)), n_mfcc=20)
    rows = {
        "amplitude_envelope": np.abs(frames).max(axis=0)[None],
        "rms": feature.rms(y=y),
        "zero_crossing_rate": feature.zero_crossing_rate(y),
        "spectral_flux": np.maximum(np.diff(S, axis=1, prepend=S[:, :1]), 0).sum(axis=0)[None],
        "spectral_rolloff": feature.spectral_rolloff(S=S, sr=SR),
        "spectral_centroid": feature.spectral_centroid(S=S, sr=SR),
        "spectral_bandwidth": feature.spectral_bandwidth(S=S, sr=SR),
        "spectral_contrast": feature.spectral_contrast(S=S, sr=SR),
        "spectral_flatness": feature.spectral_flatness(S=S),
        "mfcc": mfcc,
        "mfcc_delta": feature.delta(mfcc),
        "mfcc_delta2": feature.delta(mfcc, order=2),
    }
    return rows


BOUNDS = {"amplitude_envelope": 0, "zero_crossing_rate": 0, "rms": 1e-5, "spectral_flux": 1e-5}
BOUNDS |= {"spectral_contrast": 1e-3, "spectral_rolloff": 1e-3}


def test_each_row_agrees_with_librosa():
    y = music(3 * SR)
    found = np.asarray(signal.numerical_features(y, sr=SR))
    names = signal.numerical_names()
    assert found.shape[0] == len(names) == len(set(names)) == 75
    first = 0
    for name, expected in by_librosa(y).items():
        rows = found[first : first + len(expected)]
        assert all(full.startswith(name) for full in names[first : first + len(expected)])
        error = np.linalg.norm(rows - expected) / np.linalg.norm(expected)
        assert error <= BOUNDS.get(name, 1e-4), name
        first += len(expected)
    assert first == 75


def test_statistics_are_those_of_each_function():
    y = music(SR // 2)
    found = signal.numerical_features(y, sr=SR, n_fft=1024, hop_length=200)
    names = signal.numerical_names()
    for name in (
        "spectral_flux",
        "spectral_rolloff",
        "spectral_centroid",
        "spectral_bandwidth",
        "spectral_contrast",
    ):
        rows = [k for k, full in enumerate(names) if full.startswith(name)]
        alone = getattr(signal, name)(y, sr=SR, n_fft=1024, hop_length=200)
        assert rel_l2(found[np.array(rows)], np.asarray(alone)) <= 1e-5, name


def test_every_mode_gives_the_same():
    batch = np.stack([music(8000, seed=0), 0.1 * music(8000, seed=1)])
    assert_same_in_every_mode(signal.numerical_features, jnp.asarray(batch), tolerance=1e-5)


@pytest.mark.slow
def test_gradients_are_finite():
    assert_gradients_finite(signal.numerical_features, 6000)


def test_compiles_once():
    assert_compiles_once(signal.numerical_features, music(6000, seed=0), music(6000, seed=1))


def test_half_precision_is_computed_in_float32():
    y = jnp.asarray(music(6000), jnp.bfloat16)
    found = signal.numerical_features(y)
    assert found.dtype == jnp.bfloat16
    assert rel_l2(found, np.asarray(signal.numerical_features(y.astype(jnp.float32)))) <= 2**-8


def test_statistics_see_no_spectrogram_of_the_batch():
    """Memory does not grow with the batch: no array of the program is as large as all magnitudes together."""
    batch, samples = 64, SR
    shape = jax.ShapeDtypeStruct((batch, samples), jnp.float32)
    compiled = jax.jit(signal.numerical_features).lower(shape).compile()
    magnitudes = batch * 1025 * (1 + samples // 512) * 4
    assert compiled.memory_analysis().temp_size_in_bytes < magnitudes / 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y: signal.numerical_features(y, sr=12800), "octave|bands of the contrast"),
        (lambda y: signal.numerical_features(y[:2000]), "width"),
        (lambda y: signal.numerical_features(y, n_mfcc=200), "n_mfcc"),
        (lambda y: signal.numerical_features(y, n_mels=0), "n_mels"),
    ],
)
def test_what_cannot_be_used_is_named(call, words):
    with pytest.raises(checks.ArgumentError, match=words):
        call(music(6000))


def test_names_follow_the_number_of_coefficients():
    assert len(signal.numerical_names(13)) == 15 + 39
    assert signal.numerical_names()[3:15] == numerical.STATISTICS

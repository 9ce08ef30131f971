"""Onset strength, tempogram and tempo against librosa in float64, and the contract of every signal function."""

import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.stats
from signal_contract import (
    assert_compiles_once,
    assert_gradient_matches_differences,
    assert_gradients_finite,
    assert_same_in_every_mode,
    music,
    rel_l2,
)

from mer_jax import checks, signal

SR = 22050


def clicks(bpm, seconds=12.0):
    y = np.zeros(int(seconds * SR), np.float32)
    decay = np.exp(-np.arange(2000) / 200)
    for start in np.arange(0, len(y) - 2000, 60 / bpm * SR).astype(int):
        y[start : start + 2000] += decay * np.sin(np.arange(2000) / 5)
    return y


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"hop_length": 300, "n_fft": 1024},
        {"lag": 2, "max_size": 3},
        {"detrend": True},
        {"center": False},
        {"aggregate": np.median},
        {"n_mels": 64, "fmax": 8000.0},
    ],
)
@pytest.mark.parametrize("sr", [16000, 22050])
def test_onset_strength_agrees_with_librosa(kwargs, sr):
    y = music(2 * sr + 17, sr)
    # librosa passes what it does not know on to the mel spectrogram.
    expected = librosa.onset.onset_strength(y=y.astype(np.float64), sr=sr, **kwargs)
    found = signal.onset_strength(y, sr=sr, **kwargs)
    assert found.dtype == jnp.float32
    assert rel_l2(found, expected) <= 1e-4


def test_onset_strength_of_another_feature():
    y = music(SR)
    expected = librosa.onset.onset_strength(
        y=y.astype(np.float64), sr=SR, feature=librosa.feature.melspectrogram, n_mels=40, htk=True, fmin=50.0
    )
    found = signal.onset_strength(y, sr=SR, feature=signal.melspectrogram, n_mels=40, htk=True, fmin=50.0)
    assert rel_l2(found, expected) <= 1e-4

    def power(*, y, n_fft, hop_length, **_):
        return signal.spectrogram(y, n_fft=n_fft, hop_length=hop_length, power=2.0)

    S = librosa.power_to_db(np.abs(librosa.stft(y.astype(np.float64))) ** 2)
    assert rel_l2(signal.onset_strength(y, sr=SR, feature=power), librosa.onset.onset_strength(S=S)) <= 1e-4


def test_onset_strength_of_a_spectrogram_and_a_reference():
    rng = np.random.default_rng(0)
    S, ref = rng.uniform(0, 60, (2, 40, 30)).astype(np.float32)
    for kwargs in ({}, {"ref": ref}, {"max_size": 5}, {"max_size": 4}):
        expected = librosa.onset.onset_strength(S=S.astype(np.float64), **kwargs)
        assert rel_l2(signal.onset_strength(S=S, **kwargs), expected) <= 1e-5


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"win_length": 101},
        {"norm": None},
        {"norm": 2},
        {"window": "hamming"},
        {"window": np.hanning(384)},
        {"norm": 1.0},
        {"center": False, "win_length": 64},
    ],
)
def test_tempogram_agrees_with_librosa(kwargs):
    o = np.abs(np.random.default_rng(0).standard_normal(200)).astype(np.float32)
    expected = librosa.feature.tempogram(onset_envelope=o.astype(np.float64), **kwargs)
    assert rel_l2(signal.tempogram(onset_envelope=o, **kwargs), expected) <= 1e-4


@pytest.mark.parametrize("num_samples", [2205, 44101])
def test_tempogram_of_a_waveform_agrees_with_librosa(num_samples):
    y = music(num_samples)
    expected = librosa.feature.tempogram(y=y.astype(np.float64), sr=SR)
    assert rel_l2(signal.tempogram(y, sr=SR), expected) <= 1e-3


@pytest.mark.parametrize("bpm", [75, 120, 150])
def test_tempo_of_clicks(bpm):
    y = clicks(bpm)
    found = signal.tempo(y, sr=SR)
    np.testing.assert_allclose(found, librosa.feature.tempo(y=y.astype(np.float64), sr=SR), rtol=1e-6)
    np.testing.assert_allclose(found, bpm, rtol=0.04)


def test_tempo_options():
    y = np.concatenate([clicks(90, 6.0), clicks(140, 6.0)])
    o = librosa.onset.onset_strength(y=y.astype(np.float64), sr=SR)
    tg = librosa.feature.tempogram(onset_envelope=o, sr=SR)
    for kwargs in (
        {"aggregate": None},
        {"start_bpm": 60.0},
        {"std_bpm": 0.3},
        {"max_tempo": None},
        {"ac_size": 4.0},
    ):
        expected = librosa.feature.tempo(onset_envelope=o, sr=SR, **kwargs)
        found = signal.tempo(onset_envelope=o.astype(np.float32), sr=SR, **kwargs)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    expected = librosa.feature.tempo(tg=tg, sr=SR)
    np.testing.assert_allclose(signal.tempo(tg=tg.astype(np.float32), sr=SR), expected, rtol=1e-6)


def test_tempo_priors():
    o = librosa.onset.onset_strength(y=clicks(140, 8.0).astype(np.float64), sr=SR)
    for prior in (scipy.stats.uniform(30, 300), scipy.stats.lognorm(loc=np.log(60), scale=60, s=0.3)):
        expected = librosa.feature.tempo(onset_envelope=o, sr=SR, prior=prior)
        found = signal.tempo(onset_envelope=o.astype(np.float32), sr=SR, prior=prior)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    bpm = signal.tempo_frequencies(344, sr=SR)
    only = np.where(np.arange(344) == 40, 0.0, -np.inf)
    found = signal.tempo(onset_envelope=o.astype(np.float32), sr=SR, prior=only)
    np.testing.assert_allclose(found, bpm[40], rtol=1e-6)


@pytest.mark.parametrize("name", ["onset_strength", "tempogram", "tempo"])
def test_every_mode_gives_the_same(name):
    batch = np.stack([music(12000, seed=0), 0.1 * music(12000, seed=1)])
    assert_same_in_every_mode(getattr(signal, name), jnp.asarray(batch), tolerance=1e-5)


@pytest.mark.parametrize("name", ["onset_strength", "tempogram"])
def test_gradients_are_finite(name):
    assert_gradients_finite(getattr(signal, name), 6000)


def test_gradient_matches_differences():
    rng = np.random.default_rng(0)
    # From a spectrogram: from a waveform, silence around it sits on the kink of top_db.
    S = rng.uniform(-60, 0, (40, 12))
    assert_gradient_matches_differences(lambda v: signal.onset_strength(S=v), S, tolerance=1e-4)
    o = np.abs(rng.standard_normal(60))
    assert_gradient_matches_differences(
        lambda v: signal.tempogram(onset_envelope=v, win_length=20, norm=None), o, tolerance=1e-4
    )


@pytest.mark.parametrize("name", ["onset_strength", "tempogram", "tempo"])
def test_compiles_once(name):
    assert_compiles_once(getattr(signal, name), music(9000, seed=0), music(9000, seed=1))


def test_silence_has_no_onsets():
    assert not signal.onset_strength(np.zeros(SR, np.float32)).any()
    assert not signal.tempogram(np.zeros(SR, np.float32)).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: signal.tempogram(), "exactly one"),
        (lambda: signal.tempogram(onset_envelope=np.ones(10, np.float32), center=False), "at most as many"),
        (lambda: signal.onset_strength(np.ones(4000, np.float32), lag=0), "lag"),
        (lambda: signal.tempo(np.ones(4000, np.float32), start_bpm=0.0), "start_bpm"),
        (lambda: signal.tempo(np.ones(4000, np.float32), ac_size=0.01), "two frames"),
        (
            lambda: signal.tempo(tg=np.ones((9, 3), np.float32), prior=np.ones(8)),
            "one log-density for each lag",
        ),
        (lambda: signal.tempogram(onset_envelope=np.ones(9, np.float32), window=np.ones(3)), "window"),
    ],
)
def test_what_cannot_be_used_is_named(call, words):
    with pytest.raises(checks.ArgumentError, match=words):
        call()


@pytest.mark.slow
def test_a_minute_of_music():
    y = music(60 * SR)
    expected = librosa.feature.tempogram(y=y.astype(np.float64), sr=SR)
    assert rel_l2(signal.tempogram(y, sr=SR), expected) <= 1e-3

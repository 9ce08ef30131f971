import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.fft

from mer_jax import checks
from mer_jax.signal import filterbanks


@pytest.mark.parametrize("htk", [False, True])
def test_mel_scale_matches_librosa(htk):
    hz = np.array([0.0, 1.0, 440.0, 999.9, 1000.0, 1000.1, 22050.0])
    np.testing.assert_allclose(filterbanks.hz_to_mel(hz, htk=htk), librosa.hz_to_mel(hz, htk=htk), rtol=1e-12)
    mel = np.linspace(0, 60, 13)
    np.testing.assert_allclose(
        filterbanks.mel_to_hz(mel, htk=htk), librosa.mel_to_hz(mel, htk=htk), rtol=1e-12
    )


@pytest.mark.parametrize("sr", [16000, 22050, 44100])
@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize("norm", ["slaney", None, 1, 2, np.inf])
@pytest.mark.parametrize(
    ("n_fft", "n_mels", "fmin", "fmax"), [(2048, 128, 0.0, None), (1001, 40, 60.0, 7600.0)]
)
def test_mel_filters_match_librosa(sr, htk, norm, n_fft, n_mels, fmin, fmax):
    options = {
        "sr": sr,
        "n_fft": n_fft,
        "n_mels": n_mels,
        "fmin": fmin,
        "fmax": fmax,
        "htk": htk,
        "norm": norm,
    }
    found = filterbanks.mel(**options)
    np.testing.assert_allclose(found, librosa.filters.mel(dtype=np.float64, **options), rtol=1e-9, atol=1e-15)


def test_a_filter_between_two_bins_is_pointed_out():
    with pytest.warns(UserWarning, match="lie between two bins"):
        weights = filterbanks.mel(sr=22050, n_fft=256, n_mels=127)
    assert not weights.any(axis=1).all()


def test_shared_matrices_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        filterbanks.mel(sr=22050, n_fft=2048)[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        filterbanks.dct(13, 40)[0, 0] = 1.0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sr": 0}, "sr"),
        ({"n_mels": 0}, "n_mels"),
        ({"fmin": -1.0}, "fmin"),
        ({"fmin": 5000.0, "fmax": 400.0}, "above fmin"),
        ({"norm": "slany"}, "did you mean 'slaney'"),
    ],
)
def test_what_cannot_be_used_is_refused(options, problem):
    with pytest.raises(checks.ArgumentError, match=problem):
        filterbanks.mel(**{"sr": 22050, "n_fft": 2048, **options})


@pytest.mark.parametrize("dct_type", [1, 2, 3])
@pytest.mark.parametrize("norm", ["ortho", None])
def test_cosine_transform_matches_scipy(rng, dct_type, norm):
    x = rng.standard_normal((40, 6))
    expected = scipy.fft.dct(x, type=dct_type, norm=norm, axis=0)[:13]
    np.testing.assert_allclose(
        filterbanks.dct(13, 40, dct_type=dct_type, norm=norm) @ x, expected, atol=1e-12
    )


@pytest.mark.parametrize("n_mels", [1, 40, 128, 200])
def test_applying_filters_in_groups_is_the_matrix_product(rng, monkeypatch, n_mels):
    weights = filterbanks.mel(sr=22050, n_fft=2048, n_mels=n_mels)
    power = rng.random((8, 1025))
    bank = filterbanks.FilterBank(weights)
    for platform in ("cpu", "gpu"):
        monkeypatch.setattr(filterbanks, "platform", lambda platform=platform: platform)
        single = jnp.asarray(power, jnp.float32)
        np.testing.assert_allclose(bank.on_rows(single), power @ weights.T, rtol=2e-6)
        np.testing.assert_allclose(bank.on_columns(single.T), weights @ power.T, rtol=2e-6)


def test_filters_that_cover_nothing_give_zero():
    weights = np.zeros((40, 9))
    weights[0, 3] = 1.0
    found = filterbanks.FilterBank(weights).on_rows(jnp.ones((2, 9)))
    np.testing.assert_array_equal(found[:, 0], 1.0)
    np.testing.assert_array_equal(found[:, 1:], 0.0)

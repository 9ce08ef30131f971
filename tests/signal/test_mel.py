import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from signal_contract import (
    assert_compiles_once,
    assert_gradient_matches_differences,
    assert_gradients_finite,
    assert_same_in_every_mode,
    music,
    rel_l2,
)

from mer_jax import checks
from mer_jax.signal import melspectrogram, mfcc, power_to_db, spectrogram

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal:UserWarning:librosa")


def mel_in_double(y, **options):
    return librosa.feature.melspectrogram(y=y.astype(np.float64), dtype=np.float64, **options)


def mfcc_in_double(y, **options):
    return librosa.feature.mfcc(y=y.astype(np.float64), dtype=np.float64, **options)


@pytest.mark.parametrize(("sr", "seconds"), [(16000, 0.1), (22050, 0.5), (44100, 0.3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"htk": True, "norm": None, "n_mels": 64},
        {"n_fft": 1024, "hop_length": 441, "win_length": 801, "n_mels": 40, "fmin": 50.0, "fmax": 7000.0},
        {"power": 1.0, "pad_mode": "reflect", "window": "hamming"},
        {"n_fft": 1023, "hop_length": 300, "center": False, "n_mels": 20, "power": 0.5},
    ],
)
def test_mel_and_mfcc_match_librosa(sr, seconds, options):
    y = music(int(sr * seconds) + 1, sr)
    assert rel_l2(melspectrogram(y, sr=sr, **options), mel_in_double(y, sr=sr, **options)) < 1e-5
    norm = {"mel_norm": options["norm"]} if "norm" in options else {}
    cepstral = {**{k: v for k, v in options.items() if k != "norm"}, **norm}
    assert rel_l2(mfcc(y, sr=sr, **cepstral), mfcc_in_double(y, sr=sr, **cepstral)) < 1e-4


@pytest.mark.slow
def test_a_minute_of_audio():
    y = music(60 * 44100, 44100)
    assert rel_l2(melspectrogram(y, sr=44100), mel_in_double(y, sr=44100)) < 1e-5
    assert rel_l2(mfcc(y, sr=44100), mfcc_in_double(y, sr=44100)) < 1e-4


@pytest.mark.parametrize("num_samples", [1, 1000])
def test_clips_shorter_than_a_frame(num_samples):
    y = music(num_samples)
    assert rel_l2(melspectrogram(y), mel_in_double(y)) < 1e-5
    assert rel_l2(mfcc(y), mfcc_in_double(y)) < 1e-4
    with pytest.raises(checks.ArgumentError, match="one frame"):
        melspectrogram(y, center=False)


@pytest.mark.parametrize(
    "options",
    [
        {"n_mfcc": 13, "lifter": 22},
        {"dct_type": 3},
        {"dct_type": 1, "norm": None},
        {"n_mfcc": 40, "n_mels": 40, "norm": None, "htk": True},
    ],
)
def test_cepstral_options(options):
    y = music(12000)
    assert rel_l2(mfcc(y, **options), mfcc_in_double(y, **options)) < 1e-4


def test_a_spectrogram_can_be_shared():
    y = np.stack([music(9000, seed=k) for k in range(2)])
    S = spectrogram(y, power=2)
    mel = melspectrogram(S=S, sr=22050)
    assert rel_l2(mel, melspectrogram(y)) < 1e-6
    assert rel_l2(mfcc(S=power_to_db(mel)), mfcc(y)) < 1e-6
    # The transform's length follows from the bins, unless n_fft fits them: 1023 and 1022 share theirs.
    for n_fft, given in ((1024, 2048), (1023, 1023)):
        S = np.abs(librosa.stft(y[0], n_fft=n_fft)) ** 2
        expected = librosa.feature.melspectrogram(S=S.astype(np.float64), n_fft=given, dtype=np.float64)
        assert rel_l2(melspectrogram(S=S, n_fft=given), expected) < 1e-6


def test_decibels_of_the_cepstrum_are_cut_per_clip():
    loud = music(9000)
    batch = np.stack([loud, 1e-3 * loud])
    assert rel_l2(mfcc(batch)[1], mfcc_in_double(batch[1])) < 1e-4


@pytest.mark.parametrize("function", [melspectrogram, mfcc])
class TestContract:
    def test_modes_agree(self, function):
        batch = np.stack([music(4001, seed=k) for k in range(6)]).reshape(2, 3, -1)
        assert_same_in_every_mode(function, batch, tolerance=1e-6)

    def test_gradients_are_finite(self, function):
        assert_gradients_finite(function, 5000)

    def test_gradient_is_that_of_the_values(self, function):
        options = {"n_fft": 128, "hop_length": 30, "n_mels": 8}
        if function is mfcc:
            options["n_mfcc"] = 5
        assert_gradient_matches_differences(lambda y: function(y, **options), music(600))

    def test_a_second_batch_costs_no_compilation(self, function):
        first, second = (np.stack([music(4001, seed=k)] * 2) for k in range(2))
        assert_compiles_once(function, first, second)

    def test_half_precision_is_answered_in_half_precision(self, function):
        assert function(jnp.asarray(music(5000), jnp.bfloat16)).dtype == jnp.bfloat16

    def test_double_precision_stays(self, function):
        y = music(3000).astype(np.float64)
        with jax.enable_x64(True):
            found = np.asarray(function(y))
        assert found.dtype == np.float64
        assert rel_l2(found, (mel_in_double if function is melspectrogram else mfcc_in_double)(y)) < 1e-9

    def test_what_cannot_be_used_is_refused(self, function):
        y = np.zeros(3000, np.float32)
        with pytest.raises(checks.ArgumentError, match="exactly one"):
            function()
        for options, problem in (
            ({"n_mels": 0}, "n_mels"),
            ({"power": 0.0}, "power"),
            ({"hop_length": -1}, "hop_length"),
        ):
            with pytest.raises(checks.ArgumentError, match=problem):
                function(y, **options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"n_mfcc": 129}, "128 mel bands"),
        ({"dct_type": 4}, "dct_type"),
        ({"lifter": -1}, "lifter"),
        ({"norm": "l2"}, "norm"),
    ],
)
def test_cepstral_options_that_cannot_be_used(options, problem):
    with pytest.raises(checks.ArgumentError, match=problem):
        mfcc(np.zeros(3000, np.float32), **options)

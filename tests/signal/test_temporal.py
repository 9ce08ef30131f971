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
from mer_jax.signal import amplitude_envelope, framing, rms, zero_crossing_rate

FRAMINGS = [(2048, 512), (2047, 512), (1000, 333), (400, 400), (256, 1000), (100, 1)]


def envelope_reference(y, *, frame_length=2048, hop_length=512, center=True):
    """Maximum of |y| in each frame, in NumPy."""
    padded = np.pad(np.abs(y), [(0, 0)] * (y.ndim - 1) + [(frame_length // 2,) * 2]) if center else np.abs(y)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length, axis=-1)[..., ::hop_length, :]
    return frames.max(axis=-1)[..., None, :]


@pytest.mark.parametrize(("sr", "seconds"), [(16000, 0.1), (22050, 0.5), (44100, 0.3)])
@pytest.mark.parametrize(("frame_length", "hop_length"), FRAMINGS)
@pytest.mark.parametrize("center", [True, False])
def test_values_match_the_references(sr, seconds, frame_length, hop_length, center):
    y = music(int(sr * seconds) + 1, sr)  # an odd number of samples at two of the rates
    y[100:160] = 0.0  # exact zeros count as positive
    options = {"frame_length": frame_length, "hop_length": hop_length, "center": center}
    if not center and y.size < frame_length:
        for function in (amplitude_envelope, rms, zero_crossing_rate):
            with pytest.raises(checks.ArgumentError, match="one frame"):
                function(y, **options)
        with pytest.raises(librosa.ParameterError):
            librosa.feature.rms(y=y, **options)
        return
    np.testing.assert_array_equal(amplitude_envelope(y, **options), envelope_reference(y, **options))
    expected = librosa.feature.rms(y=y.astype(np.float64), dtype=np.float64, **options)
    assert rel_l2(rms(y, **options), expected) < 1e-6
    expected = librosa.feature.zero_crossing_rate(y, **options)
    np.testing.assert_array_equal(zero_crossing_rate(y, **options), expected.astype(np.float32))


@pytest.mark.slow
def test_a_minute_of_audio():
    y = music(60 * 44100, 44100)
    np.testing.assert_array_equal(amplitude_envelope(y), envelope_reference(y))
    assert rel_l2(rms(y), librosa.feature.rms(y=y.astype(np.float64), dtype=np.float64)) < 1e-6
    expected = librosa.feature.zero_crossing_rate(y).astype(np.float32)
    np.testing.assert_array_equal(zero_crossing_rate(y), expected)


@pytest.mark.parametrize("num_samples", [1, 100, 2047])
def test_clips_shorter_than_a_frame(num_samples):
    y = music(num_samples)
    np.testing.assert_array_equal(amplitude_envelope(y), envelope_reference(y))
    assert rel_l2(rms(y), librosa.feature.rms(y=y.astype(np.float64), dtype=np.float64)) < 1e-6
    np.testing.assert_array_equal(
        zero_crossing_rate(y), librosa.feature.zero_crossing_rate(y).astype(np.float32)
    )


def test_channels_are_kept_apart(rng):
    y = rng.standard_normal((2, 3, 5000)).astype(np.float32)
    np.testing.assert_array_equal(amplitude_envelope(y), envelope_reference(y))
    assert rel_l2(rms(y), librosa.feature.rms(y=y.astype(np.float64), dtype=np.float64)) < 1e-6
    np.testing.assert_array_equal(
        zero_crossing_rate(y), librosa.feature.zero_crossing_rate(y).astype(np.float32)
    )


@pytest.mark.parametrize("pad_mode", framing.PAD_MODES)
def test_rms_padding(pad_mode):
    y = music(5001)
    expected = librosa.feature.rms(y=y.astype(np.float64), pad_mode=pad_mode, dtype=np.float64)
    assert rel_l2(rms(y, pad_mode=pad_mode), expected) < 1e-6


@pytest.mark.parametrize("frame_length", [2048, 1023])
def test_rms_of_a_spectrogram(frame_length):
    y = music(9000)
    S = np.abs(librosa.stft(np.stack([y, y[::-1]]).astype(np.float64), n_fft=frame_length))
    expected = librosa.feature.rms(S=S, frame_length=frame_length, dtype=np.float64)
    assert rel_l2(rms(S=S.astype(np.float32), frame_length=frame_length), expected) < 1e-6


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0.0},
        {"threshold": 0.01},
        {"threshold": 0.1, "ref_magnitude": 0.5},
        {"threshold": 0.1, "ref_magnitude": np.max},
        {"pad": True},
        {"zero_pos": False},
        {"zero_pos": False, "threshold": 0.05, "pad": True, "center": False},
    ],
)
def test_zero_crossing_options(options):
    y = music(6000)
    y[::7] = 0.0
    y[3::50] = -0.0
    expected = librosa.feature.zero_crossing_rate(y, **options).astype(np.float32)
    np.testing.assert_array_equal(zero_crossing_rate(y, **options), expected)


def test_a_callable_reference_sees_one_clip_at_a_time():
    loud = music(6000)
    batch = np.stack([loud, 1e-3 * loud])
    found = zero_crossing_rate(batch, threshold=0.01, ref_magnitude=jnp.max)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("function", [amplitude_envelope, rms, zero_crossing_rate])
class TestContract:
    def test_modes_agree(self, function):
        batch = np.stack([music(4001, seed=k) for k in range(6)]).reshape(2, 3, -1)
        assert_same_in_every_mode(function, batch, tolerance=1e-6)

    def test_gradients_are_finite(self, function):
        assert_gradients_finite(function, 5000)

    def test_a_second_batch_costs_no_compilation(self, function):
        first, second = (np.stack([music(4001, seed=k)] * 2) for k in range(2))
        assert_compiles_once(function, first, second)

    def test_half_precision_is_computed_in_single(self, function):
        y = jnp.asarray(music(5000), jnp.bfloat16)
        found = function(y)
        assert found.dtype == jnp.bfloat16
        np.testing.assert_array_equal(found, function(y.astype(jnp.float32)).astype(jnp.bfloat16))

    def test_double_precision_stays(self, function):
        with jax.enable_x64(True):
            assert function(np.ones(3000)).dtype == jnp.float64

    def test_integers_are_refused(self, function):
        with pytest.raises(checks.ArgumentError, match="int16"):
            function(np.zeros(3000, np.int16))


@pytest.mark.parametrize("function", [amplitude_envelope, rms])
def test_gradient_is_that_of_the_values(function):
    assert_gradient_matches_differences(lambda y: function(y, frame_length=100, hop_length=37), music(600))


def test_rms_takes_samples_or_a_spectrogram():
    with pytest.raises(checks.ArgumentError, match="exactly one"):
        rms()
    with pytest.raises(checks.ArgumentError, match="exactly one"):
        rms(np.zeros(9, np.float32), S=np.zeros((3, 1), np.float32))
    with pytest.raises(checks.ArgumentError, match=r"has 5 bins.*1025"):
        rms(S=np.zeros((5, 2), np.float32))
    with pytest.raises(checks.ArgumentError, match="did you mean 'reflect'"):
        rms(np.zeros(9, np.float32), pad_mode="reflct")


def test_rates_of_a_frame_length_that_is_not_a_power_of_two_are_exact():
    # 1 / 49 is not representable: count * (1 / 49) would be off by one unit in the last place for some counts.
    y = np.where(np.arange(2000) % 3 == 0, 1, -1).astype(np.float32)
    expected = librosa.feature.zero_crossing_rate(y, frame_length=49, hop_length=1).astype(np.float32)
    np.testing.assert_array_equal(zero_crossing_rate(y, frame_length=49, hop_length=1), expected)

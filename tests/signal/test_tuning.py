import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from tonal_clips import chords, edge_cases

import mer_jax as mj
from mer_jax.checks import ArgumentError
from mer_jax.signal.tuning import _masked_median


@pytest.mark.parametrize("cents", [-40.0, -17.0, 0.0, 12.0, 33.0])
@pytest.mark.parametrize("bins_per_octave", [12, 36])
def test_equals_librosa(cents, bins_per_octave):
    y = chords(cents=cents, seed=int(abs(cents)))
    expected = librosa.estimate_tuning(y=y, bins_per_octave=bins_per_octave)
    found = mj.signal.estimate_tuning(y.astype(np.float32), bins_per_octave=bins_per_octave)
    assert float(found) == pytest.approx(expected, abs=1e-6)
    # A hundredth of a step is what it resolves; the parabola's bias is of the same order.
    distance = (cents / 100 * bins_per_octave / 12 - float(found) + 0.5) % 1 - 0.5
    assert abs(distance) < 0.04 * bins_per_octave / 12


def test_other_arguments_equal_librosa():
    y = chords(sr=16000, cents=21.0)
    options = {"sr": 16000, "n_fft": 4096, "hop_length": 700, "fmin": 80.0, "fmax": 2000.0, "threshold": 0.2}
    options |= {"resolution": 0.003, "win_length": 3000, "window": "hamming"}
    expected = librosa.estimate_tuning(y=y, **options)
    found = mj.signal.estimate_tuning(y.astype(np.float32), **options)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_spectrogram_and_whole_range_equal_librosa():
    S = np.abs(librosa.stft(chords(cents=-9.0), n_fft=1024))
    for options in ({}, {"fmin": 0.0, "fmax": 30000.0}):
        expected = librosa.estimate_tuning(S=S**2, **options)
        found = mj.signal.estimate_tuning(S=(S**2).astype(np.float32), **options)
        assert float(found) == pytest.approx(expected, abs=1e-6)


def test_real_music_equals_librosa(emopia_dir):
    for path in sorted((emopia_dir / "audio").glob("*.ogg"))[:3]:
        y = np.asarray(mj.audio.load(path, sr=22050)[0])[: 8 * 22050]
        expected = librosa.estimate_tuning(y=y.astype(np.float64))
        assert float(mj.signal.estimate_tuning(y)) == pytest.approx(expected, abs=1e-6)


def test_each_clip_of_a_batch_has_its_own():
    y = np.stack([[chords(cents=c, seconds=1.0)] for c in (0.0, 25.0, -25.0)]).astype(np.float32)
    found = mj.signal.estimate_tuning(y)
    single = [[float(mj.signal.estimate_tuning(y[i, 0]))] for i in range(3)]
    np.testing.assert_allclose(found, single)
    np.testing.assert_allclose(jax.jit(mj.signal.estimate_tuning)(y), single)
    assert len(np.unique(single)) == 3


def test_clips_without_peaks_are_in_tune():
    y = np.stack([edge_cases(6000)[name] for name in ("silence", "denormal")])
    np.testing.assert_array_equal(mj.signal.estimate_tuning(y[:1]), [0.0])
    assert np.isfinite(np.asarray(mj.signal.estimate_tuning(y))).all()
    # No bin lies between these frequencies.
    assert float(mj.signal.estimate_tuning(chords().astype(np.float32), fmin=101.0, fmax=102.0)) == 0.0


@pytest.mark.parametrize("count", [1, 2, 3, 500, 501])
def test_median_is_numpys(rng, count):
    values = np.round(rng.uniform(0.1, 3.0, 1000), 1).astype(np.float32)  # with many equal ones
    mask = np.arange(1000) < count
    median = jax.jit(_masked_median)
    assert float(median(values, mask)) == pytest.approx(float(np.median(values[:count])), abs=1e-7)
    assert np.isinf(median(values, np.zeros(1000, bool)))


def test_gradient_is_zero():
    y = jnp.asarray(chords(seconds=0.5), jnp.float32)
    gradient = jax.grad(lambda y: mj.signal.estimate_tuning(y))(y)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("resolution", [0.01, 0.03])
@pytest.mark.parametrize("bins_per_octave", [12, 24])
def test_pitch_tuning_equals_librosa(rng, resolution, bins_per_octave):
    hz = 440 * 2 ** ((rng.integers(-24, 24, 300) + 0.21 + 0.05 * rng.standard_normal(300)) / bins_per_octave)
    hz[::7] = 0.0
    options = {"resolution": resolution, "bins_per_octave": bins_per_octave}
    found = mj.signal.pitch_tuning(hz.astype(np.float32), **options)
    assert float(found) == pytest.approx(librosa.pitch_tuning(hz, **options), abs=1e-6)


def test_pitch_tuning_of_nothing_is_zero():
    assert float(mj.signal.pitch_tuning(np.zeros(3, np.float32))) == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "y / S: none of them given"),
        ({"y": np.zeros(9, np.float32), "S": np.zeros((3, 3), np.float32)}, "y and S given"),
        ({"y": np.zeros(9, np.float32), "resolution": 1.0}, "resolution: is 1.0"),
        ({"y": np.zeros(9, np.float32), "bins_per_octave": 0}, "bins_per_octave: is 0"),
        ({"y": np.zeros(9, np.float32), "sr": 0}, "sr: is 0"),
    ],
    ids=["neither", "both", "resolution", "bins_per_octave", "sr"],
)
def test_unusable_arguments_are_named(options, message):
    with pytest.raises(ArgumentError, match=message):
        mj.signal.estimate_tuning(**options)

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.signal
from signal_contract import (
    assert_compiles_once,
    assert_gradient_matches_differences,
    assert_gradients_finite,
    assert_same_in_every_mode,
    music,
    rel_l2,
)

from mer_jax import checks
from mer_jax.signal import framing, istft, spectra, spectrogram, stft
from mer_jax.signal.windows import centered_window

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal:UserWarning:librosa")

TRANSFORMS = [
    {},
    {"n_fft": 1024, "hop_length": 300},
    {"n_fft": 2048, "win_length": 1000, "window": "hamming"},
    {"n_fft": 2048, "win_length": 801, "hop_length": 441, "window": ("kaiser", 8.0)},
    {"n_fft": 513, "hop_length": 100},
    {"n_fft": 400, "hop_length": 700, "window": 5.0},
    {"n_fft": 64, "hop_length": 2, "window": "boxcar"},
]


def in_double(y, **options):
    return librosa.stft(y.astype(np.float64), **options)


@pytest.mark.parametrize(
    ("sr", "seconds", "options"),
    [
        *((22050, 0.5, options) for options in TRANSFORMS),
        *(
            (sr, seconds, options)
            for sr, seconds in ((16000, 0.1), (44100, 0.2))
            for options in TRANSFORMS[:5:2]
        ),
    ],
)
@pytest.mark.parametrize("center", [True, False])
def test_values_match_librosa(sr, seconds, options, center):
    y = music(int(sr * seconds) + 1, sr)
    if not center and y.size < options.get("n_fft", 2048):
        with pytest.raises(librosa.ParameterError):
            librosa.stft(y, center=False, **options)
        with pytest.raises(checks.ArgumentError, match="one frame"):
            stft(y, center=False, **options)
        return
    expected = in_double(y, center=center, **options)
    assert rel_l2(stft(y, center=center, **options), expected) < 1e-6
    assert rel_l2(spectrogram(y, center=center, **{"hop_length": None, **options}), np.abs(expected)) < 1e-6


@pytest.mark.slow
def test_a_minute_of_audio():
    y = music(60 * 44100, 44100)
    assert rel_l2(stft(y), in_double(y)) < 1e-6


@pytest.mark.parametrize("num_samples", [1, 2, 500, 2047])
def test_clips_shorter_than_a_frame(num_samples):
    y = music(num_samples)
    assert rel_l2(stft(y), in_double(y)) < 1e-6


@pytest.mark.parametrize("pad_mode", framing.PAD_MODES)
@pytest.mark.parametrize("num_samples", [700, 5001])
def test_padding(pad_mode, num_samples):
    y = music(num_samples) + 0.5
    assert rel_l2(stft(y, pad_mode=pad_mode), in_double(y, pad_mode=pad_mode)) < 1e-6


def test_channels_are_kept_apart(rng):
    y = rng.standard_normal((2, 3, 3000)).astype(np.float32)
    assert rel_l2(stft(y), in_double(y)) < 1e-6


def test_a_window_may_be_given_as_samples():
    y = music(4000)
    samples = scipy.signal.get_window("blackman", 1000)
    expected = in_double(y, win_length=1000, window=samples)
    for window in (samples, samples.tolist(), jnp.asarray(samples)):
        assert rel_l2(stft(y, win_length=1000, window=window), expected) < 1e-6


def test_a_window_can_be_learnt():
    y = music(1000)

    def energy(window):
        return jnp.sum(spectrogram(y, n_fft=64, window=window, power=2))

    window = jnp.asarray(centered_window("hann", 64, 64, np.float32))
    gradient = jax.grad(energy)(window)
    # The energy is quadratic in the window, so its gradient along the window is twice its value (Euler).
    np.testing.assert_allclose(jnp.sum(gradient * window), 2 * energy(window), rtol=1e-4)


@pytest.mark.parametrize("power", [0.3, 1.0, 2.0])
def test_a_spectrogram_is_the_magnitude_to_a_power(power):
    y = music(5000)
    assert rel_l2(spectrogram(y, power=power), np.abs(in_double(y, hop_length=512)) ** power) < 1e-6


@pytest.mark.parametrize("step", [1, 3, 8, 32])
def test_the_size_of_a_step_does_not_matter(monkeypatch, step):
    y = jnp.asarray(music(6001))
    expected = stft(y, n_fft=256, hop_length=100)
    monkeypatch.setattr(spectra, "rows_per_step", lambda n_fft, itemsize: step)
    window = jnp.asarray(centered_window("hann", 256, 256, np.float32))
    found = spectra.map_spectra(lambda z: z, y, window, hop_length=100)
    assert rel_l2(found, expected) < 1e-7


def test_an_accelerator_computes_the_same(monkeypatch):
    # The whole-batch path, run on this machine: what it computes does not depend on where.
    y = jnp.asarray(np.stack([music(6001, seed=k) for k in range(2)]))
    window = jnp.asarray(centered_window("hann", 256, 256, np.float32))

    def both(z):
        return {"magnitude": jnp.abs(z), "first": z[:, :1]}

    in_steps = spectra.map_spectra(both, y, window, hop_length=100)
    monkeypatch.setattr(spectra, "platform", lambda: "gpu")
    at_once = spectra.map_spectra(both, y, window, hop_length=100)
    for name, expected in in_steps.items():
        assert rel_l2(at_once[name], expected) < 1e-6


def test_steps_keep_the_fft_on_one_thread():
    # Larger transforms are split over a thread pool that can then wait for itself; the library's own limits are two vectors of
    # eight float32 (four float64) rows, and eight vectors below 1000 points.
    for n_fft, limit in ((2048, 2), (1000, 2), (999, 8), (256, 8)):
        for itemsize in (4, 8):
            assert spectra.rows_per_step(n_fft, itemsize) < limit * 8 * 4 // itemsize


def test_memory_does_not_grow_with_intermediate_values():
    batch = jax.ShapeDtypeStruct((32, 10 * 22050), jnp.float32)
    analysis = jax.jit(lambda y: spectrogram(y)).lower(batch).compile().memory_analysis()
    one_clip = 10 * 22050 * 4
    assert analysis.temp_size_in_bytes < 4 * one_clip + 2**21


@pytest.mark.parametrize("function", [stft, spectrogram])
class TestContract:
    def test_modes_agree(self, function):
        batch = np.stack([music(4001, seed=k) for k in range(6)]).reshape(2, 3, -1)
        assert_same_in_every_mode(function, batch, tolerance=1e-6)

    def test_gradients_are_finite(self, function):
        assert_gradients_finite(function, 5000)

    def test_gradient_is_that_of_the_values(self, function):
        assert_gradient_matches_differences(lambda y: function(y, n_fft=64, hop_length=30), music(600))

    def test_forward_and_reverse_mode_agree(self, function):
        y, direction = (jnp.asarray(np.stack([music(900, seed=k)] * 2)) for k in (0, 1))
        short = functools.partial(function, n_fft=64, hop_length=30)
        value, slope = jax.jvp(short, (y,), (direction,))
        reverse = jax.grad(lambda y: jnp.real(jnp.vdot(value, short(y))))(y)
        np.testing.assert_allclose(jnp.real(jnp.vdot(value, slope)), jnp.vdot(reverse, direction), rtol=1e-4)

    def test_a_second_batch_costs_no_compilation(self, function):
        first, second = (np.stack([music(4001, seed=k)] * 2) for k in range(2))
        assert_compiles_once(function, first, second)

    def test_half_precision_is_computed_in_single(self, function):
        y = jnp.asarray(music(5000), jnp.bfloat16)
        found, single = function(y), function(y.astype(jnp.float32))
        assert found.dtype == (jnp.complex64 if function is stft else jnp.bfloat16)
        np.testing.assert_array_equal(found, single.astype(found.dtype))

    def test_double_precision_stays(self, function):
        y = music(3000).astype(np.float64)
        with jax.enable_x64(True):
            found = np.asarray(function(y, hop_length=512))
        assert found.dtype == (np.complex128 if function is stft else np.float64)
        expected = in_double(y, hop_length=512)
        assert rel_l2(found, expected if function is stft else np.abs(expected)) < 1e-12

    def test_what_cannot_be_used_is_refused(self, function):
        y = np.zeros(3000, np.float32)
        for options, problem in (
            ({"n_fft": 0}, "n_fft"),
            ({"hop_length": 0}, "hop_length"),
            ({"win_length": 4096}, "at most n_fft=2048"),
            ({"window": "hamming-ish"}, "scipy.signal.get_window"),
            ({"window": np.ones(5)}, "win_length samples"),
            ({"pad_mode": "wrap"}, "pad_mode"),
            ({"n_fft": 4096, "center": False}, "has 3000 samples"),
        ):
            with pytest.raises(checks.ArgumentError, match=problem):
                function(y, **options)


@pytest.mark.parametrize("options", [*TRANSFORMS[:4], TRANSFORMS[4]])
@pytest.mark.parametrize("length", [None, 7001])
def test_the_inverse_returns_the_signal(options, length):
    y = music(7001)
    framed = {"n_fft": 2048, **options}
    found = istft(stft(y, **options), length=length, **framed)
    expected = librosa.istft(in_double(y, **options), length=length, **framed)
    assert rel_l2(found, expected) < 1e-5
    covered = min(found.size, 6000)
    assert rel_l2(found[:covered], y[:covered]) < 1e-5


@pytest.mark.parametrize("length", [None, 3000, 5001, 9000])
@pytest.mark.parametrize(
    "options", [{}, {"hop_length": 700, "n_fft": 1024}, {"n_fft": 333, "hop_length": 50}]
)
def test_the_inverse_without_centring_matches_librosa(options, length):
    # A boxcar window, so that no sample is divided by a window next to 0, which magnifies any rounding.
    y = music(5001)
    D = librosa.stft(y, center=False, window="boxcar", **options)
    framed = {"n_fft": 2048, **options, "center": False, "window": "boxcar", "length": length}
    assert rel_l2(istft(D, **framed), librosa.istft(D.astype(np.complex128), **framed)) < 1e-6


def test_samples_that_no_window_covers_are_zero():
    D = librosa.stft(music(3000), n_fft=256, hop_length=400, win_length=200)
    found = np.asarray(istft(D, n_fft=256, hop_length=400, win_length=200))
    expected = librosa.istft(D, n_fft=256, hop_length=400, win_length=200)
    assert found.shape == expected.shape
    assert np.all(found[150:250] == 0)
    assert np.isfinite(found).all()


def test_inverse_of_a_batch_and_its_gradient():
    y = np.stack([music(4001, seed=k) for k in range(4)]).reshape(2, 2, -1)
    together = istft(stft(y), length=4001)
    alone = np.stack([[istft(stft(clip), length=4001) for clip in pair] for pair in y])
    assert rel_l2(together, alone) < 1e-6
    assert_gradients_finite(lambda y: istft(stft(y)), 5000)
    assert_gradient_matches_differences(lambda y: istft(stft(y, n_fft=64) ** 2, n_fft=64), music(600))


def test_the_bins_of_the_inverse_must_fit():
    with pytest.raises(checks.ArgumentError, match=r"has 5 bins.*1025"):
        istft(np.zeros((5, 3), np.complex64), n_fft=2048)
    with pytest.raises(checks.ArgumentError, match="length"):
        istft(np.zeros((5, 3), np.complex64), length=0)

"""Spectral features against librosa in float64, and the contract of every signal function."""

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

from mer_jax import checks, signal
from mer_jax.signal import contrast

# Bounds of the design, relative L2 against librosa in float64.
BOUNDS = {
    "spectral_centroid": 1e-4,
    "spectral_bandwidth": 1e-4,
    "spectral_contrast": 1e-3,
    "spectral_flatness": 1e-4,
    "spectral_rolloff": 1e-3,
    "poly_features": 1e-4,
}
NAMES = [*BOUNDS, "spectral_flux"]


def options(name, sr):
    return {} if name == "spectral_flatness" else {"sr": sr}


def reference(name, y, sr, **kwargs):
    return getattr(librosa.feature, name)(y=y.astype(np.float64), **options(name, sr), **kwargs)


def flux_by_definition(y, **kwargs):
    S = np.abs(librosa.stft(y.astype(np.float64), **kwargs))
    out = np.zeros((1, S.shape[1]))
    for t in range(1, S.shape[1]):
        out[0, t] = np.maximum(S[:, t] - S[:, t - 1], 0).sum()
    return out


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize(
    ("sr", "num_samples", "kwargs"),
    [
        (22050, 22050, {}),
        (16000, 16001, {"hop_length": 300}),
        (44100, 30001, {"n_fft": 1024, "hop_length": 256, "center": False}),
        (22050, 2205, {"win_length": 1000}),
        (22050, 700, {}),
    ],
)
def test_agrees_with_librosa(name, sr, num_samples, kwargs):
    if name == "poly_features":
        kwargs = kwargs | {"order": 2}
    y = music(num_samples, sr)
    with pytest.warns(UserWarning, match="too large") if num_samples < 2048 else _no_warning():
        expected = reference(name, y, sr, **kwargs)
    found = getattr(signal, name)(y, **options(name, sr), **kwargs)
    assert rel_l2(found, expected) <= BOUNDS[name]


class _no_warning:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize("kwargs", [{}, {"n_fft": 512, "hop_length": 200}, {"center": False}])
def test_flux_is_its_definition(kwargs):
    y = music(9001)
    expected = flux_by_definition(y, **({"hop_length": 512} | kwargs))
    assert rel_l2(signal.spectral_flux(y, **kwargs), expected) <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_spectrogram_gives_what_its_waveform_gives(name):
    y = music(11025)
    S = jnp.abs(signal.stft(y, hop_length=512))
    function = getattr(signal, name)
    assert rel_l2(function(S=S), np.asarray(function(y))) <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_every_mode_gives_the_same(name):
    batch = np.stack([music(6000, seed=0), 0.1 * music(6000, seed=1)])[:, None].repeat(2, axis=1)
    assert_same_in_every_mode(getattr(signal, name), jnp.asarray(batch), tolerance=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite(name):
    assert_gradients_finite(getattr(signal, name), 4000)


@pytest.mark.parametrize(
    "name", ["spectral_centroid", "spectral_bandwidth", "spectral_flatness", "poly_features"]
)
def test_gradient_matches_differences(name):
    rng = np.random.default_rng(0)
    x = music(3000) + 0.05 * rng.standard_normal(3000)
    # Features in hertz: larger values, larger rounding in the difference.
    assert_gradient_matches_differences(getattr(signal, name), x, tolerance=1e-4)


def test_contrast_and_flux_match_differences_where_they_are_smooth():
    rng = np.random.default_rng(0)
    x = music(3000) + 0.05 * rng.standard_normal(3000)
    assert_gradient_matches_differences(lambda y: signal.spectral_contrast(y, linear=True), x, tolerance=1e-4)
    assert_gradient_matches_differences(signal.spectral_flux, x, tolerance=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_compiles_once(name):
    assert_compiles_once(getattr(signal, name), music(5000, seed=0), music(5000, seed=1))


def test_contrast_options():
    y = music(22050)
    for kwargs in ({"linear": True}, {"fmin": 100.0, "n_bands": 5}, {"quantile": 0.1}):
        expected = reference("spectral_contrast", y, 22050, **kwargs)
        assert rel_l2(signal.spectral_contrast(y, **kwargs), expected) <= 1e-3


def test_bandwidth_options():
    y = music(22050)
    S = np.abs(librosa.stft(y.astype(np.float64)))
    centroid = librosa.feature.spectral_centroid(S=S) + 100
    for kwargs in ({"p": 3.0}, {"norm": False}, {"centroid": centroid}):
        expected = librosa.feature.spectral_bandwidth(S=S, **kwargs)
        assert rel_l2(signal.spectral_bandwidth(S=S.astype(np.float32), **kwargs), expected) <= 1e-4


def test_explicit_frequencies():
    S = np.random.default_rng(0).uniform(size=(20, 4)).astype(np.float32)
    freq = np.sort(np.random.default_rng(1).uniform(0, 8000, 20))
    for name in ("spectral_centroid", "spectral_bandwidth", "spectral_rolloff"):
        expected = getattr(librosa.feature, name)(S=S.astype(np.float64), freq=freq)
        assert rel_l2(getattr(signal, name)(S=S, freq=freq), expected) <= 1e-4


@pytest.mark.parametrize(
    "name", ["spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "poly_features"]
)
def test_frequencies_of_each_frame(name):
    rng = np.random.default_rng(0)
    S = rng.uniform(size=(2, 50, 4)).astype(np.float32)
    freq = np.sort(rng.uniform(0, 8000, S.shape), axis=-2)
    expected = getattr(librosa.feature, name)(S=S.astype(np.float64), freq=freq)
    function = getattr(signal, name)
    assert rel_l2(function(S=S, freq=freq), expected) <= 1e-5
    one = np.broadcast_to(freq[0, :, :1], S.shape[1:])
    assert rel_l2(function(S=S, freq=one), np.asarray(function(S=S, freq=freq[0, :, 0]))) <= 1e-5
    # Frequencies that are traced have a gradient.
    slope = jax.grad(lambda hz: function(S=S, freq=hz).sum())(jnp.asarray(freq[0, :, 0], jnp.float32))
    assert jnp.isfinite(slope).all()
    assert jnp.any(slope != 0)


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_extremes_are_those_of_a_sort(monkeypatch, smallest, where):
    monkeypatch.setattr(contrast, "platform", lambda: where)
    x = np.random.default_rng(0).integers(0, 30, (3, 40, 7)).astype(np.float32)  # with many equal values
    x[0] = 0
    ordered = np.sort(x, axis=-2)
    for count in (1, 2, 9, 40):
        wanted = ordered[..., :count, :] if smallest else ordered[..., -count:, :]
        found = contrast.mean_of_extremes(jnp.asarray(x), count, smallest)
        np.testing.assert_allclose(found, wanted.mean(axis=-2), rtol=1e-6)


def test_equal_values_share_the_gradient_of_an_extreme():
    x = jnp.array([[5.0], [2.0], [2.0], [2.0], [0.0]])
    slope = jax.grad(lambda v: contrast.mean_of_extremes(v, 3).sum())(x)
    np.testing.assert_allclose(slope[:, 0], np.array([1, 2 / 3, 2 / 3, 2 / 3, 0]) / 3, rtol=1e-6)
    tangent = jax.jvp(lambda v: contrast.mean_of_extremes(v, 2, True), (x,), (jnp.ones_like(x),))[1]
    np.testing.assert_allclose(tangent, [1.0], rtol=1e-6)


def test_gradients_of_odd_powers_are_finite():
    for fn in (
        lambda y: signal.spectral_bandwidth(y, p=0.5),
        lambda y: signal.spectral_bandwidth(y, p=3.0, norm=False),
        lambda y: signal.spectral_flatness(y, power=0.5),
        lambda y: signal.spectral_contrast(y, quantile=0.3, linear=True),
    ):
        assert_gradients_finite(fn, 3000)


def test_roll_off_finds_every_bin():
    """A line at each bin in turn, below and above the boundaries of the blocks that are searched."""
    for bins in (5, 33, 64, 129):
        S = np.eye(bins, dtype=np.float32)
        found = signal.spectral_rolloff(S=S, freq=np.arange(bins))
        np.testing.assert_array_equal(found[0], np.arange(bins))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y: signal.spectral_centroid(y, S=np.ones((3, 2), np.float32)), "exactly one"),
        (lambda y: signal.spectral_centroid(), "exactly one"),
        (lambda y: signal.spectral_contrast(y, sr=8000), "below half the sampling rate"),
        (lambda y: signal.spectral_contrast(y, fmin=1.0), "no bin is left between"),
        (lambda y: signal.spectral_rolloff(y, roll_percent=1.0), "between 0 and 1"),
        (lambda y: signal.spectral_centroid(S=np.ones((3, 2), np.float32), freq=[1.0]), "one for each bin"),
        (lambda y: signal.spectral_bandwidth(y, centroid=np.ones((1, 3), np.float32)), "without S"),
        (lambda y: signal.spectral_centroid(y, freq=np.ones((1025, 6))), "without S"),
        (
            lambda y: signal.spectral_centroid(S=np.ones((3, 2), np.float32), freq=np.ones((4, 2))),
            "broadcasts",
        ),
        (
            lambda y: signal.spectral_contrast(S=np.ones((1025, 2), np.float32), freq=np.ones((1025, 2))),
            "same in every",
        ),
    ],
)
def test_what_cannot_be_used_is_named(call, words):
    with pytest.raises(checks.ArgumentError, match=words):
        call(music(3000))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_minute_of_stereo(name):
    y = np.stack([music(60 * 22050, seed=0), music(60 * 22050, seed=1)])
    found = getattr(signal, name)(y)
    expected = (
        flux_by_definition(y[1], hop_length=512) if name == "spectral_flux" else reference(name, y[1], 22050)
    )
    assert rel_l2(found[1], expected) <= BOUNDS.get(name, 1e-5)

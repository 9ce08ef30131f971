import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from tonal_clips import chords, edge_cases, relative_error

import mer_jax as mj
from mer_jax.checks import ArgumentError
from mer_jax.signal import chroma
from mer_jax.signal.chroma_filters import constantq_to_chroma
from mer_jax.signal.normalization import normalize

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")

# What the package states, and what is measured, to which the tests hold it.
STATED = {"chroma_stft": 1e-4, "chroma_cqt": 5e-3, "chroma_cens": 5e-3, "tonnetz": 5e-3}
MEASURED = 2e-6

# Constant-Q bins of two octaves: where the value is not the point.
SMALL = {"n_octaves": 2, "fmin": 220.0, "bins_per_octave": 12, "hop_length": 256}
FUNCTIONS = {
    "chroma_stft": (mj.signal.chroma_stft, {"n_fft": 512, "hop_length": 256}),
    "chroma_cqt": (mj.signal.chroma_cqt, SMALL),
    "chroma_hybrid": (mj.signal.chroma_cqt, SMALL | {"cqt_mode": "hybrid"}),
    "chroma_cens": (mj.signal.chroma_cens, SMALL | {"win_len_smooth": 5}),
    "tonnetz": (mj.signal.tonnetz, SMALL),
}


@pytest.fixture(scope="module")
def music():
    return chords().astype(np.float32)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("chroma_stft", {}),
        ("chroma_stft", {"tuning": -0.3, "n_chroma": 24, "norm": 2, "octwidth": None, "base_c": False}),
        ("chroma_stft", {"n_fft": 1000, "hop_length": 300, "norm": None, "ctroct": 4.0, "octwidth": 1.0}),
        ("chroma_cqt", {}),
        ("chroma_cqt", {"bins_per_octave": None, "n_octaves": 5, "threshold": 0.3, "norm": 1}),
        ("chroma_cqt", {"cqt_mode": "hybrid", "fmin": 55.0, "n_octaves": 6, "hop_length": 1024}),
        ("chroma_cqt", {"window": [0.2, 1.0, 0.2], "n_octaves": 4, "fmin": 98.0, "tuning": 0.4}),
        ("chroma_cens", {}),
        ("chroma_cens", {"win_len_smooth": 10, "smoothing_window": "boxcar", "norm": np.inf, "n_octaves": 4}),
        ("chroma_cens", {"win_len_smooth": None, "n_octaves": 4}),
        ("tonnetz", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) or "defaults",
)
# SciPy's direct convolution behind librosa's filters warns at random: it casts memory that it has not written yet.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_equals_librosa(music, name, options):
    expected = getattr(librosa.feature, name)(y=music.astype(np.float64), **{"tuning": 0.0, **options})
    found = getattr(mj.signal, name)(music, **options)
    assert relative_error(found, expected) < MEASURED < STATED[name]


@pytest.mark.parametrize("name", ["chroma_stft", "chroma_cqt"])
def test_estimated_tuning_equals_librosa(name):
    y = np.stack([chords(cents=c) for c in (-20.0, 10.0)]).astype(np.float32)
    found = getattr(mj.signal, name)(y, tuning=None)
    for clip, result in zip(y, found, strict=True):
        expected = getattr(librosa.feature, name)(y=clip.astype(np.float64))
        assert relative_error(result, expected) < MEASURED


def test_estimated_tuning_of_a_spectrogram_works_inside_jit():
    y = chords(cents=-20.0, seconds=1.0)
    found = jax.jit(lambda y: mj.signal.chroma_stft(y, tuning=None))(jnp.asarray(y, jnp.float32))
    assert relative_error(found, librosa.feature.chroma_stft(y=y)) < MEASURED


def test_given_spectra_and_chroma_equal_librosa(music, rng):
    S = np.abs(librosa.stft(music.astype(np.float64))) ** 2
    C = np.abs(librosa.cqt(music.astype(np.float64), n_bins=72, bins_per_octave=36))
    given = rng.uniform(size=(12, 40))
    given[:, 3] = 0.0
    single = {"S": S.astype(np.float32), "C": C.astype(np.float32), "chroma": given.astype(np.float32)}
    expected = librosa.feature.chroma_stft(S=S, tuning=0.0)
    assert relative_error(mj.signal.chroma_stft(S=single["S"]), expected) < MEASURED
    assert relative_error(mj.signal.chroma_cqt(C=single["C"]), librosa.feature.chroma_cqt(C=C)) < MEASURED
    assert relative_error(mj.signal.chroma_cens(C=single["C"]), librosa.feature.chroma_cens(C=C)) < MEASURED
    expected = librosa.feature.tonnetz(chroma=given)
    assert relative_error(mj.signal.tonnetz(chroma=single["chroma"]), expected) < MEASURED


def test_lone_tones_land_on_their_pitch_class():
    t = np.arange(22050) / 22050
    for pitch_class, midi in [(0, 60), (4, 64), (11, 71)]:
        y = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t).astype(np.float32)
        for function in (mj.signal.chroma_stft, mj.signal.chroma_cqt):
            assert np.all(np.argmax(function(y), axis=0)[5:-5] == pitch_class)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_vmap_and_batch_equal_one_by_one(rng, name):
    function, options = FUNCTIONS[name]
    y = jnp.asarray(rng.standard_normal((2, 2, 5000)), jnp.float32)

    def transform(y):
        return function(y, **options)

    single = np.stack([[np.asarray(transform(clip)) for clip in row] for row in y])
    assert single.shape == (2, 2, 6 if name == "tonnetz" else 12, 20)
    assert single.dtype == np.float32
    np.testing.assert_allclose(transform(y), single, atol=1e-6)
    np.testing.assert_allclose(jax.jit(transform)(y), single, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(transform)(y), single, atol=1e-6)


def test_second_batch_of_a_shape_compiles_nothing(rng):
    programs = {name: getattr(chroma, name) for name in ("_chroma_of_audio", "_cens", "_tonnetz")}
    sizes = []
    for _ in range(2):
        y = rng.standard_normal((2, 5000)).astype(np.float32)
        for function, options in FUNCTIONS.values():
            function(y, **options)
        sizes.append({name: program._cache_size() for name, program in programs.items()})
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_finite(name, dtype):
    function, options = FUNCTIONS[name]
    cases = edge_cases(4000)
    y = jnp.asarray(np.stack(list(cases.values())), dtype)

    @jax.jit
    @jax.grad
    def gradient(y):
        out = function(y, **options)
        assert out.dtype == dtype
        return jnp.sum(jnp.square(out), dtype=jnp.float32)

    g = np.asarray(gradient(y), np.float32)
    assert np.isfinite(g).all()
    # What is quantised (CENS) has no slope, nor has silence in chroma; everything else has.
    moving = np.abs(g[list(cases).index("clipped")]).max() > 0
    assert moving == (name != "chroma_cens")


@pytest.mark.parametrize("name", ["chroma_stft", "chroma_cqt", "tonnetz"])
def test_gradient_is_that_of_finite_differences_in_float64(rng, name):
    function, options = FUNCTIONS[name]
    y, direction = rng.standard_normal((2, 3000))
    with jax.enable_x64(True):

        def loss(y):
            return jnp.sum(function(y, **options) ** 3)

        slope = float(jnp.vdot(jax.grad(loss)(jnp.asarray(y)), direction))
        step = 1e-6
        difference = float(loss(y + step * direction) - loss(y - step * direction)) / (2 * step)
    assert slope == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize("norm", [None, 0, 0.5, 1, 2, 3, np.inf, -np.inf])
def test_normalize_equals_librosa(rng, norm):
    S = rng.standard_normal((7, 5))
    S[:, 1], S[2, 3], S[:, 4] = 0.0, 0.0, 1e-30 * S[:, 4]
    expected = librosa.util.normalize(S.astype(np.float32).astype(np.float64), norm=norm, axis=0)
    assert relative_error(normalize(jnp.asarray(S, jnp.float32), norm=norm, axis=0), expected) < 1e-6

    gradient = jax.grad(lambda S: jnp.sum(normalize(S, norm=norm, axis=0) ** 2))(jnp.asarray(S, jnp.float32))
    assert np.isfinite(np.asarray(gradient)).all()


@pytest.mark.parametrize(
    "options",
    [{}, {"bins_per_octave": 36, "n_chroma": 12}, {"bins_per_octave": 24, "n_chroma": 24, "fmin": 50.0}],
    ids=["defaults", "36", "24"],
)
def test_folding_matrix_equals_librosa(options):
    expected = librosa.filters.cq_to_chroma(80, **options)
    np.testing.assert_array_equal(constantq_to_chroma(80, **options), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mj.signal.chroma_stft(), "y / S: none of them given"),
        (lambda: mj.signal.chroma_cqt(), "y / C: none of them given"),
        (lambda: mj.signal.tonnetz(), "y / chroma: none of them given"),
        (lambda: mj.signal.chroma_stft(jnp.zeros(9), norm=-2), "norm: is -2"),
        (lambda: mj.signal.chroma_stft(jnp.zeros(9), octwidth=0.0), "octwidth: is 0.0"),
        (lambda: mj.signal.chroma_stft(jnp.zeros(9), n_chroma=0), "n_chroma: is 0"),
        (lambda: mj.signal.chroma_cqt(jnp.zeros(9), cqt_mode="half"), "cqt_mode: is 'half'"),
        (lambda: mj.signal.chroma_cqt(jnp.zeros(9), bins_per_octave=30), "bins_per_octave: is 30"),
        (lambda: mj.signal.chroma_cqt(jnp.zeros(9), n_octaves=0), "n_octaves: is 0"),
        (lambda: mj.signal.chroma_cens(jnp.zeros(9), win_len_smooth=0), "win_len_smooth: is 0"),
        (lambda: jax.jit(lambda y: mj.signal.chroma_cqt(y, tuning=None))(jnp.zeros(9)), "tuning: is None"),
    ],
)
def test_unusable_arguments_are_named(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()

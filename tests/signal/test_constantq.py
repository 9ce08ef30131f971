from functools import partial

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import scipy.signal
from tonal_clips import chords, edge_cases, relative_error

import mer_jax as mj
from mer_jax.checks import ArgumentError
from mer_jax.signal import constantq, cq_kernels, cq_response, first_halving
from mer_jax.signal.first_halving import RING
from mer_jax.signal.frequencies import C1_HZ, cqt_frequencies

# librosa warns where a frame is longer than the clip, and gives the value all the same.
pytestmark = pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")

# The bound that the package states, and what is measured: float32 rounding. The tests hold it to the latter.
STATED, MEASURED = 1e-3, 2e-6

# Two octaves, a short clip: where the value is not the point.
SMALL = {"n_bins": 24, "fmin": 220.0, "hop_length": 256}


@pytest.fixture(scope="module")
def music():
    return chords().astype(np.float32)


def by_definition(y, *, sr=22050, hop=512, bins=84, per_octave=12, fmin=C1_HZ, gamma=0.0, scale=True):
    """``sqrt(N) sum_n y[t hop + n] conj(w[n])`` bin by bin and frame by frame, in float64, from the docstring."""
    y = np.asarray(y, np.float64)
    ratio = 2 ** (2 / per_octave)
    alpha = (ratio - 1) / (ratio + 1)
    frames = 1 + len(y) // hop
    out = np.zeros((bins, frames), complex)
    for k in range(bins):
        f = fmin * 2 ** (k / per_octave)
        length = sr / (alpha * f + gamma)
        n = np.arange(np.floor(-length / 2), np.floor(length / 2)).astype(int)
        wave = scipy.signal.get_window("hann", len(n)) * np.exp(2j * np.pi * f * n / sr)
        wave /= np.sum(np.abs(wave))
        gain = np.sqrt(length) if scale else length
        padded = np.pad(y, (-n[0], n[-1] + hop))
        for t in range(frames):
            out[k, t] = gain * np.dot(padded[t * hop : t * hop + len(n)], wave.conj())
    return out


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_bins": 60, "bins_per_octave": 24, "hop_length": 256},  # lowered by 4 first; a part octave
        {"n_bins": 252, "bins_per_octave": 36, "hop_length": 1024},
        {"n_bins": 20, "hop_length": 500, "scale": False, "pad_mode": "reflect"},  # hop halves twice only
        {"n_bins": 30, "fmin": 100.0, "hop_length": 441, "filter_scale": 0.5},  # odd hop: never halved
        {"fmin": 60.0, "tuning": 0.3, "norm": 2, "window": "hamming", "sparsity": 0.0},
        {"n_bins": 1, "fmin": 1000.0},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_cqt_equals_librosa(music, options):
    expected = librosa.cqt(music.astype(np.float64), **options)
    assert relative_error(mj.signal.cqt(music, **options), expected) < MEASURED < STATED


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gamma": 20.0, "scale": False, "n_bins": 48, "bins_per_octave": 24},
        {"gamma": 0.0, "intervals": [1, 9 / 8, 5 / 4, 4 / 3, 3 / 2, 5 / 3, 15 / 8], "n_bins": 30},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_vqt_equals_librosa(music, options):
    expected = librosa.vqt(music.astype(np.float64), **options)
    assert relative_error(mj.signal.vqt(music, **options), expected) < MEASURED < STATED


@pytest.mark.parametrize("samples", [700, 3001, 22051])
def test_short_and_odd_clips_equal_librosa(rng, samples):
    y = rng.standard_normal(samples)
    found = mj.signal.cqt(y.astype(np.float32), n_bins=72)
    assert relative_error(found, librosa.cqt(y.astype(np.float32).astype(np.float64), n_bins=72)) < MEASURED


# Every pair of a rate and a scale, of a rate and a hop, of a scale and a hop: twelve of the 36.
RATES, SCALES, HOPS = (16000, 22050, 44100), ((84, 12), (84, 24), (60, 36), (252, 36)), (512, 256, 1024)
PAIRS = [(sr, *scale, HOPS[(i + j) % 3]) for i, sr in enumerate(RATES) for j, scale in enumerate(SCALES)]


@pytest.mark.slow
@pytest.mark.parametrize(("sr", "n_bins", "bins_per_octave", "hop_length"), PAIRS)
def test_cqt_equals_librosa_over_rates_and_scales(sr, n_bins, bins_per_octave, hop_length):
    jax.clear_caches()  # dozens of programs of this size are more than one process may map
    options = {"n_bins": n_bins, "bins_per_octave": bins_per_octave, "hop_length": hop_length, "sr": sr}
    y = chords(sr=sr, seconds=3.001, seed=2)
    assert (
        relative_error(mj.signal.cqt(y.astype(np.float32), **options), librosa.cqt(y, **options)) < MEASURED
    )


@pytest.mark.slow
def test_real_music_of_thirty_seconds_equals_librosa(emopia_dir):
    path = sorted((emopia_dir / "audio").glob("*.ogg"))[7]
    y, _ = mj.audio.load(path, sr=22050)
    y = np.asarray(y)[: 30 * 22050]
    assert relative_error(mj.signal.cqt(y), librosa.cqt(y.astype(np.float64))) < MEASURED


@pytest.mark.parametrize(
    "options",
    [{}, {"hop": 256, "bins": 30, "per_octave": 24, "fmin": 80.0, "scale": False}],
    ids=["defaults", "other"],
)
def test_exact_is_the_inner_product(music, options):
    y = music[:15001]
    names = {"hop": "hop_length", "bins": "n_bins", "per_octave": "bins_per_octave"}
    found = mj.signal.cqt(y, method="exact", **{names.get(k, k): v for k, v in options.items()})
    assert relative_error(found, by_definition(y, **options)) < 2e-6 < 1e-5


def test_exact_vqt_is_the_inner_product(music):
    y = music[:15001]
    found = mj.signal.vqt(y, method="exact", gamma=15.0, n_bins=48)
    assert relative_error(found, by_definition(y, bins=48, gamma=15.0)) < 2e-6 < 1e-5


def test_exact_gives_a_sinusoid_its_amplitude():
    f, sr = 440.0, 22050
    y = 0.5 * np.cos(2 * np.pi * f * np.arange(sr) / sr)
    C = mj.signal.cqt(y.astype(np.float32), method="exact", fmin=f, n_bins=1, scale=False)
    length = sr / f / float((2 ** (1 / 6) - 1) / (2 ** (1 / 6) + 1))
    # A cosine of amplitude A answers a unit-norm kernel with A / 2.
    np.testing.assert_allclose(np.abs(C[0, 10:30]), 0.25 * length, rtol=1e-3)


def test_methods_agree_roughly_and_not_exactly(music):
    a, b = (mj.signal.cqt(music, method=method) for method in ("librosa", "exact"))
    assert 1e-3 < relative_error(np.abs(a), np.abs(b)) < 5e-2


@pytest.mark.parametrize("method", ["librosa", "exact"])
def test_jit_vmap_and_batch_equal_one_by_one(rng, method):
    y = jnp.asarray(rng.standard_normal((2, 3, 5000)), jnp.float32)

    def transform(y):
        return mj.signal.cqt(y, method=method, **SMALL)

    single = np.stack([[np.asarray(transform(clip)) for clip in row] for row in y])
    assert single.shape == (2, 3, 24, 20)
    assert single.dtype == np.complex64
    np.testing.assert_array_equal(transform(y), single)
    np.testing.assert_allclose(jax.jit(transform)(y), single, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(transform)(y), single, atol=1e-5)


def test_second_batch_of_a_shape_compiles_nothing(rng):
    transform = constantq.apply_kernels
    first, second = (rng.standard_normal((2, 5000)).astype(np.float32) for _ in range(2))
    mj.signal.cqt(first, **SMALL).block_until_ready()
    programs = transform._cache_size()
    built = cq_kernels.octave_bank.cache_info().misses
    mj.signal.cqt(second, **SMALL)
    # Another tuning is other kernels for the same program.
    mj.signal.cqt(second, tuning=0.11, **SMALL)
    mj.signal.cqt(second, tuning=0.11, **SMALL)
    assert transform._cache_size() == programs
    assert cq_kernels.octave_bank.cache_info().misses <= built + 1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("method", ["librosa", "exact"])
def test_gradients_are_finite(method, dtype):
    y = jnp.asarray(np.stack(list(edge_cases(4000).values())), dtype)

    @jax.jit
    @jax.grad
    def gradient(y):
        C = mj.signal.cqt(y, method=method, **SMALL)
        return jnp.sum(jnp.abs(C) ** 2) + jnp.sum(jnp.abs(C))

    g = gradient(y)
    assert g.dtype == dtype
    assert np.isfinite(np.asarray(g, np.float32)).all()
    assert np.abs(np.asarray(g[2], np.float32)).max() > 0


@pytest.mark.parametrize("method", ["librosa", "exact"])
def test_gradient_is_that_of_finite_differences_in_float64(rng, method):
    y, direction = rng.standard_normal((2, 3000))
    with jax.enable_x64(True):

        def loss(y):
            return jnp.sum(jnp.abs(mj.signal.cqt(y, method=method, **SMALL)) ** 3)

        assert mj.signal.cqt(y, method=method, **SMALL).dtype == np.complex128
        slope = float(jnp.vdot(jax.grad(loss)(jnp.asarray(y)), direction))
        step = 1e-5
        difference = float(loss(y + step * direction) - loss(y - step * direction)) / (2 * step)
    assert slope == pytest.approx(difference, rel=1e-7)


def test_tuning_is_estimated_for_each_clip():
    y = np.stack([chords(cents=c, seconds=1.0) for c in (0.0, 30.0)]).astype(np.float32)
    found = mj.signal.cqt(y, tuning=None, **SMALL)
    for clip, result in zip(y, found, strict=True):
        expected = librosa.cqt(clip.astype(np.float64), tuning=None, **SMALL)
        assert relative_error(result, expected) < MEASURED
    tunings = [librosa.estimate_tuning(y=clip.astype(np.float64)) for clip in y]
    assert tunings[0] != tunings[1]


@pytest.mark.parametrize("transformation", [jax.jit, jax.vmap, jax.grad], ids=lambda t: t.__name__)
def test_tuning_that_is_not_known_yet_is_refused(transformation):
    def total(y):
        return jnp.sum(jnp.abs(mj.signal.cqt(y, tuning=None, **SMALL)))

    clip = jnp.zeros((2, 4000)) if transformation is jax.vmap else jnp.zeros(4000)
    if transformation is jax.grad:
        assert np.isfinite(np.asarray(jax.grad(total)(clip))).all()  # the samples are known here
    else:
        with pytest.raises(ArgumentError, match="tuning: is None inside"):
            transformation(total)(clip)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bins": 120}, "reaches .* half the sampling rate"),
        ({"n_bins": 0}, "n_bins: is 0"),
        ({"hop_length": 0}, "hop_length: is 0"),
        ({"fmin": -1.0}, "fmin: is -1.0"),
        ({"filter_scale": 0}, "filter_scale: is 0"),
        ({"sparsity": 1.0}, "sparsity: is 1.0"),
        ({"norm": -1}, "norm: is -1"),
        ({"window": "hahn"}, "window: is 'hahn'"),
        ({"pad_mode": "wrap"}, "pad_mode: is 'wrap'"),
        ({"res_type": "kaiser_best"}, "res_type: is 'kaiser_best'"),
        ({"method": "fast"}, "method: is 'fast'"),
        ({"gamma": -1.0}, "gamma: is -1.0"),
        ({"intervals": "ji5"}, "intervals: is 'ji5'"),
        ({"intervals": [1.0, 2.5]}, "intervals: is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_arguments_are_named(options, message):
    with pytest.raises(ArgumentError, match=message):
        mj.signal.vqt(jnp.zeros(1000), **options)


def test_clip_shorter_than_the_first_decimation_is_refused():
    with pytest.raises(ArgumentError, match="has 3 samples; expected at least 64"):
        mj.signal.cqt(jnp.zeros(3), n_bins=12)


def test_frequencies():
    np.testing.assert_allclose(cqt_frequencies(13)[[0, 12]], [32.70319566, 65.40639133])
    np.testing.assert_allclose(
        cqt_frequencies(5, fmin=100.0, bins_per_octave=24, tuning=0.5),
        librosa.cqt_frequencies(5, fmin=100.0, bins_per_octave=24, tuning=0.5),
    )


@pytest.mark.parametrize("samples", [16 * RING + 1, 30000])
def test_shortcut_to_the_third_octave_changes_nothing(rng, samples, monkeypatch):
    y = rng.standard_normal((1, samples)).astype(np.float32)
    bank = cq_kernels.octave_bank(
        constantq.describe(sr=22050, hop_length=512, fmin=None, n_bins=84, bins_per_octave=12)
    )

    kernels = tuple(jnp.asarray(kernel) for kernel in bank.kernels)

    def transform(y):  # the undecorated function, or the second call would find the first one's program
        whole = partial(constantq.apply_kernels.__wrapped__, steps=bank.steps, pad_mode="constant")
        return jax.jit(whole)(y, kernels)

    assert first_halving.pays(bank.steps, kernels, samples)
    short = transform(y)
    monkeypatch.setattr(cq_response, "pays", lambda *_: False)
    assert relative_error(short, transform(y)) < 1e-6

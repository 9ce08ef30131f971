"""Learnable front-ends against what their papers say, away from where they start; and near log-mel at the start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from learnable_members import SR, music
from learnable_references import band_pass, gabor, gaussian, pcen, sample_energies

from mer_jax import audio, frontends
from mer_jax.data import synthetic
from mer_jax.frontends.compression import PCENLayer, WithPCEN
from mer_jax.frontends.energy_bank import ENERGY_FLOOR
from mer_jax.signal.filtered_energy import filtered_energy, segment_length


def relative_error(found, expected):
    return np.linalg.norm(np.asarray(found, np.float64) - expected) / np.linalg.norm(expected)


def scatter(module, seed=0):
    """Move every parameter by about half: values that nobody chose."""
    rng = np.random.default_rng(seed)
    state = nnx.state(module, nnx.Param)
    moved = jax.tree.map(
        lambda leaf: leaf + jnp.asarray(0.5 * rng.standard_normal(leaf.shape), leaf.dtype), state
    )
    nnx.update(module, moved)
    return module


def values64(array):
    return np.asarray(array, np.float64)


@pytest.fixture(scope="module")
def clip():
    return jnp.asarray(music(2 * SR))


def pcen_of(layer, energies, eps):
    found = {name: values64(value) for name, value in layer.values().items()}
    return pcen(energies, **found, eps=eps)


def test_pcen_layer(clip):
    energies = values64(frontends.MelSpectrogram(sr=SR, n_fft=512, n_mels=20)(clip[None]))[0].T
    layer = scatter(PCENLayer(20))
    expected = pcen_of(layer, energies, 1e-6)
    # float32 against float64; the difference of two powers loses a digit where the energy is small.
    assert relative_error(layer(jnp.asarray(energies[None], jnp.float32))[0], expected) < 1e-5


def test_pcen_frontend_is_the_layer_on_mel(clip):
    frontend = scatter(frontends.PCEN(sr=SR, n_fft=512, n_mels=20))
    energies = values64(frontends.MelSpectrogram(sr=SR, n_fft=512, n_mels=20)(clip[None]))[0].T
    expected = pcen_of(frontend.pcen, energies, 1e-6)
    assert relative_error(frontend(clip[None])[0].T, expected) < 1e-5


def test_pcen_on_any_frontend(clip):
    cqt = frontends.CQT(sr=SR, n_bins=24)
    frontend = WithPCEN(cqt, trainable=("alpha", "delta"), alpha=0.8)
    assert frontend.feature_names == cqt.feature_names
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(frontend, nnx.Param))) == 2 * 24
    expected = pcen_of(frontend.pcen, values64(cqt(clip[None]))[0].T, 1e-6)
    assert relative_error(frontend(clip[None])[0].T, expected) < 1e-5


def test_leaf(clip):
    hop = 256
    frontend = scatter(frontends.LEAF(sr=SR, n_filters=8, hop_length=hop))
    deviations = values64(frontend.deviations)
    smoothing = hop * (0.3 + 0.3 / (1 + np.exp(-values64(frontend.pooling[...]))))
    kernels = [
        gabor(f, s, frontend.taps, SR) for f, s in zip(values64(frontend.centres_hz), deviations, strict=True)
    ]
    smoothers = [gaussian(s, 5 * hop) for s in smoothing]
    expected = sample_energies(values64(clip), kernels, smoothers, hop)
    # The low-pass filters' spectra are cut where they have fallen to 2e-3 at the least legal width; these are wider.
    assert relative_error(frontend.energies(clip[None])[0], expected) < 2e-4
    compressed = pcen_of(frontend.compress, np.maximum(expected, ENERGY_FLOOR), 1e-12)
    assert relative_error(frontend(clip[None])[0].T, compressed) < 2e-4


@pytest.mark.parametrize(("share", "bound"), [(0.3, 5e-3), (0.5, 2e-6), (0.6, 2e-4)])
def test_leaf_at_the_limits_of_its_low_pass_filters(clip, share, bound):
    """Where the spectrum (narrow) or the window (wide) of a Gaussian is cut, the error is that of what is cut off."""
    hop = 256
    frontend = frontends.LEAF(sr=SR, n_filters=4, hop_length=hop)
    limit = np.clip((share - 0.3) / 0.3, 1e-6, 1 - 1e-6)
    frontend.pooling[...] = jnp.full(4, np.log(limit / (1 - limit)), jnp.float32)
    kernels = [
        gabor(f, s, frontend.taps, SR)
        for f, s in zip(values64(frontend.centres_hz), values64(frontend.deviations), strict=True)
    ]
    expected = sample_energies(values64(clip), kernels, [gaussian(share * hop, 6 * hop)] * 4, hop)
    assert relative_error(frontend.energies(clip[None])[0], expected) < bound


def test_sincnet(clip):
    hop = 256
    frontend = scatter(frontends.SincNet(sr=SR, n_filters=8, hop_length=hop))
    low, high = (values64(edge) for edge in frontend.edges_hz)
    assert (low > 0).all()
    assert (high > low).all()
    assert (high < SR / 2).all()
    kernels = [band_pass(f1, f2, frontend.taps, SR) for f1, f2 in zip(low, high, strict=True)]
    # float32 filters: differences of two sinc functions.
    np.testing.assert_allclose(frontend.filters(), kernels, atol=2e-6)
    expected = sample_energies(values64(clip), kernels, values64(frontend.smoothers()), hop)
    # Beyond the last lag a squared Hann window holds 1e-4 of its sum.
    assert relative_error(frontend.energies(clip[None])[0], expected) < 1e-4
    offset = ENERGY_FLOOR * 1e3 ** np.tanh(values64(frontend.compress.offset[...]))[:, None]
    assert relative_error(frontend(clip[None])[0].T, np.log(expected + offset)) < 1e-4


def test_time_domain_filterbank(clip):
    """Free filters: complex responses, so that both halves of every product count."""
    hop = 256
    frontend = scatter(frontends.TDFilterbank(sr=SR, n_filters=6, hop_length=hop))
    kernels = np.asarray(frontend.filters(), np.complex128)
    expected = sample_energies(values64(clip), kernels, values64(frontend.smoothers()), hop)
    assert relative_error(frontend.energies(clip[None])[0], expected) < 1e-4


def test_efficient_leaf(clip):
    hop = 256
    frontend = scatter(frontends.EfficientLEAF(sr=SR, n_filters=8, hop_length=hop, groups=3))
    centres, deviations = values64(frontend.centres_hz), values64(frontend.deviations)
    smoothing = values64(frontend.smoother_deviations)
    expected = np.zeros((8, 1 + len(clip) // hop))
    strides = []
    for some, taps, stride in frontend.layout():
        kernels = [gabor(f, s, taps, SR) for f, s in zip(centres[some], deviations[some], strict=True)]
        smoothers = [gaussian(s / stride, int(1.25 * hop / stride)) for s in smoothing[some]]
        expected[some] = sample_energies(values64(clip), kernels, smoothers, hop, stride)
        strides.append(stride)
        assert hop % stride == 0
    assert strides == sorted(strides, reverse=True)
    assert relative_error(frontend.energies(clip[None])[0], expected) < 1e-5
    exponent = 30 * np.tanh(values64(frontend.compress.exponent[...]) / 30)[:, None]
    assert relative_error(frontend(clip[None])[0].T, np.log1p(10**exponent * expected)) < 1e-5


def test_filtered_energy_with_all_lags_is_exact(clip, rng):
    """Any filters, any low-pass filters that are smooth: with every lag but the last nothing is left out."""
    y = clip[:1500]
    filters = rng.standard_normal((3, 31)) + 1j * rng.standard_normal((3, 31))
    smoothers = np.array([gaussian(deviation, 20) for deviation in (3, 4, 5)])
    found = filtered_energy(
        jnp.asarray(y),
        jnp.asarray(filters, jnp.complex64),
        jnp.asarray(smoothers, jnp.float32),
        hop_length=50,
        lags=segment_length(31, 41),
    )
    expected = sample_energies(values64(y), filters, smoothers, 50)
    assert found.shape == expected.shape
    assert relative_error(found, expected) < 1e-5


def test_filtered_energy_has_the_gradient_of_differences(rng):
    with jax.enable_x64(True):
        y = jnp.asarray(rng.standard_normal(400))
        smoothers = jnp.asarray(np.ones((2, 21)))
        start = jnp.asarray(rng.standard_normal((2, 2, 15)))
        direction = jnp.asarray(rng.standard_normal(start.shape))

        def total(parts):
            return jnp.sum(
                jnp.log(filtered_energy(y, parts[0] + 1j * parts[1], smoothers, hop_length=50, lags=8) + 3)
            )

        slope = jnp.sum(jax.grad(total)(start) * direction)
        step = 1e-6
        difference = (total(start + step * direction) - total(start - step * direction)) / (2 * step)
        np.testing.assert_allclose(slope, difference, rtol=1e-6)


def correlation_with_log_mel(name, y, sr):
    """Pearson correlation over all bands, frames and clips."""
    bank = {"n_filters": 40, "fmin_hz": 60.0, "compression": "log"}
    log_mel = frontends.LogMel(sr=sr, n_mels=40, fmin_hz=60.0)(y)
    found = nnx.jit(lambda frontend, y: frontend(y))(
        frontends.build(name, sr=sr, options=bank, rngs=nnx.Rngs(0)), y
    )
    return np.corrcoef(np.ravel(found), np.ravel(log_mel))[0, 1]


@pytest.mark.parametrize("name", ["leaf", "efficient_leaf", "sincnet", "td_filterbank"])
def test_log_output_correlates_with_log_mel_on_music(name):
    y = np.stack([synthetic.render(index, duration_s=1.0, sr=22050)[0] for index in (0, 4, 8)])
    assert correlation_with_log_mel(name, y.astype(np.float32), 22050) > 0.9


def test_leaf_correlates_with_log_mel_on_recordings(emopia_dir):
    files = sorted((emopia_dir / "audio").glob("*.ogg"))[::220]
    y = np.stack([audio.load(path, sr=22050)[0][: 5 * 22050] for path in files])
    assert correlation_with_log_mel("leaf", y, 22050) > 0.9


def moved_dstft(length_factor, hop_factor):
    """A DSTFT of 256 samples whose window and hop have moved by these factors."""
    frontend = frontends.DSTFT(sr=SR, n_fft=256, hop_length=64)
    frontend.length[...] = jnp.asarray(np.arctanh(np.log(length_factor) / np.log(4.0)), jnp.float32)
    frontend.hop[...] = jnp.asarray(np.arctanh(np.log(hop_factor) / np.log(1.5)), jnp.float32)
    return frontend


@pytest.mark.parametrize(("length_factor", "hop_factor"), [(0.5, 1.0), (1.0, 0.75), (0.5, 1.25), (0.75, 0.9)])
def test_dstft_moved_is_the_transform_with_that_window_and_hop(clip, length_factor, hop_factor):
    """Leiber et al.: frames at t h, h real, in float64 by the definition."""
    y = values64(clip)[:2000]
    frontend = moved_dstft(length_factor, hop_factor)
    found = frontend(clip[None, :2000])[0]
    length, hop = 256 * length_factor, 64 * hop_factor
    padded, expected = np.pad(y, 2000), []
    for t in range(found.shape[0]):
        centre = t * hop
        n = int(np.floor(centre)) + np.arange(-128, 128)
        x = n - centre
        window = np.where(np.abs(x) <= length / 2, 0.5 + 0.5 * np.cos(2 * np.pi * x / length), 0)
        expected.append(np.abs(np.fft.rfft(padded[2000 + n] * window)))
    # The positions of frames, up to 2000 samples, are float32 numbers: good to 1e-4 of a sample.
    assert relative_error(found, np.array(expected)) < 1e-5


@pytest.mark.parametrize("part", ["length", "hop"])
def test_dstft_has_the_gradient_of_differences(clip, part):
    with jax.enable_x64(True):
        y = jnp.asarray(values64(clip)[None, :1500])
        graph, state = nnx.split(moved_dstft(0.8, 0.9))
        start = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), nnx.to_pure_dict(state))

        def total(move):
            return jnp.log1p(nnx.merge(graph, start | {part: start[part] + move})(y)).sum()

        slope = jax.grad(total)(jnp.zeros(()))
        difference = (total(1e-6) - total(-1e-6)) / 2e-6
        np.testing.assert_allclose(slope, difference, rtol=1e-4)

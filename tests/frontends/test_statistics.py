"""The spectral statistics as a front-end: values, units, limits (what all front-ends share is in test_contract.py)."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, frontends

SR = 22050


@pytest.fixture(scope="module")
def clip():
    rng = np.random.default_rng(0)
    t = np.arange(SR) / SR
    y = np.sin(2 * np.pi * 440 * t) * np.exp(-3 * t) + 0.02 * rng.standard_normal(SR)
    return (y / np.abs(y).max()).astype(np.float32)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(2048, 512), (1024, 300)])
def test_columns_agree_with_librosa(clip, n_fft, hop_length):
    frontend = frontends.SpectralStatistics(sr=SR, n_fft=n_fft, hop_length=hop_length, rngs=nnx.Rngs(0))
    found = np.asarray(frontend(clip[None])[0]).T
    S = np.abs(librosa.stft(clip.astype(np.float64), n_fft=n_fft, hop_length=hop_length))
    feature = librosa.feature
    expected = [
        (np.maximum(np.diff(S, axis=1, prepend=S[:, :1]), 0).sum(axis=0)[None], 1e-5),
        (feature.spectral_rolloff(S=S, sr=SR), 1e-3),
        (feature.spectral_centroid(S=S, sr=SR), 1e-4),
        (feature.spectral_bandwidth(S=S, sr=SR), 1e-4),
        (feature.spectral_contrast(S=S, sr=SR), 1e-3),
        (feature.spectral_flatness(S=S), 1e-4),
    ]
    assert frontend.num_features == sum(len(rows) for rows, _ in expected) == 12
    first = 0
    for rows, bound in expected:
        part = found[first : first + len(rows)]
        assert np.linalg.norm(part - rows) <= bound * np.linalg.norm(rows), frontend.feature_names[first]
        first += len(rows)


def test_levels_do_not_move_frequencies(clip):
    frontend = frontends.SpectralStatistics(sr=SR)
    names = list(frontend.feature_names)
    loud, quiet = frontend(np.stack([clip, 0.01 * clip]))
    hertz = np.array([names.index(f"spectral_{name}") for name in ("rolloff", "centroid", "bandwidth")])
    np.testing.assert_allclose(quiet[:, hertz], loud[:, hertz], rtol=1e-4)
    flux = names.index("spectral_flux")
    np.testing.assert_allclose(quiet[:, flux], 0.01 * loud[:, flux], rtol=1e-4)


def test_silence_is_zero_hertz_and_white(clip):
    frontend = frontends.SpectralStatistics(sr=SR)
    found = dict(zip(frontend.feature_names, frontend(np.zeros((1, 4096), np.float32))[0].T, strict=True))
    # The exponential of a mean of logarithms, in float32.
    np.testing.assert_allclose(found.pop("spectral_flatness"), 1, rtol=2e-5)
    assert not any(values.any() for values in found.values())


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_gradient_of_zero_padded_music_is_finite(clip, dtype):
    frontend = frontends.SpectralStatistics(sr=SR)
    y = jnp.asarray(clip[None, :8192]).at[:, 3000:].set(0).astype(dtype)
    slope = jax.jit(jax.grad(lambda x: (frontend(x).astype(jnp.float32) ** 2).sum()))(y)
    assert slope.dtype == dtype
    assert jnp.isfinite(slope.astype(jnp.float32)).all()
    assert jnp.any(slope != 0)


def test_what_cannot_be_used_is_named():
    with pytest.raises(checks.ArgumentError, match="bands of the contrast"):
        frontends.SpectralStatistics(sr=12800)
    with pytest.raises(checks.ArgumentError, match="n_fft"):
        frontends.SpectralStatistics(n_fft=0)

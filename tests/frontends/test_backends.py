"""The same feature by JAX, nnAudio and librosa: equal where the conventions are; a backend that lacks it says so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, frontends
from mer_jax.frontends import backends

SR = 22050


@pytest.fixture(scope="module")
def waveforms():
    """Two seconds of decaying harmonic tones over faint noise: partials in every octave, no digital silence."""
    rng = np.random.default_rng(3)
    t = np.arange(2 * SR) / SR
    clips = []
    for f0 in (110.0, 196.0):
        notes = sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 12)) * np.exp(-2 * (t % 0.5))
        clips.append(0.2 * notes + 0.01 * rng.standard_normal(len(t)))
    return np.stack(clips).astype(np.float32)


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", [name for name in frontends.NAMES if name not in frontends.LEARNT_NAMES])
# librosa warns of its own octave recursion: the lowest octaves of a short clip are shorter than its FFT.
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal:UserWarning")
def test_jax_agrees_with_librosa(name, waveforms):
    frontend = frontends.build(name, sr=SR, rngs=nnx.Rngs(0))
    found = backends.compile_backend("jax", frontend)(waveforms)
    expected = backends.compile_backend("librosa", frontend)(waveforms)
    # librosa works in float32 here; the bounds against float64 are in tests/signal.
    bound = {"chroma": 5e-3, "cqt": 1e-3, "log_cqt": 1e-3, "tempogram": 1e-3, "spectral_statistics": 1e-3}
    assert relative_error(found, expected) < bound.get(name, 1e-4)


@pytest.mark.parametrize("name", ["spectrogram", "mel", "log_mel", "mfcc", "cqt", "log_cqt"])
def test_jax_agrees_with_nnaudio(name, waveforms):
    pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    options = {"method": "exact"} if "cqt" in name else {}
    frontend = frontends.build(name, sr=SR, options=options, rngs=nnx.Rngs(0))
    found = np.asarray(backends.compile_backend("jax", frontend)(waveforms))
    expected = np.asarray(backends.compile_backend("nnaudio", frontend)(waveforms))
    assert found.shape == expected.shape
    # nnAudio rounds the length of a constant-Q kernel up to whole samples; the docstring of the backend says so.
    assert relative_error(found, expected) < {"cqt": 1e-3, "log_cqt": 5e-3}.get(name, 1e-4)


def test_nnaudio_takes_a_jax_array_and_hands_one_back(waveforms):
    pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    frontend = frontends.build("log_mel", sr=SR, rngs=nnx.Rngs(0))
    compute = backends.compile_backend("nnaudio", frontend)
    from_jax = compute(jnp.asarray(waveforms))
    assert isinstance(from_jax, jax.Array)
    np.testing.assert_array_equal(from_jax, compute(waveforms))


def test_a_feature_that_a_backend_lacks_is_refused_by_name():
    pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    frontend = frontends.build("time_domain", sr=SR, rngs=nnx.Rngs(0))
    with pytest.raises(checks.ConfigError, match=r"nnaudio has no TimeDomain.*use --backend jax"):
        backends.compile_backend("nnaudio", frontend)
    with pytest.raises(checks.ConfigError, match="did you mean 'librosa'"):
        backends.compile_backend("librossa", frontend)


@pytest.mark.parametrize("backend", ["nnaudio", "librosa"])
def test_no_other_backend_learns(backend):
    frontend = frontends.build("log_mel", sr=SR, options={"trainable": True}, rngs=nnx.Rngs(0))
    with pytest.raises(checks.ConfigError, match=r"cannot learn \(window, mel, compression of LogMel"):
        backends.compile_backend(backend, frontend)

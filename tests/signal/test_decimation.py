import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.signal.decimation import MAX_FACTOR, decimated_length, decimation_filters, decimator

soxr = pytest.importorskip("soxr")


def run(x, factor):
    return jax.jit(lambda x: decimator(factor, x.dtype)(x))(jnp.asarray(x, jnp.float32))


def as_librosa(x, factor):
    """``librosa.resample(x, orig_sr=factor, target_sr=1)``: soxr, then filled to the length rounded up."""
    y = soxr.resample(x, factor, 1, quality="soxr_hq")
    return np.pad(y, (0, -(-len(x) // factor) - len(y)))


@pytest.mark.parametrize("factor", [2, 4, 16])
@pytest.mark.parametrize("samples", [1, 3001, 3002, 3004])
def test_equals_soxr_from_the_first_sample_to_the_last(rng, factor, samples):
    x = rng.standard_normal(samples)
    found = run(x, factor)
    expected = as_librosa(x, factor)
    assert found.shape == expected.shape == (decimated_length(samples, factor),)
    np.testing.assert_allclose(found, expected, atol=3e-6)
    assert np.linalg.norm(found - expected) <= 1e-6 * max(np.linalg.norm(expected), 1e-2)


@pytest.mark.parametrize("factor", [8, 64, MAX_FACTOR])
def test_large_factors_equal_soxr(rng, factor):
    x = rng.standard_normal(20 * factor + 3)
    found = run(x, factor)
    expected = as_librosa(x, factor)
    assert np.linalg.norm(found - expected) < 1.5e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_filters_are_symmetric_and_keep_a_constant(factor):
    filters = decimation_filters(factor)
    assert len(filters) == np.log2(factor)
    for taps in filters:
        np.testing.assert_array_equal(taps, taps[::-1])
        assert np.sum(taps) == pytest.approx(1, abs=1e-6)

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.signal import correlation
from mer_jax.signal.correlation import correlator


def by_definition(x, kernel, stride, offset, num):
    """The sum of the module's text, term by term; x is zero outside."""
    taps = len(kernel)
    x = np.concatenate([np.zeros(offset), x, np.zeros(taps + num * stride)])
    return np.stack([x[m * stride : m * stride + taps] @ kernel for m in range(num)])


@pytest.mark.parametrize("splits", [0, 1, 2])
@pytest.mark.parametrize(
    ("taps", "channels", "stride", "samples"),
    [
        (381, 1, 2, 1500),  # decimation
        (256, 6, 8, 700),  # low octaves
        (256, 12, 8, 700),  # more outputs than samples a row
        (64, 4, 100, 1000),  # kernel shorter than the stride
        (700, 3, 37, 2000),  # stride that is no power of two
        (50, 2, 1, 90),  # every sample
        (300, 2, 64, 40),  # signal shorter than the kernel
    ],
)
def test_equals_the_sum(rng, taps, channels, stride, samples, splits):
    x, kernel = rng.standard_normal(samples), rng.standard_normal((taps, channels))
    num, offset = 1 + samples // stride, taps // 2

    @jax.jit
    def correlate(x, kernel):
        return correlator(kernel, stride=stride, splits=splits)(x, offset, num)

    found = correlate(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    expected = by_definition(x, kernel, stride, offset, num)
    assert np.linalg.norm(found - expected) < 1e-6 * np.linalg.norm(expected)


def test_fewer_outputs_than_the_signal_has(rng):
    x, kernel = rng.standard_normal(500), rng.standard_normal((20, 2))
    correlate = jax.jit(lambda x, k: correlator(k, stride=3)(x, 5, 7))
    found = correlate(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(found, by_definition(x, kernel, 3, 5, 7), atol=1e-5)


@pytest.mark.parametrize("channels", [2, 20])  # fewer and more outputs than samples a row
def test_many_pieces_are_added_a_group_at_a_time(rng, monkeypatch, channels):
    x, kernel = jnp.asarray(rng.standard_normal(900), jnp.float32), rng.standard_normal((700, channels))
    kernel = jnp.asarray(kernel, jnp.float32)

    def run(x):
        return correlator(kernel, stride=16)(x, 350, 57)

    whole = jax.jit(run)(x)
    monkeypatch.setattr(correlation, "_MAX_PRODUCT_SIZE", 600)
    jax.clear_caches()
    assert "scan" in str(jax.make_jaxpr(run)(x))
    np.testing.assert_allclose(jax.jit(run)(x), whole, atol=1e-4)

"""Winograd's convolution against XLA's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from mer_jax.models import winograd


def convolve(x, kernel):
    return winograd.convolve(x, winograd.transform(kernel))


def direct(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )


@pytest.mark.parametrize(
    "shape", [(2, 8, 8, 16, 24), (1, 7, 5, 3, 4), (3, 2, 2, 8, 8), (1, 65, 63, 8, 4)], ids=str
)
def test_same_as_a_direct_convolution(shape, rng):
    batch, height, width, before, after = shape
    x = rng.normal(size=(batch, height, width, before))
    kernel = rng.normal(size=(3, 3, before, after))
    wide = np.asarray(x, np.float32), np.asarray(kernel, np.float32)
    found, expected = convolve(*map(jnp.asarray, wide)), direct(*wide)
    assert found.shape == expected.shape
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    # Six-fold sums of weights up to 5 lose a digit against the direct sum; Lavin and Gray report the same.
    assert error < 5e-6
    with jax.enable_x64(True):
        found, expected = convolve(jnp.asarray(x), jnp.asarray(kernel)), direct(x, kernel)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_gradients_are_those_of_a_direct_convolution(rng):
    with jax.enable_x64(True):
        x, kernel = rng.normal(size=(1, 6, 7, 4)), rng.normal(size=(3, 3, 4, 5))
        weights = rng.normal(size=(1, 6, 7, 5))

        def loss(convolve):
            return lambda x, kernel: (convolve(x, kernel) * weights).sum()

        found = jax.jit(jax.grad(loss(convolve), (0, 1)))(jnp.asarray(x), jnp.asarray(kernel))
        expected = jax.grad(loss(direct), (0, 1))(jnp.asarray(x), jnp.asarray(kernel))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("side", [8, 64])
def test_a_batch_of_any_size_is_counted_as_one_picture(side, rng):
    """As in an exported program: with few tiles a picture one product with 36 batches, with many 36 products."""
    x = rng.normal(size=(3, side, side, 2)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
    shape = (*export.symbolic_shape("b"), side, side, 2)
    assert winograd.count_tiles(shape) == winograd.count_tiles((1, side, side, 2)) == (side // 4) ** 2
    exported = export.export(jax.jit(convolve))(jax.ShapeDtypeStruct(shape, jnp.float32), kernel)
    np.testing.assert_allclose(exported.call(x, kernel), direct(x, kernel), atol=1e-4)

"""With the same weights the networks of the Keras baseline give the same outputs: what is timed against each other is alike."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax.models import CNNBiLSTM, DenseNet
from mer_jax.models.vgg19 import VGG19Head

BASELINE = Path(__file__).resolve().parents[2] / "experiments" / "benchmark" / "keras_baseline"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Name of a network -> its input, its output and its weights in Keras's order."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    out = tmp_path_factory.mktemp("keras") / "networks.npz"
    script = Path(__file__).with_name("keras_networks.py")
    subprocess.run([sys.executable, str(script), str(BASELINE), str(out)], check=True, capture_output=True)
    with np.load(out) as found:
        names = {key.split("/")[0] for key in found}
        return {
            name: (
                found[f"{name}/x"],
                found[f"{name}/y"],
                iter([found[key] for key in sorted(found) if key.startswith(name) and key[-2:].isdigit()]),
            )
            for name in names
        }


def put(variable, value):
    assert variable[...].shape == value.shape
    variable[...] = jnp.asarray(value)


def put_linear(layer, weights):
    put(layer.kernel, next(weights))
    put(layer.bias, next(weights))


def put_stack(stack, weights):
    for layer, norm in zip(stack.layers, stack.norms, strict=True):
        put_linear(layer, weights)
        for variable in (norm.scale, norm.bias, norm.mean, norm.var):
            put(variable, next(weights))
    put_linear(stack.logits, weights)


@pytest.mark.parametrize(("pool", "units"), [("flatten", 64), ("last", 24)])
def test_cnn_bilstm(theirs, pool, units):
    x, expected, weights = theirs[pool]
    ours = CNNBiLSTM(
        num_features=3, num_classes=5, num_frames=31, lstm_units=units, pool=pool, rngs=nnx.Rngs(0)
    )
    put_linear(ours.conv, weights)
    for direction in (ours.recurrent.forward, ours.recurrent.backward):
        for variable in (direction.kernel, direction.recurrent_kernel, direction.bias):
            put(variable, next(weights))
    put_linear(ours.dense, weights)
    put_linear(ours.logits, weights)
    assert next(weights, None) is None, "Keras has more weights"
    np.testing.assert_allclose(ours(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)


def test_dense(theirs):
    x, expected, weights = theirs["dense"]
    ours = DenseNet(num_features=40, num_classes=5, rngs=nnx.Rngs(0))
    put_stack(ours, weights)
    assert next(weights, None) is None, "Keras has more weights"
    np.testing.assert_allclose(ours(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)


def test_seven_dense_layers_on_what_vgg19_makes_of_a_picture(theirs):
    """Keras's first normalisation holds the channels' mean and variance, as our standardisation does."""
    x, expected, weights = theirs["head"]
    ours = VGG19Head(8192, (1024, 512, 256, 128, 64, 32), 5, norm="batch", rngs=nnx.Rngs(0))
    put(ours.normalizer.mean, next(weights))
    put(ours.normalizer.std, np.sqrt(next(weights) + 1e-3))
    put_stack(ours, weights)
    assert next(weights, None) is None, "Keras has more weights"
    np.testing.assert_allclose(ours(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)

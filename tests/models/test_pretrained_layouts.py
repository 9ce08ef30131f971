"""block5_pool from each layout against the library that the layout comes from, on the same random weights."""

import hashlib
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from weight_files import torch_names, write_legacy, write_notop

from mer_jax.models import pretrained
from mer_jax.models.vgg19 import BLOCKS, LAYER_NAMES

# The same float32 sums in another order; DESIGN's bound for XLA's convolutions.
RELATIVE = 1e-5


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Folder of what Keras wrote, see keras_reference.py."""
    folder = tmp_path_factory.mktemp("keras")
    script = Path(__file__).with_name("keras_reference.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def weights(keras):
    return dict(np.load(keras / "weights.npz"))


def relative_error(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def write_full(path, weights):
    """A whole model as Keras 2 saved it, dense layers and optimiser included."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.9.0"
        write_legacy(file.create_group("model_weights"), weights, names="{layer}/{long}:0", top=True)
        moments = file.create_group("optimizer_weights/Adam/m")
        write_legacy(moments, names="{layer}/{long}:0")
    return path


def legacy_full(path, weights):
    """Weights alone with the dense layers, as save_weights wrote them."""
    with h5py.File(path, "w") as file:
        write_legacy(file, weights, top=True)
    return path


KERAS_FILES = {
    "official notop": lambda folder, weights: write_notop(folder / "notop.h5", weights),
    "full weights": lambda folder, weights: legacy_full(folder / "full.h5", weights),
    "whole model, Keras 2": lambda folder, weights: write_full(folder / "whole2.h5", weights),
    "whole model, Keras 3": lambda folder, weights: folder / "whole.h5",
    "base inside a model": lambda folder, weights: folder / "around.h5",
    "weights.h5": lambda folder, weights: folder / "keras3.weights.h5",
    "weights.h5 of a model around": lambda folder, weights: folder / "around.weights.h5",
    "npz by names": lambda folder, weights: folder / "weights.npz",
    "npz by order": lambda folder, weights: folder / "get_weights.npz",
}


@pytest.mark.parametrize("layout", KERAS_FILES, ids=str)
def test_keras_layouts(layout, keras, weights):
    base = pretrained.load_vgg19(KERAS_FILES[layout](keras, weights))
    assert base.preprocessing == "keras"
    expected = np.load(keras / "expected.npz")
    assert relative_error(base.features(expected["images"]), expected["features"]) < RELATIVE


def torch_network(torch, weights):
    """torchvision's VGG19 features; torchvision itself is not needed."""
    layers, channels = [], 3
    for block in BLOCKS:
        for width in block:
            layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU(inplace=True)]
            channels = width
        layers.append(torch.nn.MaxPool2d(2, 2))
    network = torch.nn.Module()
    network.features = torch.nn.Sequential(*layers)
    state = {}
    for layer, name in zip(LAYER_NAMES, torch_names(), strict=True):
        kernel = weights[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        state[f"{name}.weight"] = torch.tensor(np.ascontiguousarray(kernel))
        state[f"{name}.bias"] = torch.tensor(weights[f"{layer}/bias"])
    network.load_state_dict(state, strict=True)
    return network


@pytest.fixture(scope="module")
def torch_reference(weights, keras):
    """Network, images and its features, the images standardised as torchvision's weights want them."""
    torch = pytest.importorskip("torch")
    network = torch_network(torch, weights)
    images = np.load(keras / "expected.npz")["images"]
    x = torch.tensor(images.transpose(0, 3, 1, 2)) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        features = network.features((x - mean[:, None, None]) / std[:, None, None])
    return network, images, features.numpy().transpose(0, 2, 3, 1)


def save_pth(torch, state, path):
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, path)


def save_wrapped(torch, state, path):
    """As a training script saves a model on several devices."""
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)


def save_safetensors(torch, state, path):
    pytest.importorskip("safetensors.numpy").save_file({k: v.numpy() for k, v in state.items()}, path)


def save_npz(torch, state, path):
    np.savez(path, **{k: v.numpy() for k, v in state.items()})


@pytest.mark.parametrize(
    ("suffix", "save"),
    [(".pth", save_pth), (".pt", save_wrapped), (".safetensors", save_safetensors), (".npz", save_npz)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_torchvision_layouts(suffix, save, torch_reference, tmp_path):
    torch = pytest.importorskip("torch")
    network, images, expected = torch_reference
    path = tmp_path / f"vgg19{suffix}"
    save(torch, network.state_dict(), path)
    base = pretrained.load_vgg19(path)
    assert base.preprocessing == "torchvision"
    assert relative_error(base.features(images), expected) < RELATIVE


def test_half_precision_weights(weights, tmp_path):
    """bfloat16, which NumPy does not know, is read by its value."""
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    state = {k: v.bfloat16() for k, v in torch_network(torch, weights).state_dict().items()}
    safetensors.save_file(state, tmp_path / "half.safetensors")
    base = pretrained.load_vgg19(tmp_path / "half.safetensors")
    assert base.convs[0].kernel.dtype == np.float32
    np.testing.assert_array_equal(base.convs[0].bias[...], state["features.0.bias"].float().numpy())


def test_the_record_says_where_weights_come_from(keras):
    path = keras / "keras3.weights.h5"
    record = pretrained.load_vgg19(path).record
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (record.file, record.preprocessing, record.url) == ("keras3.weights.h5", "keras", "")
    assert record.origin == "Keras 3, by layer numbers"

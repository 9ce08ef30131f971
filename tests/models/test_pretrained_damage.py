"""Every file that cannot be used is refused with one line: the file, what is wrong, what was expected, what to do."""

import pickle
import sys
import zipfile

import h5py
import numpy as np
import pytest
from weight_files import SHAPES, torch_names, write_legacy, write_notop

from mer_jax import checks
from mer_jax.models import pretrained
from mer_jax.models.pretrained.hdf5 import open_hdf5
from mer_jax.models.pretrained.layouts import find_layout


def refusal(path):
    with pytest.raises(checks.CheckpointError) as caught:
        pretrained.load_vgg19(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "mer-jax weights" in message or "pip install" in message or "model.weights.h5" in message
    return message


KERNEL = "block3_conv2/block3_conv2_W_1:0"


def replace(file, name, **settings):
    del file[name]
    return file.create_dataset(name, **settings)


def delete_layer(file):
    del file["block5_conv4"]


def delete_bias(file):
    del file["block3_conv2/block3_conv2_b_1:0"]


def other_shape(file):
    replace(file, KERNEL, shape=(3, 3, 256, 128), dtype="f4")


def channels_first(file):
    """Keras's file for Theano's kernels has the same names."""
    replace(file, "block1_conv1/block1_conv1_W_1:0", shape=(64, 3, 3, 3), dtype="f4")


def integers(file):
    replace(file, KERNEL, shape=(3, 3, 256, 256), dtype="i4")


def text(file):
    replace(file, KERNEL, shape=(3, 3, 256, 256), dtype=h5py.string_dtype())


def compound(file):
    replace(file, KERNEL, shape=(3, 3, 256, 256), dtype=np.dtype([("a", "f4")]))


def no_space(file):
    replace(file, KERNEL, data=h5py.Empty("f4"))


def group_instead(file):
    del file[KERNEL]
    file.create_group(KERNEL)


def nan(file):
    file[KERNEL][1, 1, 5, 5] = np.nan


def infinite_in_float32(file):
    replace(file, KERNEL, shape=(3, 3, 256, 256), dtype="f8", fillvalue=1e300)


def twice(file):
    file.create_dataset("copy/block3_conv2/kernel:0", (3, 3, 256, 256), "f4")


def soft_link(file):
    replace_by_link(file, h5py.SoftLink("/block3_conv3/block3_conv3_W_1:0"))


def external_link(file):
    replace_by_link(file, h5py.ExternalLink("other.h5", "/weights"))


def link_elsewhere(file):
    """Not where weights are looked for: the file is refused all the same."""
    file.create_group("extra/deep")["link"] = h5py.ExternalLink("other.h5", "/weights")


def replace_by_link(file, link):
    del file[KERNEL]
    file[KERNEL] = link


def external_storage(file):
    replace(file, KERNEL, shape=(3, 3, 256, 256), dtype="f4", external=[("host", 0, h5py.h5f.UNLIMITED)])


def virtual(file):
    layout = h5py.VirtualLayout((3, 3, 256, 256), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "weights", (3, 3, 256, 256))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def absurd_size(file):
    file.create_dataset("extra", (2**40,), "f4")


def absurd_chunks(file):
    replace(
        file, KERNEL, shape=(3, 3, 256, 256), dtype="f4", chunks=(3, 3, 2**12, 2**12), maxshape=(None,) * 4
    )


HDF5_CASES = {
    delete_layer: "holds no kernel of block5_conv4",
    delete_bias: "holds no bias of block3_conv2",
    other_shape: f"{KERNEL} has shape (3, 3, 256, 128); expected (3, 3, 256, 256)",
    channels_first: "block1_conv1_W_1:0 has shape (64, 3, 3, 3); expected (3, 3, 3, 64)",
    integers: f"{KERNEL} has the type int32; expected floating-point",
    text: f"{KERNEL} has the type object; expected floating-point",
    compound: f"{KERNEL} has the type",
    no_space: f"{KERNEL} has shape ()",
    group_instead: "holds no kernel of block3_conv2",
    nan: f"{KERNEL} holds values that are not finite",
    infinite_in_float32: f"{KERNEL} holds values that are not finite",
    twice: "holds both",
    soft_link: f"{KERNEL} is a link (SoftLink)",
    external_link: f"{KERNEL} is a link (ExternalLink)",
    link_elsewhere: "extra/deep/link is a link (ExternalLink)",
    external_storage: f"{KERNEL} keeps its values in other files",
    virtual: f"{KERNEL} keeps its values in other files",
    absurd_size: "extra claims 4,398,046,511,104 bytes but stores 0",
    absurd_chunks: f"{KERNEL} is stored in chunks of 603,979,776 bytes",
}


@pytest.mark.parametrize("spoil", HDF5_CASES, ids=lambda f: f.__name__)
def test_an_hdf5_file_that_is_spoilt(spoil, tmp_path):
    path = write_notop(tmp_path / "weights.h5")
    # What a link leads to is there, and would be read.
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["weights"] = np.zeros((3, 3, 256, 256), np.float32)
    (tmp_path / "host").write_bytes(bytes(4 * 9 * 256 * 256))
    with h5py.File(path, "a") as file:
        spoil(file)
    assert HDF5_CASES[spoil] in refusal(path)


def test_the_fixture_itself_is_read(tmp_path):
    path = write_notop(tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        file["block1_conv1/loop"] = file["/"]  # a hard link upwards does no harm
    assert path.stat().st_size < 2**20
    base = pretrained.load_vgg19(path)
    assert (
        float(base.convs[15].kernel[...].min()) == float(base.convs[15].bias[...].max()) == np.float32(0.01)
    )


def test_keras_3_layers_are_counted_not_sorted(tmp_path):
    path = tmp_path / "keras3.weights.h5"
    with h5py.File(path, "w") as file:
        for number, shapes in enumerate(SHAPES.values()):
            layer = f"layers/conv2d_{number}" if number else "layers/conv2d"
            for part, shape in enumerate(shapes):
                file.create_dataset(f"{layer}/vars/{part}", shape, "f4", fillvalue=number)
    base = pretrained.load_vgg19(path)
    assert [float(conv.bias[0]) for conv in base.convs] == list(range(16))
    with h5py.File(path, "a") as file:
        del file["layers/conv2d_9"]
    assert "holds no layers/conv2d_9/vars/0; expected the 16 convolutions" in refusal(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file of zeros whose values are stored."""
    path = tmp_path_factory.mktemp("whole") / "whole.h5"
    with h5py.File(path, "w") as file:
        write_legacy(
            file,
            {
                f"{k}/{p}": np.zeros(s)
                for k, v in SHAPES.items()
                for p, s in zip(("kernel", "bias"), v, strict=True)
            },
        )
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0, 4, 100, 2000, 40_000_000, -1])
def test_an_hdf5_file_cut_short(kept, whole, tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(whole[:kept])
    message = refusal(path)
    assert "not an HDF5 file" in message if kept < 100 and kept >= 0 else "damaged or cut short" in message


def test_bits_flipped_in_an_hdf5_structure_are_refused_or_harmless(tmp_path, rng):
    """Whatever byte of the file's structure is hit: read, or one clear error; never another exception."""
    intact = write_notop(tmp_path / "intact.h5").read_bytes()
    path = tmp_path / "flipped.h5"
    refused = 0
    for place in rng.choice(len(intact), 100, replace=False):
        content = bytearray(intact)
        content[place] ^= 0xFF
        path.write_bytes(content)
        try:
            with open_hdf5(path) as entries:
                find_layout(path, entries)
        except checks.CheckpointError as error:
            refused += str(error).startswith(str(path))
    assert 10 < refused < 90, "much of a file is room for more names, which nobody reads"


def test_files_of_something_else(tmp_path):
    page = tmp_path / "page.h5"
    page.write_text("<html>not found</html>")
    assert "is not an HDF5 file" in refusal(page)
    assert "does not exist" in refusal(tmp_path / "nowhere.h5")
    assert "does not exist" in refusal(tmp_path / "checkpoints")
    keras = tmp_path / "model.keras"
    keras.write_bytes(b"PK")
    assert "has the extension '.keras'" in refusal(keras)
    empty = tmp_path / "empty.npz"
    np.savez(empty)
    assert "holds no layer of a VGG19 (but nothing)" in refusal(empty)
    other = tmp_path / "other.npz"
    np.savez(other, dense=np.zeros(3))
    assert "holds no layer of a VGG19 (but dense)" in refusal(other)


def small_npz(path, compressed=True, **changed):
    save = np.savez_compressed if compressed else np.savez
    arrays = {
        f"{k}/{p}": np.zeros(s, np.float32)
        for k, v in SHAPES.items()
        for p, s in zip(("kernel", "bias"), v, strict=True)
    }
    save(path, **(arrays | changed))
    return path


def test_npz_files(tmp_path):
    whole = small_npz(tmp_path / "whole.npz")
    assert pretrained.load_vgg19(whole).preprocessing == "keras"
    content = whole.read_bytes()
    cut = tmp_path / "cut.npz"
    cut.write_bytes(content[: len(content) // 2])
    assert "damaged or cut short" in refusal(cut)
    page = tmp_path / "page.npz"
    page.write_text("<html>")
    assert "is not an .npz file" in refusal(page)
    pickled = tmp_path / "pickled.npz"
    np.savez_compressed(pickled, **{"block1_conv1/kernel": np.array([{}], object)})
    assert "holds no bias of block1_conv1" in refusal(pickled)


def test_an_npz_file_with_pickled_objects_runs_nothing(tmp_path):
    path = tmp_path / "pickled.npz"
    changed = np.empty((3, 3, 3, 64), object)
    changed[:] = Trap(tmp_path / "sprung")
    small_npz(path, **{"block1_conv1/kernel": changed})
    assert "block1_conv1/kernel has the type object" in refusal(path)
    assert not (tmp_path / "sprung").exists()


def test_a_flipped_bit_in_an_npz_file_is_found(tmp_path):
    path = small_npz(tmp_path / "flipped.npz", compressed=False)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("block5_conv4/kernel.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 2000] ^= 1
    path.write_bytes(content)
    assert "block5_conv4/kernel cannot be read, the file is damaged" in refusal(path)


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_torch_files(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    state = {}
    for name, (kernel, bias) in zip(torch_names(), SHAPES.values(), strict=True):
        state[f"{name}.weight"] = torch.zeros(1).expand(*kernel[:1:-1], *kernel[:2])
        state[f"{name}.bias"] = torch.zeros(bias)
    path = tmp_path / "vgg.pth"
    torch.save(state, path)
    assert pretrained.load_vgg19(path).preprocessing == "torchvision"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "damaged" in refusal(path)
    torch.save({k: v for k, v in state.items() if not k.startswith("features.34")}, path)
    assert "holds no features.34.weight" in refusal(path)
    torch.save(state | {"features.0.weight": torch.zeros(3, 3, 3, 64)}, path)
    assert "features.0.weight has shape (3, 3, 3, 64); expected (64, 3, 3, 3)" in refusal(path)
    torch.save(state | {"features.0.bias": torch.zeros(64, dtype=torch.int32)}, path)
    assert "features.0.bias has the type int32" in refusal(path)
    torch.save([1, 2], path)
    assert "holds a list; expected a state dict" in refusal(path)
    torch.save(state | {"trap": Trap(tmp_path / "sprung")}, path)
    assert "holds more than tensors" in refusal(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "holds more than tensors" in refusal(path)
    assert not (tmp_path / "sprung").exists()
    monkeypatch.setattr(torch, "__version__", "2.9.1")
    assert "pip install 'torch>=2.10'" in refusal(path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install torch" in refusal(path)


def test_safetensors_files(tmp_path, monkeypatch):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    path = tmp_path / "vgg.safetensors"
    state = {}
    for name, (kernel, bias) in zip(torch_names(), SHAPES.values(), strict=True):
        state[f"{name}.weight"] = np.zeros((*kernel[:1:-1], *kernel[:2]), np.float32)
        state[f"{name}.bias"] = np.zeros(bias, np.float32)
    save_file(state, path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert "damaged or cut short" in refusal(path)
    save_file(state | {"features.0.bias": np.zeros(64, np.int8)}, path)
    assert "features.0.bias has the type I8" in refusal(path)
    path.write_bytes(b"no header")
    assert "damaged or cut short" in refusal(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert "pip install safetensors" in refusal(path)

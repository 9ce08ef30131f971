"""Weight files as other programs write them, for the tests of their readers."""

from itertools import accumulate, pairwise

import h5py

from mer_jax.models.vgg19 import BLOCKS, LAYER_NAMES

CHANNELS = [3, *(width for block in BLOCKS for width in block)]
SHAPES = {
    layer: ((3, 3, before, after), (after,))
    for layer, (before, after) in zip(LAYER_NAMES, pairwise(CHANNELS), strict=True)
}
ENDS = list(accumulate(map(len, BLOCKS)))
# Keras also lists the layers without weights.
ALL_LAYERS = [
    "input_1",
    *(
        name
        for number, layer in enumerate(LAYER_NAMES, start=1)
        for name in ([layer, f"{layer[:6]}_pool"] if number in ENDS else [layer])
    ),
]


def write_legacy(group, weights=None, *, names="{layer}_{short}_1:0", top=False):
    """Keras's legacy layout in an HDF5 group: ``layer_names``, a group per layer, ``weight_names`` and data sets.

    Without ``weights``, the data sets are declared and never written: the file is small, and reads as 0.01 everywhere.
    """
    layers = [*ALL_LAYERS, *(["flatten", "fc1", "fc2", "predictions"] if top else [])]
    group.attrs["layer_names"] = [name.encode() for name in layers]
    for layer in layers:
        inner = group.create_group(layer)
        inner.attrs["weight_names"] = []
        shapes = SHAPES.get(layer) or {"fc1": ((25088, 4096), (4096,))}.get(layer, ())
        written = []
        for shape, short, long in zip(shapes, "Wb", ("kernel", "bias"), strict=False):
            name = names.format(layer=layer, short=short, long=long)
            value = None if weights is None else weights.get(f"{layer}/{long}")
            inner.create_dataset(name, shape, "f4", value, fillvalue=0.01)
            written.append(name.encode())
        inner.attrs["weight_names"] = written


def write_notop(path, weights=None):
    """The official file that Keras publishes, vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5."""
    with h5py.File(path, "w") as file:
        write_legacy(file, weights)
    return path


def torch_names():
    """torchvision's names of the convolutions: modules of VGG19's ``features``, activations and poolings counted."""
    number, names = 0, []
    for block in BLOCKS:
        for _ in block:
            names.append(f"features.{number}")
            number += 2
        number += 1
    return names

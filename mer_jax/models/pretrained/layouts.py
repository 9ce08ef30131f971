"""How the libraries name the arrays of a VGG19, and what their weights expect of a picture.

A layout is told from the names alone, whatever the file's format.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from mer_jax.models.pretrained.entries import refuse
from mer_jax.models.vgg19 import BLOCKS, LAYER_NAMES, Preprocessing

Part = Literal["kernel", "bias"]
PARTS: tuple[Part, Part] = ("kernel", "bias")
Place = tuple[str, Part]
"""A convolution by Keras's name, and which of its two arrays."""

# An optimiser's moments bear the names of the weights that they belong to.
_OPTIMIZER = re.compile(r"^optimizer(_weights)?/")


@dataclass(frozen=True)
class Layout:
    """One way of naming the arrays."""

    origin: str
    preprocessing: Preprocessing
    locate: Callable[[str], Place | None]
    """The place that a name stands for; None if it is no convolution's."""
    name: Callable[[str, Part], str]
    """What the array of a layer is called, for messages."""
    channels_first: bool = False
    """Kernels are (out, in, rows, columns) instead of (rows, columns, in, out)."""


def find_layout(path: Path, names: Iterable[str]) -> tuple[Layout, dict[Place, str]]:
    """The layout that the names of a file follow, and the name of each array in it.

    Raises:
        mer_jax.checks.CheckpointError: no layout fits, an array is missing, or two claim the same place.
    """
    names = [name for name in names if not _OPTIMIZER.match(name)]
    for layout in LAYOUTS:
        found = _places(path, layout, names)
        if found:
            for layer in LAYER_NAMES:
                for part in PARTS:
                    if (layer, part) not in found:
                        raise refuse(
                            path, f"holds no {layout.name(layer, part)}", "the 16 convolutions of a VGG19"
                        )
            return layout, found
    shown = ", ".join(names[:3]) if names else "nothing"
    raise refuse(
        path,
        f"holds no layer of a VGG19 (but {shown})",
        "names as in Keras (block1_conv1) or torchvision (features.0.weight)",
    )


def _places(path: Path, layout: Layout, names: list[str]) -> dict[Place, str]:
    found: dict[Place, str] = {}
    for name in names:
        place = layout.locate(name)
        if place is None or place[0] not in LAYER_NAMES:
            continue
        if place in found:
            raise refuse(path, f"holds both {found[place]} and {name}", f"one {place[1]} of {place[0]}")
        found[place] = name
    return found


# Keras by layer names: block1_conv1/block1_conv1_W_1:0, model_weights/block1_conv1/block1_conv1/kernel:0, block1_conv1_kernel.
_BY_NAME = re.compile(
    r"(block\d_conv\d)(?!\d).*?[/_.](?:(kernel|W(?:_\d+)?|vars/0)|bias|b(?:_\d+)?|vars/1)(?::0)?$"
)
# Keras 3's .weights.h5: layers/conv2d/vars/0, then conv2d_1 to conv2d_15. The number counts; in the file, 10 comes before 2.
_BY_NUMBER = re.compile(r"(?:^|/)conv2d(?:_(\d+))?/vars/([01])$")
# torchvision: features.0.weight. The number counts activations and poolings, too.
_BY_MODULE = re.compile(r"(?:^|\.)features\.(\d+)\.(weight|bias)$")
# numpy.savez of Keras's get_weights(): kernel and bias of each layer in turn.
_BY_ORDER = re.compile(r"^arr_(\d+)$")

# A convolution and its activation are two modules each, a pooling follows every block.
_MODULES = [
    start + 2 * layer
    for start, block in zip(accumulate((2 * len(b) + 1 for b in BLOCKS), initial=0), BLOCKS, strict=False)
    for layer in range(len(block))
]


def _by_name(name: str) -> Place | None:
    match = _BY_NAME.search(name)
    return (match[1], PARTS[match[2] is None]) if match else None


def _by_number(name: str) -> Place | None:
    match = _BY_NUMBER.search(name)
    return _nth_layer(int(match[1] or 0), PARTS[int(match[2])]) if match else None


def _by_module(name: str) -> Place | None:
    match = _BY_MODULE.search(name)
    if not match or int(match[1]) not in _MODULES:
        return None
    return _nth_layer(_MODULES.index(int(match[1])), "kernel" if match[2] == "weight" else "bias")


def _by_order(name: str) -> Place | None:
    match = _BY_ORDER.match(name)
    return _nth_layer(int(match[1]) // 2, PARTS[int(match[1]) % 2]) if match else None


def _nth_layer(number: int, part: Part) -> Place | None:
    return (LAYER_NAMES[number], part) if number < len(LAYER_NAMES) else None


def _conv2d(number: int) -> str:
    return f"conv2d_{number}" if number else "conv2d"


LAYOUTS = (
    Layout(
        origin="Keras, by layer names",
        preprocessing="keras",
        locate=_by_name,
        name=lambda layer, part: f"{part} of {layer}",
    ),
    Layout(
        origin="Keras 3, by layer numbers",
        preprocessing="keras",
        locate=_by_number,
        name=lambda layer, part: f"layers/{_conv2d(LAYER_NAMES.index(layer))}/vars/{PARTS.index(part)}",
    ),
    Layout(
        origin="torchvision, by module numbers",
        preprocessing="torchvision",
        locate=_by_module,
        name=lambda layer, part: (
            f"features.{_MODULES[LAYER_NAMES.index(layer)]}.{'weight' if part == 'kernel' else 'bias'}"
        ),
        channels_first=True,
    ),
    Layout(
        origin="Keras, by the order of get_weights",
        preprocessing="keras",
        locate=_by_order,
        name=lambda layer, part: f"arr_{2 * LAYER_NAMES.index(layer) + PARTS.index(part)}",
    ),
)

"""A file of VGG19 weights, checked array by array before and after it is read."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import numpy as np

from mer_jax import checks
from mer_jax.models.pretrained.entries import Entry, refuse, unreadable
from mer_jax.models.pretrained.hdf5 import open_hdf5
from mer_jax.models.pretrained.layouts import Part, find_layout
from mer_jax.models.pretrained.npz import open_npz
from mer_jax.models.pretrained.torch_files import open_safetensors, open_torch
from mer_jax.models.vgg19 import CHANNELS, LAYER_NAMES, WeightRecord

Weights = dict[str, dict[Part, np.ndarray]]
"""By convolution, ``block1_conv1`` to ``block5_conv4``: kernel (3, 3, in, out) and bias (out,), float32."""

_FORMATS: dict[str, Callable[[Path], AbstractContextManager[dict[str, Entry]]]] = {
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".npz": open_npz,
    ".safetensors": open_safetensors,
    ".pth": open_torch,
    ".pt": open_torch,
}


def shapes() -> dict[str, dict[Part, tuple[int, ...]]]:
    """Shape of every array of :data:`Weights`."""
    return {
        layer: {"kernel": (3, 3, before, after), "bias": (after,)}
        for layer, (before, after) in zip(LAYER_NAMES, pairwise(CHANNELS), strict=True)
    }


def read_file(path: Path, *, url: str = "") -> tuple[Weights, WeightRecord]:
    """Weights and origin from a file of any layout that :func:`mer_jax.models.pretrained.load_vgg19` reads.

    Raises:
        mer_jax.checks.CheckpointError: the file is missing, damaged, of another network, or not what it should hold.
    """
    if not path.exists():
        raise refuse(path, "does not exist")
    check_format(path)
    sha256 = sha256_of(path)
    with _FORMATS[path.suffix.lower()](path) as entries:
        layout, names = find_layout(path, entries)
        wanted = {
            # (out, in, rows, columns), or (out,) as it is
            (layer, part): (*shape[:1:-1], *shape[:2]) if layout.channels_first else shape
            for layer, parts in shapes().items()
            for part, shape in parts.items()
        }
        for place, shape in wanted.items():
            _check(path, names[place], entries[names[place]], shape)
        weights: Weights = {layer: {} for layer in LAYER_NAMES}
        for layer, part in wanted:
            name = names[layer, part]
            array = _read(path, name, entries[name])
            if layout.channels_first and part == "kernel":
                array = array.transpose(2, 3, 1, 0)
            weights[layer][part] = array
    return weights, WeightRecord(layout.origin, layout.preprocessing, path.name, sha256, url)


def check_format(path: Path) -> None:
    """Raise unless the file's extension is one that is read."""
    if path.suffix.lower() not in _FORMATS:
        raise checks.CheckpointError(
            path,
            f"has the extension {path.suffix!r}" if path.suffix else "has no extension",
            expected=" ".join(_FORMATS),
            remedy="unzip it and take model.weights.h5" if path.suffix == ".keras" else "",
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refuse(path, f"cannot be opened ({error.strerror})") from error


def _check(path: Path, name: str, entry: Entry, shape: tuple[int, ...]) -> None:
    """Raise unless an array is declared as VGG19's is; nothing has been read yet."""
    if entry.shape != shape:
        raise refuse(path, f"{name} has shape {entry.shape}", f"{shape}, as in a VGG19")
    if not entry.floating:
        raise refuse(path, f"{name} has the type {entry.dtype}", "floating-point numbers")


def _read(path: Path, name: str, entry: Entry) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # infinite in float32: refused below
            array = np.asarray(entry.read()).astype(np.float32)
    # The readers raise many types for many kinds of damage.
    except Exception as error:
        raise unreadable(path, name, error) from error
    if not np.isfinite(array).all():
        raise refuse(path, f"{name} holds values that are not finite", "finite numbers")
    return array

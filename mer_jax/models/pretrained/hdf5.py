"""HDF5 files of untrusted origin, read by h5py alone: nothing outside the file is opened, nothing in it is executed.

Keras itself is not used to read them (CVE-2024-3660, CVE-2025-9905: code in the model's configuration; CVE-2026-1669: data
sets that name files of the host).
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mer_jax import checks
from mer_jax.models.pretrained.entries import Entry, check_declared_size, refuse, unreadable

# A chunk is unpacked whole, whatever part of it is wanted.
_LARGEST_CHUNK = 64 * 2**20  # bytes


@contextmanager
def open_hdf5(path: Path) -> Iterator[dict[str, Entry]]:
    """The data sets of a file by their paths, such as ``block1_conv1/block1_conv1_W_1:0``; readable inside the block.

    Raises:
        mer_jax.checks.CheckpointError: not HDF5, damaged, or with links, external storage, virtual data sets or absurd sizes.
    """
    import h5py

    if not h5py.is_hdf5(path):
        raise refuse(path, "is not an HDF5 file", "the signature of one at its start")
    with ExitStack() as stack:
        # h5py raises many types for many kinds of damage.
        try:
            file = stack.enter_context(h5py.File(path, "r"))
            entries = dict(_entries(path, file))
        except checks.InputError:
            raise
        except Exception as error:
            raise unreadable(path, "it", error) from error
        yield entries


def _entries(path: Path, file: Any) -> Iterator[tuple[str, Entry]]:
    """Every data set by its path, after a check that all of the file is inside the file."""
    import h5py

    pending = [("", file["/"])]
    seen = {file["/"]}  # hard links may lead back to a group above
    while pending:
        prefix, group = pending.pop()
        for key in group:
            name = prefix + key
            link = group.get(key, getlink=True)
            if link is None:
                raise KeyError(f"{name} is listed but not there")
            if not isinstance(link, h5py.HardLink):
                raise refuse(path, f"{name} is a link ({type(link).__name__})", "weights inside the file")
            child = group[key]
            if isinstance(child, h5py.Dataset):
                yield name, _entry(path, name, child)
            elif isinstance(child, h5py.Group) and child not in seen:
                seen.add(child)
                pending.append((f"{name}/", child))


def _entry(path: Path, name: str, data: Any) -> Entry:
    if data.external or data.is_virtual:
        raise refuse(path, f"{name} keeps its values in other files", "weights inside the file")
    shape = tuple(data.shape or ())
    stored = data.id.get_storage_size()
    check_declared_size(path, name, math.prod(shape) * data.dtype.itemsize, stored)
    chunk = math.prod(data.chunks or ()) * data.dtype.itemsize
    if chunk > max(_LARGEST_CHUNK, 2 * stored):
        raise refuse(path, f"{name} is stored in chunks of {chunk:,} bytes", f"at most {_LARGEST_CHUNK:,}")
    return Entry(shape, str(data.dtype), data.dtype.kind == "f", lambda: data[()])

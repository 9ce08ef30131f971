"""NumPy archives of untrusted origin: plain numbers only, no pickled objects."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from mer_jax import checks
from mer_jax.models.pretrained.entries import Entry, check_declared_size, refuse, unreadable

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@contextmanager
def open_npz(path: Path) -> Iterator[dict[str, Entry]]:
    """The arrays of an ``.npz`` by name; readable inside the block.

    Raises:
        mer_jax.checks.CheckpointError: not a zip archive of ``.npy`` files, damaged, or an absurd size in it.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise refuse(path, "is not an .npz file", "a zip archive")
    with ExitStack() as stack:
        # Zip archives and NumPy headers raise many types for many kinds of damage.
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            entries = {member.filename[:-4]: _entry(path, archive, member) for member in members}
        except checks.InputError:
            raise
        except Exception as error:
            raise unreadable(path, "it", error) from error
        yield entries


def check_zip_sizes(path: Path) -> None:
    """Raise if ``path`` is a zip archive with a member that unpacks to an absurd size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                check_declared_size(path, member.filename, member.file_size, member.compress_size)


def _entry(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
    check_declared_size(path, member.filename, member.file_size, member.compress_size)
    with archive.open(member) as file:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)

    def read() -> np.ndarray:
        with archive.open(member) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # reaching the end compares the checksum
            return array

    return Entry(shape, str(dtype), dtype.kind == "f", read)

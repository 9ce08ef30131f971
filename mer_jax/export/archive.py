"""The file of an exported run: a zip archive of ``metadata.json``, ``weights.npz`` and ``program_<platform>.bin``.

Programs are what :meth:`jax.export.Exported.serialize` gives (StableHLO), called with (weights by name, waveforms, lengths).
The archive's own checksums find what a disk or a transfer damaged.
"""

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.data.atomic import atomic_path

PLATFORMS = ("cpu", "cuda", "tpu")
"""What programs can be exported for, by the names of :mod:`jax.export`."""

FORMAT, VERSION = "mer_jax export", 1
_METADATA, _WEIGHTS = "metadata.json", "weights.npz"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError)


def program_name(platform: str) -> str:
    """Name inside the archive of the program for a platform."""
    return f"program_{platform}.bin"


@dataclasses.dataclass(frozen=True)
class Parts:
    """What is read of a file.

    Attributes:
        metadata: what ``metadata.json`` holds.
        weights: by name.
        program: serialised, for one platform.
    """

    metadata: dict[str, Any]
    weights: dict[str, np.ndarray]
    program: bytearray


def write(
    out: Path,
    metadata: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    programs: Mapping[str, bytes | bytearray],
) -> None:
    """Write a file; whole or not at all.

    Args:
        out: where to.
        metadata: what JSON can hold, with a ``"programs"`` by platform; format and version are added to it.
        weights: by name.
        programs: serialised, by platform.
    """
    stated = {"format": FORMAT, "format_version": VERSION, **metadata}
    arrays = io.BytesIO()
    np.savez(arrays, **weights)  # type: ignore[arg-type]  # names are never savez's own keyword
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(_METADATA, json.dumps(stated, indent=2) + "\n")
        for platform, program in programs.items():
            file.writestr(program_name(platform), bytes(program))
        # Trained weights hardly get smaller.
        file.writestr(_WEIGHTS, arrays.getbuffer(), zipfile.ZIP_STORED)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What a file says of itself.

    Raises:
        mer_jax.checks.CheckpointError: there is no such file, it is no export or a damaged one, or was written by a later
            version.
    """
    path = Path(path)
    with _opened(path) as file:
        return _metadata(path, file)


def read(path: str | Path, platform: str) -> Parts:
    """Read the metadata, the weights, and the program for one platform.

    Raises:
        mer_jax.checks.CheckpointError: as :func:`read_metadata`, or there is no program for the platform.
    """
    path = Path(path)
    with _opened(path) as file:
        metadata = _metadata(path, file)
        there = list(metadata["programs"])
        if platform not in there:
            raise checks.CheckpointError(
                path,
                f"has no program for {platform}",
                expected=f"one of those it has: {', '.join(there)}",
                remedy=f"load it with platform={there[0]!r}, or export the run with --platforms {platform}",
            )
        program = bytearray(file.read(program_name(platform)))
        with np.load(io.BytesIO(file.read(_WEIGHTS)), allow_pickle=False) as stored:
            return Parts(metadata, dict(stored), program)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever damage shows while it is read becomes one error."""
    if not path.is_file():
        raise checks.CheckpointError(
            path, "is not a file", expected="what 'mer-jax export' wrote", remedy="name another file"
        )
    try:
        with zipfile.ZipFile(path) as file:
            yield file
    except checks.InputError:
        raise
    except _DAMAGE as error:
        raise checks.CheckpointError(
            path,
            f"is damaged, or no exported run ({type(error).__name__}: {error})",
            expected="a file written by 'mer-jax export'",
            remedy="export the run again",
        ) from error


def _metadata(path: Path, file: zipfile.ZipFile) -> dict[str, Any]:
    metadata = json.loads(file.read(_METADATA))
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ValueError(f"{_METADATA} is of another format")
    if metadata["format_version"] > VERSION:
        raise checks.CheckpointError(
            path,
            f"is written in version {metadata['format_version']} of the format",
            expected=f"at most {VERSION}",
            remedy=f"use mer_jax {metadata['versions']['mer_jax']} or later",
        )
    return metadata

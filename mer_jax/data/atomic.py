"""Files that appear whole or not at all."""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; what is written there becomes ``target`` when the block ends well.

    The file is flushed to disk before it is renamed, so a crash leaves the old file or the new one, never half of one. When the
    block raises, the temporary file is removed and ``target`` is as it was. The temporary name keeps the extension (NumPy and
    Matplotlib go by it), and missing parent folders are made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "scores.json") as temporary:
    ...         _ = temporary.write_text("{}")
    ...     sorted(os.listdir(folder))
    ['scores.json']
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _flush(target.parent)  # the rename itself


def write_lines(target: str | Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON, one record a line; whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_arrays(target: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write an ``.npz`` file; whole or not at all."""
    with atomic_path(target) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

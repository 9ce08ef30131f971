"""One process at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mer_jax.checks import DataError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder, made if it is not there, for this process; the system lets go of it even if the process is killed.

    Raises:
        DataError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.name != "posix":  # elsewhere nobody is kept out
        yield
        return
    import fcntl

    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                folder, "is in use by another process", remedy="wait until it is done, or stop it"
            ) from None
        yield

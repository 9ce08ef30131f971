"""The weights that Keras publishes, fetched from the web: whole and with the right checksum, or not at all."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mer_jax import checks
from mer_jax.models.pretrained.reading import check_format

# Keras's own table: keras/src/applications/vgg19.py, WEIGHTS_PATH_NO_TOP and its file_hash.
URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
CHECKSUM = "md5:253f8cb515780f3b799900260a226db6"

_TIMEOUT_S = 30  # without a byte
_PIECE = 2**18  # bytes


def fetch(url: str, folder: Path, *, checksum: str) -> Path:
    """Download a file into ``folder``.

    Args:
        url: http or https.
        folder: where to; the file keeps the name it has in ``url``.
        checksum: ``"md5:..."`` or ``"sha256:..."``, hexadecimal.

    Returns:
        The path of the file.

    Raises:
        mer_jax.checks.CheckpointError: no connection, a broken one, another answer than the file, or another checksum; then
            ``folder`` is as it was.
    """
    import pooch
    import requests

    _check_request(url, checksum)
    name = _file_name(url)
    with _quiet(pooch.get_logger()), _bar() as bar:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=_PIECE, timeout=_TIMEOUT_S)
        try:
            return Path(pooch.retrieve(url, checksum, fname=name, path=folder, downloader=downloader))
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "an error"
            raise _failed(url, f"the server answers {status}") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _failed(url, "the connection broke off before the file was whole") from error
        except requests.RequestException as error:
            raise _failed(url, f"no connection ({type(error).__name__})") from error
        except ValueError as error:
            raise _failed(url, f"what came does not match the checksum {checksum}") from error
        except OSError as error:
            raise checks.CheckpointError(folder, f"cannot be written to ({error.strerror})") from error


def _file_name(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[-1]


def _check_request(url: str, checksum: str) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise checks.CheckpointError(url, "is no web address", expected="https://... or http://...")
    check_format(Path(_file_name(url)))
    if not re.fullmatch(r"md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64}", checksum):
        raise checks.CheckpointError(
            checksum, "is no checksum", expected="md5:... or sha256:..., hexadecimal"
        )


def _failed(url: str, problem: str) -> checks.CheckpointError:
    return checks.CheckpointError(
        url,
        f"not downloaded, {problem}",
        remedy=f"download it by hand in a browser, then run: mer-jax weights --file {_file_name(url)}",
    )


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep to warnings what pooch says on standard error."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _bar() -> Iterator[Any]:
    """A progress bar as pooch takes one, in a terminal; False elsewhere."""
    if not sys.stdout.isatty():
        yield False
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stdout)) as progress:
        yield _PoochBar(progress)


class _PoochBar:
    """What pooch asks of a progress bar (its tqdm protocol), shown by rich."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: float) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.refresh()

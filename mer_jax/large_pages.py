"""Memory in pages of 2 MiB: large arrays that XLA asks for anew in each call then cost a page fault where there were 512.

The GNU C library (2.35 and later) asks the kernel for such pages if ``GLIBC_TUNABLES`` says so when the process starts, so a
command starts itself once more with it. On two cores a training step of a BiLSTM on 1292 frames takes 225 ms instead of 315,
the STFT of 32 clips of 30 s 76 instead of 105 (docs/performance.md). Only the standard library is imported here: it comes
before all else.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "MER_JAX_LARGE_PAGES"
"""Environment variable: ``off`` leaves the process as it was started."""
_KERNEL = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_TUNABLES = "GLIBC_TUNABLES"
_SETTING = "glibc.malloc.hugetlb"


def restart_with_large_pages() -> None:
    """Replace this process by the same command with large pages, where the system has them and nobody chose otherwise."""
    wanted = tunables(os.environ, kernel=_kernel_setting(), libc=_libc())
    if wanted is None or not sys.executable or not sys.orig_argv:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, _TUNABLES: wanted})


def tunables(environment: Mapping[str, str], *, kernel: str, libc: str) -> str | None:
    """What ``GLIBC_TUNABLES`` has to be for large pages; None if it is to stay as it is.

    Args:
        environment: of the process.
        kernel: what the kernel says of large pages; "always [madvise] never" gives them to whoever asks.
        libc: name and version of the C library.

    >>> tunables({}, kernel="always [madvise] never", libc="glibc 2.36")
    'glibc.malloc.hugetlb=1'
    """
    given = environment.get(_TUNABLES, "")
    if environment.get(VARIABLE, "").casefold() == "off" or _SETTING in given:
        return None
    # "always" gives them without being asked, "never" does not.
    if "[madvise]" not in kernel or _version(libc) < (2, 35):
        return None
    return f"{given}:{_SETTING}=1".lstrip(":")


def _version(libc: str) -> tuple[int, ...]:
    name, _, version = libc.partition(" ")
    numbers = version.split(".")[:2]
    return tuple(map(int, numbers)) if name == "glibc" and all(n.isdigit() for n in numbers) else ()


def _kernel_setting() -> str:
    try:
        return _KERNEL.read_text()
    except OSError:
        return ""  # not Linux, or a kernel without large pages


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""  # another system, or another C library

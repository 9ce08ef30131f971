"""What a figure was measured on: the machine, the versions, and how busy it was.

No host name, user name or path goes into a result file, so that one can be published as it is.
"""

import os
import platform as host
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from mer_jax._version import __version__

_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "scipy",
    "librosa",
    "numba",
    "soxr",
    "nnAudio",
    "librosax",
    "torch",
    "torchaudio",
    "tensorflow-cpu",
    "tensorflow",
    "keras",
)


def cores() -> int:
    """How many cores this process may run on (a container's share, where it has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """The machine, as far as it decides how long a computation takes.

    Returns:
        ``cpu`` (model), ``cores``, ``memory_gib``, ``accelerator`` (its name, or ``"none"``), ``accelerators`` (how
        many), ``platform`` (operating system and instruction set) and ``backend`` (what JAX computes on).
    """
    backend = jax.default_backend()
    devices = jax.devices()
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "accelerator": "none" if backend == "cpu" else devices[0].device_kind,
        "accelerators": 0 if backend == "cpu" else len(devices),
        "platform": f"{host.system()} {host.machine()}",
        "backend": backend,
    }


def describe_versions() -> dict[str, str]:
    """Versions of Python, of this package and of each measured package that is installed."""
    versions = {"python": host.python_version(), "mer_jax": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def load_average() -> float | None:
    """Processes running or waiting, averaged over the last minute; None where the system does not say.

    Well above what the benchmark itself uses means that other work shared the cores: measure again on a quiet machine.
    """
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the child processes that are started inside, and no others."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return host.processor() or host.machine()


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return round(total / 2**30, 1)

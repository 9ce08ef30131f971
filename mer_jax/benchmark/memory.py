"""Peak memory of one call, beyond what is held before it (interpreter, libraries, compiled program, input).

Measured apart from the timing, in a child process that holds only the measured contender.

*Host* (kind ``"rss"``, Linux): after a warm-up call and a trim of the heap, the kernel's high-water mark of the resident set is
reset, one call is made, and the mark is read. *Accelerator* (kind ``"device"``): the allocator's peak less what was in use
before; the process does without preallocation and without autotuning, whose trial buffers would count.
"""

import ctypes
import gc
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax

from mer_jax.benchmark.engine import Contender
from mer_jax.machine import environment

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class MemoryProbe:
    """Measures peaks in a child process; use as a context manager.

    >>> with MemoryProbe() as probe:  # doctest: +SKIP
    ...     mib, kind = probe.peak(build_contender, "stft", 8)
    """

    def __init__(self) -> None:
        # A host's mark can be reset, a device allocator's cannot: there every measurement needs a process of its own.
        self._reuse = jax.default_backend() == "cpu"
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "MemoryProbe":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def peak(self, build: Callable[..., Contender], *args: Any) -> tuple[float | None, str]:
        """Peak of one call of the contender that ``build(*args)`` returns.

        Args:
            build: a module-level function (it is sent to the child by name).
            *args: picklable.

        Returns:
            MiB (None where this system has no way to tell), and the kind: ``"rss"``, ``"device"`` or ``"unknown"``.
        """
        with environment(_child_environment()):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            try:
                return self._pool.submit(_peak_here, build, args).result()
            finally:
                if not self._reuse:
                    self._stop()

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _child_environment() -> dict[str, str]:
    if jax.default_backend() == "cpu":
        return {}
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0".strip()
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_FLAGS": flags}


def _peak_here(build: Callable[..., Contender], args: tuple) -> tuple[float | None, str]:
    contender = build(*args)
    try:
        if contender.device_peak is not None:
            return contender.device_peak(contender.call) / 2**20, "device"
        return _host_peak(contender.call)
    finally:
        contender.close()


def _host_peak(call: Callable[[], Any]) -> tuple[float | None, str]:
    call()
    gc.collect()
    _trim_heap()
    try:
        _CLEAR.write_text("5")
    except OSError:
        return None, "unknown"
    before = _status_kib("VmRSS")
    value = call()
    peak = _status_kib("VmHWM")
    del value
    return max(0, peak - before) / 1024, "rss"


def _trim_heap() -> None:
    """Give freed memory back to the system, so that using it again counts."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # Not glibc: freed memory may stay resident, and the figure is then too low, never too high.


def _status_kib(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"{_STATUS} has no {name}")


def jax_device_peak(call: Callable[[], Any]) -> float:
    """Bytes that the first device's allocator held at its peak during one call, beyond what was in use before."""
    stats = jax.devices()[0].memory_stats()
    if stats is None:
        raise RuntimeError("this device reports no memory statistics")
    before = stats["bytes_in_use"]
    value = call()
    peak = jax.devices()[0].memory_stats()["peak_bytes_in_use"] - before
    del value
    return max(0.0, float(peak))

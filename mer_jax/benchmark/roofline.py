"""How fast a transform could be here: ceilings measured in the same run, and the bound they set.

A result cannot appear sooner than its bytes can move (the waveform read once, the result written once) or than its Fourier
transforms can be computed (2.5 N log2 N operations for a real one of N points). The larger time is the bound.

*Bytes* go against the rate of a large copy, reads and writes counted. A batch that fits in the cache can beat that: the bound
speaks of memory. *Operations* go, on a CPU, against what ``scipy.fft.rfft`` reaches on all cores, a practical floor (its own
memory traffic is in it); on an accelerator against a float32 matrix product, the most its arithmetic units do.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from mer_jax.machine import cores

_REPEATS = 7
_FFT_LENGTH = 2048


@dataclass(frozen=True)
class Ceilings:
    """Measured rates of this machine.

    Attributes:
        bandwidth_gb_s: of a large copy, 1e9 bytes read plus written a second.
        fft_gflop_s: of real FFTs of 2048 points in float32, 1e9 operations (2.5 N log2 N each) a second.
        matmul_gflop_s: of a float32 matrix product at full precision; None on a CPU, where it sets no bound.
    """

    bandwidth_gb_s: float
    fft_gflop_s: float
    matmul_gflop_s: float | None


@dataclass(frozen=True)
class Bound:
    """The least time of a case: ``seconds``, and what sets it (``"bytes"`` or ``"fft"``)."""

    seconds: float
    kind: str


def rfft_flops(length: int) -> float:
    """Operations of one real FFT, by the usual count 2.5 N log2 N.

    >>> rfft_flops(2048)
    56320.0
    """
    return 2.5 * length * math.log2(length)


def bound(bytes_moved: int, ffts: Sequence[tuple[int, int]], ceilings: Ceilings) -> Bound:
    """The larger of the time to move the bytes and the time to compute the FFTs.

    Args:
        bytes_moved: input plus output.
        ffts: (length, how many) of the real FFTs.
        ceilings: of the machine, from :func:`measure_ceilings`.
    """
    moving_s = bytes_moved / (1e9 * ceilings.bandwidth_gb_s)
    operations = sum(count * rfft_flops(length) for length, count in ffts)
    rate = ceilings.fft_gflop_s if ceilings.matmul_gflop_s is None else ceilings.matmul_gflop_s
    computing_s = operations / (1e9 * rate)
    return Bound(computing_s, "fft") if computing_s > moving_s else Bound(moving_s, "bytes")


def measure_ceilings(*, mebibytes: int = 256) -> Ceilings:
    """Measure the ceilings of the device that JAX computes on; takes a few seconds.

    Args:
        mebibytes: size of the copied array; several times the last cache.
    """
    if jax.default_backend() == "cpu":
        return Ceilings(_host_copy_gb_s(mebibytes), _host_fft_gflop_s(), None)
    return Ceilings(_device_copy_gb_s(4 * mebibytes), _device_fft_gflop_s(), _device_matmul_gflop_s())


def _best_s(call: Callable[[], object]) -> float:
    """Shortest of some calls after a warm-up: a ceiling is the best that was seen."""
    call()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _host_copy_gb_s(mebibytes: int) -> float:
    """NumPy copies on one thread a core (a copy lets go of the interpreter lock)."""
    source = np.random.default_rng(0).integers(0, 255, mebibytes * 2**20, dtype=np.uint8)
    target = np.empty_like(source)
    pieces = list(zip(np.array_split(target, cores()), np.array_split(source, cores()), strict=True))
    with ThreadPoolExecutor(cores()) as pool:
        seconds = _best_s(lambda: list(pool.map(lambda piece: np.copyto(*piece), pieces)))
    return 2 * source.nbytes / seconds / 1e9


def _host_fft_gflop_s() -> float:
    frames = np.random.default_rng(0).standard_normal((4096, _FFT_LENGTH), dtype=np.float32)
    seconds = _best_s(lambda: scipy.fft.rfft(frames, workers=cores()))
    return len(frames) * rfft_flops(_FFT_LENGTH) / seconds / 1e9


def _device_copy_gb_s(mebibytes: int) -> float:
    source = jax.random.normal(jax.random.key(0), (mebibytes * 2**18,), jnp.float32)
    scaled = jax.jit(lambda x: 1.5 * x)  # A plain copy might be elided.
    seconds = _best_s(lambda: scaled(source).block_until_ready())
    return 2 * source.nbytes / seconds / 1e9


def _device_fft_gflop_s() -> float:
    frames = jax.random.normal(jax.random.key(0), (65536, _FFT_LENGTH), jnp.float32)
    transformed = jax.jit(jnp.fft.rfft)
    seconds = _best_s(lambda: transformed(frames).block_until_ready())
    return len(frames) * rfft_flops(_FFT_LENGTH) / seconds / 1e9


def _device_matmul_gflop_s() -> float:
    size = 8192
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    product = jax.jit(lambda x: jnp.matmul(x, x, precision=jax.lax.Precision.HIGHEST))
    seconds = _best_s(lambda: product(a).block_until_ready())
    return 2 * size**3 / seconds / 1e9

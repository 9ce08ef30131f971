"""librosa, three ways: the whole batch in one call, clip by clip, and clip by clip on all cores.

The pool's workers stay warm between calls, keep to one thread each, and read and write shared memory: what is timed is
librosa, not the pickling of spectrograms.
"""

import functools
import itertools
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from mer_jax.benchmark.engine import Contender
from mer_jax.benchmark.transforms import HOP, N_FFT, N_MELS, N_MFCC, SR, TEMPOGRAM_WIN
from mer_jax.machine import cores, environment

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_SHARED = Path("/dev/shm")


def contenders(transform: str, waveforms: np.ndarray) -> list[Contender]:
    """``librosa`` (one call), and from two clips on ``librosa_loop`` and ``librosa_pool``."""
    compute = transforms()[transform]
    entered = [Contender("librosa", lambda: compute(waveforms), _first_clip)]
    if len(waveforms) > 1:
        entered.append(Contender("librosa_loop", lambda: _loop(compute, waveforms), _first_clip))
        if cores() > 1:
            run = _PoolRun(transform, waveforms)
            entered.append(Contender("librosa_pool", run, _first_clip, run.close))
    return entered


@functools.cache
def transforms() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """The code of each transform with librosa: (..., samples) to (..., rows, frames)."""
    import librosa
    from librosa import feature

    def amplitude_envelope(y: np.ndarray) -> np.ndarray:
        padded = np.pad(np.abs(y), [(0, 0)] * (y.ndim - 1) + [(N_FFT // 2, N_FFT // 2)])
        frames = librosa.util.frame(padded, frame_length=N_FFT, hop_length=HOP)
        return frames.max(axis=-2, keepdims=True)

    def rms(y: np.ndarray) -> np.ndarray:
        return feature.rms(y=y, frame_length=N_FFT, hop_length=HOP)

    def zcr(y: np.ndarray) -> np.ndarray:
        return feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)

    def stft(y: np.ndarray) -> np.ndarray:
        return np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP))

    def mel(y: np.ndarray) -> np.ndarray:
        return feature.melspectrogram(y=y, sr=SR, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS)

    def decibel(power: np.ndarray) -> np.ndarray:
        # power_to_db's own limit of 80 dB is below the maximum of the whole batch; a clip's must not depend on others.
        level = librosa.power_to_db(power, top_db=None)
        return np.maximum(level, level.max(axis=(-2, -1), keepdims=True) - 80.0)

    def mfcc(y: np.ndarray) -> np.ndarray:
        return feature.mfcc(S=decibel(mel(y)), n_mfcc=N_MFCC)

    def cqt(y: np.ndarray) -> np.ndarray:
        return np.abs(librosa.cqt(y, sr=SR, hop_length=HOP, n_bins=84, bins_per_octave=12, tuning=0.0))

    def chroma_cqt(y: np.ndarray) -> np.ndarray:
        return feature.chroma_cqt(y=y, sr=SR, hop_length=HOP, tuning=0.0)

    def tempogram(y: np.ndarray) -> np.ndarray:
        onsets = librosa.onset.onset_strength(S=decibel(mel(y)), sr=SR, n_fft=N_FFT, hop_length=HOP)
        return feature.tempogram(onset_envelope=onsets, sr=SR, hop_length=HOP, win_length=TEMPOGRAM_WIN)

    def numerical_set(y: np.ndarray) -> np.ndarray:
        magnitude = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP))
        power = feature.melspectrogram(S=magnitude**2, sr=SR, n_mels=N_MELS)
        coefficients = feature.mfcc(S=decibel(power), n_mfcc=N_MFCC)
        flux = np.zeros_like(magnitude[..., :1, :])
        flux[..., 0, 1:] = np.maximum(0.0, np.diff(magnitude, axis=-1)).sum(axis=-2)
        parts = (
            amplitude_envelope(y),
            rms(y),
            zcr(y),
            flux,
            feature.spectral_rolloff(S=magnitude, sr=SR),
            feature.spectral_centroid(S=magnitude, sr=SR),
            feature.spectral_bandwidth(S=magnitude, sr=SR),
            feature.spectral_contrast(S=magnitude, sr=SR),
            feature.spectral_flatness(S=magnitude),
            coefficients,
            feature.delta(coefficients),
            feature.delta(coefficients, order=2),
        )
        return np.concatenate(parts, axis=-2, dtype=np.float32)

    return {
        "amplitude_envelope": amplitude_envelope,
        "rms": rms,
        "zcr": zcr,
        "stft": stft,
        "mel": mel,
        "mfcc": mfcc,
        "cqt": cqt,
        "chroma_cqt": chroma_cqt,
        "tempogram": tempogram,
        "numerical_set": numerical_set,
    }


def _first_clip(result: np.ndarray) -> np.ndarray:
    return np.array(result[0])


def _loop(compute: Callable[[np.ndarray], np.ndarray], waveforms: np.ndarray) -> np.ndarray:
    first = compute(waveforms[0])
    out = np.empty((len(waveforms), *first.shape), first.dtype)
    out[0] = first
    for i in range(1, len(waveforms)):
        out[i] = compute(waveforms[i])
    return out


class _PoolRun:
    """The pool's work on one case: workers read a shared copy of the waveforms and write into a shared result."""

    def __init__(self, transform: str, waveforms: np.ndarray) -> None:
        self._transform = transform
        self._waveforms = waveforms
        self._blocks: list[SharedMemory] = []
        self._tasks: list[tuple] = []
        self._result = np.empty(0)

    def __call__(self) -> np.ndarray:
        if not self._tasks:
            self._open()
        for done in [_pool().submit(_compute_slice, *task) for task in self._tasks]:
            done.result()
        return self._result

    def _open(self) -> None:
        batch, one = len(self._waveforms), transforms()[self._transform](self._waveforms[0])
        source = self._share(self._waveforms.shape, self._waveforms.dtype)
        target = self._share((batch, *one.shape), one.dtype)
        _view(source)[:] = self._waveforms
        self._result = _view(target)
        bounds = np.linspace(0, batch, min(batch, cores()) + 1).astype(int)
        shared = tuple((block.name, shape, dtype) for block, shape, dtype in (source, target))
        self._tasks = [(self._transform, *shared, int(a), int(b)) for a, b in itertools.pairwise(bounds)]

    def _share(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[SharedMemory, tuple[int, ...], str]:
        size = int(np.prod(shape)) * dtype.itemsize
        if _SHARED.is_dir() and shutil.disk_usage(_SHARED).free < size:
            # Without this the kernel would kill the process at the first write beyond the end.
            raise MemoryError(f"{size / 2**20:.0f} MiB of shared memory are not free")
        self._blocks.append(SharedMemory(create=True, size=size))
        return self._blocks[-1], shape, dtype.str

    def close(self) -> None:
        self._tasks, self._result = [], np.empty(0)  # A block cannot be closed while an array looks into it.
        for block in self._blocks:
            block.close()
            block.unlink()
        self._blocks = []


def _view(shared: tuple[SharedMemory, tuple[int, ...], str]) -> np.ndarray:
    block, shape, dtype = shared
    return np.ndarray(shape, np.dtype(dtype), block.buf)


@functools.cache
def _pool() -> ProcessPoolExecutor:
    """One warm worker a core, for the whole run; each keeps to one thread, or they would get in each other's way."""
    with environment(dict.fromkeys(_ONE_THREAD, "1")):
        pool = ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=transforms)
        # A worker is started when a task finds none idle: these keep the first ones busy until all are there.
        for started in [pool.submit(time.sleep, 0.2) for _ in range(cores())]:
            started.result()
    return pool


# A shared array as it is named to a worker: name of the block, shape, dtype.
Shared = tuple[str, tuple[int, ...], str]


def _compute_slice(transform: str, source: Shared, target: Shared, start: int, stop: int) -> None:
    """Runs in a worker."""
    waveforms, out = _attach(source), _attach(target)
    compute = transforms()[transform]
    for i in range(start, stop):
        out[i] = compute(waveforms[i])


# The two blocks of the case in hand, mapped once: mapping anew would cost a page fault a page on every call.
_attached: dict[str, tuple[SharedMemory, np.ndarray]] = {}


def _attach(shared: Shared) -> np.ndarray:
    name, shape, dtype = shared
    if name not in _attached:
        while len(_attached) > 1:
            block, array = _attached.pop(next(iter(_attached)))
            del array
            block.close()
        block = SharedMemory(name)
        _attached[name] = block, _view((block, shape, dtype))
    return _attached[name][1]

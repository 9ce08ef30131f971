"""The transforms that the front-end suite measures: what each computes, and the least work it takes.

Everybody computes the same: 22,050 Hz (our default), frames of 2048 samples every 512, 128 mel bands, 20 MFCC, 84 CQT bins
from C1, tuning 0, zero padding, float32. The result of an STFT or CQT is its magnitude.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from mer_jax import checks, signal
from mer_jax.benchmark.engine import Contender
from mer_jax.benchmark.memory import jax_device_peak
from mer_jax.signal.devices import on_all_devices, over_devices

SR = 22050
N_FFT = 2048
HOP = 512
N_MELS = 128
N_MFCC = 20
TEMPOGRAM_WIN = 384


@dataclass(frozen=True)
class Transform:
    """One transform of a batch of waveforms.

    Attributes:
        name: as on the command line.
        ours: (batch, samples) to (batch, rows, frames); traceable.
        ffts: frames to ((length, how many) of real FFTs a clip needs); empty where it needs none.
    """

    name: str
    ours: Callable[[jax.Array], jax.Array]
    ffts: Callable[[int], tuple[tuple[int, int], ...]]


def _no_fft(frames: int) -> tuple[tuple[int, int], ...]:
    return ()


def _one_stft(frames: int) -> tuple[tuple[int, int], ...]:
    return ((N_FFT, frames),)


def _octave_ffts(frames: int) -> tuple[tuple[int, int], ...]:
    # librosa's recursion: each of 7 octaves a short FFT a frame; the 2:1 resampling between them is left out of the bound.
    return ((256, 7 * frames),)


def _chroma_ffts(frames: int) -> tuple[tuple[int, int], ...]:
    # The same with 36 bins an octave, whose kernels are three times as long.
    return ((1024, 7 * frames),)


def _tempogram_ffts(frames: int) -> tuple[tuple[int, int], ...]:
    # Autocorrelation: a forward and an inverse real FFT of the zero-padded window at each frame.
    padded = scipy.fft.next_fast_len(2 * TEMPOGRAM_WIN - 1, real=True)
    return ((N_FFT, frames), (padded, 2 * frames))


def _amplitude_envelope(y: jax.Array) -> jax.Array:
    return signal.amplitude_envelope(y, frame_length=N_FFT, hop_length=HOP)


def _rms(y: jax.Array) -> jax.Array:
    return signal.rms(y, frame_length=N_FFT, hop_length=HOP)


def _zcr(y: jax.Array) -> jax.Array:
    return signal.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)


def _stft(y: jax.Array) -> jax.Array:
    return signal.spectrogram(y, n_fft=N_FFT, hop_length=HOP)


def _mel(y: jax.Array) -> jax.Array:
    return signal.melspectrogram(y, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS)


def _mfcc(y: jax.Array) -> jax.Array:
    return signal.mfcc(y, n_mfcc=N_MFCC, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS)


def _cqt(y: jax.Array) -> jax.Array:
    return jnp.abs(signal.cqt(y, hop_length=HOP, n_bins=84, bins_per_octave=12))


def _chroma_cqt(y: jax.Array) -> jax.Array:
    return signal.chroma_cqt(y, hop_length=HOP, tuning=0.0)


def _tempogram(y: jax.Array) -> jax.Array:
    return signal.tempogram(y, hop_length=HOP, win_length=TEMPOGRAM_WIN)


def _numerical_set(y: jax.Array) -> jax.Array:
    return signal.numerical_features(y, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, n_mfcc=N_MFCC)


TRANSFORMS: dict[str, Transform] = {
    transform.name: transform
    for transform in (
        Transform("amplitude_envelope", _amplitude_envelope, _no_fft),
        Transform("rms", _rms, _no_fft),
        Transform("zcr", _zcr, _no_fft),
        Transform("stft", _stft, _one_stft),
        Transform("mel", _mel, _one_stft),
        Transform("mfcc", _mfcc, _one_stft),
        Transform("cqt", _cqt, _octave_ffts),
        Transform("chroma_cqt", _chroma_cqt, _chroma_ffts),
        Transform("tempogram", _tempogram, _tempogram_ffts),
        Transform("numerical_set", _numerical_set, _one_stft),
    )
}


def ours(transform: str, waveforms: np.ndarray, *, one_device: bool = False) -> Contender:
    """Our contender: the transform as one program, compiled at the first call.

    It runs on all devices (of a CPU: its cores), or on one of them and is then called so.
    """
    checks.one_of("transforms", transform, TRANSFORMS)
    function = TRANSFORMS[transform].ours
    # A function of its own for each case: JAX would find the compiled program of an earlier case, and compile in no time.
    compute = (jax.jit if one_device else over_devices)(lambda y: function(y))
    divides = not one_device and len(waveforms) % jax.local_device_count() == 0
    y = on_all_devices(waveforms) if divides else jax.device_put(waveforms)
    return Contender(
        "one_device" if one_device else "ours",
        call=lambda: jax.block_until_ready(compute(y)),
        to_numpy=lambda result: np.asarray(result[0]),
        device_peak=None if jax.default_backend() == "cpu" else jax_device_peak,
    )

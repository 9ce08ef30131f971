"""librosax, the nearest library in JAX: jitted where it can be, called as it is where it cannot."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.benchmark.engine import Contender
from mer_jax.benchmark.memory import jax_device_peak
from mer_jax.benchmark.transforms import HOP, N_FFT, N_MELS, N_MFCC, SR, TEMPOGRAM_WIN

# Wrappers around librosa on the host, which cannot be traced.
_NOT_TRACEABLE = ("tempogram",)


def contenders(transform: str, waveforms: np.ndarray) -> list[Contender]:
    """One contender where librosax has the transform; its CQT in both versions it offers."""
    y = jax.device_put(waveforms)
    on_device = None if jax.default_backend() == "cpu" else jax_device_peak
    entered = []
    for name, function in _functions(transform).items():
        compute = function if transform in _NOT_TRACEABLE else jax.jit(function)
        entered.append(
            Contender(
                name,
                call=partial(_run, compute, y),
                to_numpy=lambda result: np.asarray(result[0]),
                device_peak=on_device,
            )
        )
    return entered


def _run(compute: Callable[[Any], Any], y: Any) -> Any:
    return jax.block_until_ready(compute(y))


def _functions(transform: str) -> dict[str, Callable[[Any], Any]]:
    import librosax
    from librosax import feature

    stft = {"n_fft": N_FFT, "hop_length": HOP}
    cqt = {"sr": SR, "hop_length": HOP, "n_bins": 84, "bins_per_octave": 12, "output_format": "magnitude"}
    functions: dict[str, dict[str, Callable[[Any], Any]]] = {
        "rms": {"librosax": lambda y: feature.rms(y=y, frame_length=N_FFT, hop_length=HOP)},
        "zcr": {
            "librosax": lambda y: feature.zero_crossing_rate(y=y, frame_length=N_FFT, hop_length=HOP),
        },
        "stft": {"librosax": lambda y: jnp.abs(librosax.stft(y, **stft))},
        "mel": {"librosax": lambda y: feature.melspectrogram(y=y, sr=SR, n_mels=N_MELS, **stft)},
        "mfcc": {"librosax": lambda y: feature.mfcc(y=y, sr=SR, n_mfcc=N_MFCC, n_mels=N_MELS, **stft)},
        "cqt": {
            "librosax": lambda y: feature.cqt(y, **cqt),
            "librosax_2010": lambda y: feature.cqt2010(y, pad_mode="constant", **cqt),
        },
        "chroma_cqt": {"librosax": lambda y: feature.chroma_cqt(y=y, sr=SR, hop_length=HOP, tuning=0.0)},
        "tempogram": {
            "librosax": lambda y: feature.tempogram(y=y, sr=SR, hop_length=HOP, win_length=TEMPOGRAM_WIN),
        },
    }
    return functions.get(transform, {})

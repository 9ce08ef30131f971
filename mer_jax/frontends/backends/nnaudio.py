"""nnAudio as a backend: torch computes the features on its device and hands them over by DLPack, without a copy.

Where nnAudio's conventions differ from librosa's, it is told to follow: zero padding, Slaney mel scale and area norm,
magnitudes, and librosa's quality factor ``Q = (r^2 + 1) / (r^2 - 1)`` for a ratio r between neighbouring constant-Q filters,
where nnAudio has ``1 / (r - 1)``, 3 % less at 12 bins an octave. Two differences stay in the constant-Q transform: it uses
full-length kernels at the full sampling rate, so it agrees with ``CQT(method="exact")`` rather than with librosa's octave
recursion; and it rounds the length of a kernel up to whole samples, which is 4e-4 relative L2 over 84 bins (up to 1e-2 in a
single high bin).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.frontends.backends import unsupported
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram

SUPPORTED = (Spectrogram, MelSpectrogram, LogMel, MFCC, CQT, LogCQT)


def compile_frontend(frontend: Frontend) -> Callable[[Any], jax.Array]:
    """A function from waveforms (batch, samples) to features (batch, frames, features), computed by nnAudio.

    The device is torch's: CUDA where torch finds it, else the CPU.

    Raises:
        mer_jax.checks.ConfigError: torch or nnAudio is not installed, or nnAudio has no such feature.
    """
    if type(frontend) not in SUPPORTED:
        raise unsupported("nnaudio", frontend, SUPPORTED)
    try:
        import torch
        from nnAudio import features as nnaudio_features
    except ImportError as error:
        raise checks.ConfigError(
            "backend",
            f"nnaudio needs the package {error.name}, which is not installed",
            remedy="pip install 'mer-jax[nnaudio]'",
        ) from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layer = _layer(nnaudio_features, frontend).to(device)
    decibels = type(frontend) in (LogMel, LogCQT)  # not MFCC, which is a LogMel too: its decibels are inside
    power = frontend.power if isinstance(frontend, Spectrogram) else 1.0
    amplitude = isinstance(frontend, LogCQT)

    def compute(waveforms: Any) -> jax.Array:
        with torch.inference_mode():
            # A JAX array goes over by DLPack too; NumPy memory is shared on the CPU.
            source = (
                torch.from_dlpack(waveforms)
                if isinstance(waveforms, jax.Array)
                else torch.as_tensor(np.asarray(waveforms))
            )
            x = layer(source.to(device))
            if power != 1.0:
                x = x**power
            if decibels:
                x = _decibels(torch, x, amplitude=amplitude)
            # DLPack wants a plain tensor in memory order: inference tensors are not exported.
            frames_last = x.transpose(1, 2).contiguous()
        return jnp.from_dlpack(frames_last.clone() if frames_last.is_inference() else frames_last)

    return compute


def _layer(features: Any, frontend: Any) -> Any:
    """The nnAudio module with a front-end's parameters."""
    common: dict[str, Any] = {"sr": frontend.sr, "hop_length": frontend.hop_length, "verbose": False}
    if isinstance(frontend, CQT):
        ratio = 2.0 ** (1.0 / frontend.bins_per_octave)
        return features.CQT1992v2(
            filter_scale=(ratio - 1) * (ratio**2 + 1) / (ratio**2 - 1),
            fmin=frontend.fmin_hz,
            n_bins=frontend.n_bins,
            bins_per_octave=frontend.bins_per_octave,
            pad_mode="constant",
            **common,
        )
    common |= {"n_fft": frontend.n_fft, "window": frontend.window, "pad_mode": "constant"}
    if isinstance(frontend, Spectrogram):
        return features.STFT(output_format="Magnitude", **common)
    common |= {
        "n_mels": frontend.n_mels,
        "fmin": frontend.fmin_hz,
        "fmax": frontend.fmax_hz,
        "htk": frontend.htk,
    }
    if isinstance(frontend, MFCC):
        return features.MFCC(n_mfcc=frontend.n_mfcc, **common)
    return features.MelSpectrogram(**common)


def _decibels(torch: Any, x: Any, *, amplitude: bool, top_db: float = 80.0) -> Any:
    """Decibels with reference 1, at most ``top_db`` below each clip's maximum: nnAudio has none of its own outside MFCC."""
    power = x.square() if amplitude else x
    db = 10.0 * torch.log10(power.clamp(min=1e-10))
    return torch.maximum(db, db.amax(dim=(1, 2), keepdim=True) - top_db)

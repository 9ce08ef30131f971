"""librosa as a backend: the reference, clip by clip in NumPy. For comparison, not for speed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.frontends.backends import unsupported
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.chroma import Chroma
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.rhythm import Tempogram
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram
from mer_jax.frontends.statistics import SpectralStatistics
from mer_jax.frontends.time_domain import TimeDomain


def compile_frontend(frontend: Frontend) -> Callable[[Any], jax.Array]:
    """A function from waveforms (batch, samples) to features (batch, frames, features), computed by librosa.

    Raises:
        mer_jax.checks.ConfigError: librosa is not installed, or it has no such feature.
    """
    compute_clip = _CLIP.get(type(frontend))
    if compute_clip is None:
        raise unsupported("librosa", frontend, tuple(_CLIP))
    try:
        import librosa
    except ImportError:
        raise checks.ConfigError(
            "backend", "librosa is not installed", remedy="pip install 'mer-jax[reference]'"
        ) from None

    def compute(waveforms: Any) -> jax.Array:
        clips = [compute_clip(librosa, frontend, clip) for clip in np.asarray(waveforms, np.float32)]
        return jnp.asarray(np.stack([clip.T for clip in clips]), jnp.float32)

    return compute


def _spectrogram(librosa: Any, fe: Spectrogram, y: np.ndarray) -> np.ndarray:
    spectrum = librosa.stft(y, n_fft=fe.n_fft, hop_length=fe.hop_length, window=fe.window)
    return np.abs(spectrum) ** fe.power


def _mel(librosa: Any, fe: MelSpectrogram, y: np.ndarray) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=y,
        sr=fe.sr,
        n_fft=fe.n_fft,
        hop_length=fe.hop_length,
        window=fe.window,
        n_mels=fe.n_mels,
        fmin=fe.fmin_hz,
        fmax=fe.fmax_hz,
        htk=fe.htk,
    )


def _log_mel(librosa: Any, fe: MelSpectrogram, y: np.ndarray) -> np.ndarray:
    return librosa.power_to_db(_mel(librosa, fe, y))


def _mfcc(librosa: Any, fe: MFCC, y: np.ndarray) -> np.ndarray:
    return librosa.feature.mfcc(S=_log_mel(librosa, fe, y), n_mfcc=fe.n_mfcc)


def _cqt(librosa: Any, fe: CQT, y: np.ndarray) -> np.ndarray:
    spectrum = librosa.cqt(
        y,
        sr=fe.sr,
        hop_length=fe.hop_length,
        fmin=fe.fmin_hz,
        n_bins=fe.n_bins,
        bins_per_octave=fe.bins_per_octave,
        tuning=0.0,
    )
    return np.abs(spectrum)


def _log_cqt(librosa: Any, fe: LogCQT, y: np.ndarray) -> np.ndarray:
    return librosa.amplitude_to_db(_cqt(librosa, fe, y))


def _chroma(librosa: Any, fe: Chroma, y: np.ndarray) -> np.ndarray:
    return getattr(librosa.feature, f"chroma_{fe.kind}")(y=y, sr=fe.sr, hop_length=fe.hop_length, tuning=0.0)


def _time_domain(librosa: Any, fe: TimeDomain, y: np.ndarray) -> np.ndarray:
    framing = {"frame_length": fe.frame_length, "hop_length": fe.hop_length}

    def amplitude_envelope() -> np.ndarray:
        padded = np.pad(np.abs(y), fe.frame_length // 2)
        return librosa.util.frame(padded, **framing).max(axis=0, keepdims=True)

    compute = {
        "amplitude_envelope": amplitude_envelope,
        "rms": lambda: librosa.feature.rms(y=y, **framing),
        "zero_crossing_rate": lambda: librosa.feature.zero_crossing_rate(y, **framing),
    }
    return np.concatenate([compute[name]() for name in fe.feature_names])


def _tempogram(librosa: Any, fe: Tempogram, y: np.ndarray) -> np.ndarray:
    return librosa.feature.tempogram(y=y, sr=fe.sr, hop_length=fe.hop_length, win_length=fe.win_length)


def _statistics(librosa: Any, fe: SpectralStatistics, y: np.ndarray) -> np.ndarray:
    magnitude = np.abs(librosa.stft(y, n_fft=fe.n_fft, hop_length=fe.hop_length))
    rise = np.maximum(np.diff(magnitude, axis=1, prepend=magnitude[:, :1]), 0)
    of = librosa.feature
    rows = {
        "spectral_flux": lambda: rise.sum(axis=0, keepdims=True),
        "spectral_rolloff": lambda: of.spectral_rolloff(S=magnitude, sr=fe.sr),
        "spectral_centroid": lambda: of.spectral_centroid(S=magnitude, sr=fe.sr),
        "spectral_bandwidth": lambda: of.spectral_bandwidth(S=magnitude, sr=fe.sr),
        "spectral_contrast": lambda: of.spectral_contrast(S=magnitude, sr=fe.sr),
        "spectral_flatness": lambda: of.spectral_flatness(S=magnitude),
    }
    return np.concatenate([compute() for compute in rows.values()])


_CLIP: dict[type[Frontend], Callable[[Any, Any, np.ndarray], np.ndarray]] = {
    Spectrogram: _spectrogram,
    MelSpectrogram: _mel,
    LogMel: _log_mel,
    MFCC: _mfcc,
    CQT: _cqt,
    LogCQT: _log_cqt,
    Chroma: _chroma,
    Tempogram: _tempogram,
    TimeDomain: _time_domain,
    SpectralStatistics: _statistics,
}

"""Audio transforms as pure JAX functions, with librosa's names, keyword names, defaults and axis order.

Every function takes any number of leading batch axes, and treats each clip on its own: batched equals one by
one. All but the signal is keyword-only. Everything works eagerly, under ``jit``, ``vmap`` and ``grad``.
"""

from mer_jax.signal.chroma import chroma_cens, chroma_cqt, tonnetz
from mer_jax.signal.chroma_spectrum import chroma_stft
from mer_jax.signal.compression import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db
from mer_jax.signal.constantq import cqt, vqt
from mer_jax.signal.delta import delta
from mer_jax.signal.descriptors import fft_frequencies
from mer_jax.signal.mel import melspectrogram, mfcc
from mer_jax.signal.numerical import numerical_features, numerical_names
from mer_jax.signal.pcen import pcen
from mer_jax.signal.rhythm import onset_strength
from mer_jax.signal.spectral import (
    poly_features,
    spectral_bandwidth,
    spectral_centroid,
    spectral_contrast,
    spectral_flatness,
    spectral_flux,
    spectral_rolloff,
)
from mer_jax.signal.stft import istft, spectrogram, stft
from mer_jax.signal.tempogram import tempo, tempo_frequencies, tempogram
from mer_jax.signal.temporal import amplitude_envelope, rms, zero_crossing_rate
from mer_jax.signal.tuning import estimate_tuning, pitch_tuning

__all__ = [
    "amplitude_envelope",
    "amplitude_to_db",
    "chroma_cens",
    "chroma_cqt",
    "chroma_stft",
    "cqt",
    "db_to_amplitude",
    "db_to_power",
    "delta",
    "estimate_tuning",
    "fft_frequencies",
    "istft",
    "melspectrogram",
    "mfcc",
    "numerical_features",
    "numerical_names",
    "onset_strength",
    "pcen",
    "pitch_tuning",
    "poly_features",
    "power_to_db",
    "rms",
    "spectral_bandwidth",
    "spectral_centroid",
    "spectral_contrast",
    "spectral_flatness",
    "spectral_flux",
    "spectral_rolloff",
    "spectrogram",
    "stft",
    "tempo",
    "tempo_frequencies",
    "tempogram",
    "tonnetz",
    "vqt",
    "zero_crossing_rate",
]

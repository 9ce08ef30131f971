"""Front-ends: Flax modules from waveforms (batch, samples) to features (batch, frames, features), or to pictures of them.

>>> import mer_jax as mj
>>> from flax import nnx
>>> fe = mj.frontends.TimeDomain(sr=22050, rngs=nnx.Rngs(0))
>>> fe.num_features, fe.frame_rate_hz
(3, 43.06640625)
"""

from mer_jax.frontends.base import Frontend
from mer_jax.frontends.chroma import Chroma
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.image import Image
from mer_jax.frontends.registry import NAMES, build
from mer_jax.frontends.rhythm import Tempogram
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram
from mer_jax.frontends.statistics import SpectralStatistics
from mer_jax.frontends.time_domain import TimeDomain

__all__ = [
    "CQT",
    "MFCC",
    "NAMES",
    "Chroma",
    "Frontend",
    "Image",
    "LogCQT",
    "LogMel",
    "MelSpectrogram",
    "SpectralStatistics",
    "Spectrogram",
    "Tempogram",
    "TimeDomain",
    "build",
]

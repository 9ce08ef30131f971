"""Front-ends: Flax modules from waveforms (batch, samples) to features (batch, frames, features), or to pictures of them.

>>> import mer_jax as mj
>>> from flax import nnx
>>> fe = mj.frontends.TimeDomain(sr=22050, rngs=nnx.Rngs(0))
>>> fe.num_features, fe.frame_rate_hz
(3, 43.06640625)
"""

from mer_jax.frontends.base import Frontend
from mer_jax.frontends.chroma import Chroma
from mer_jax.frontends.compression import PCENLayer, WithPCEN
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.dstft import DSTFT
from mer_jax.frontends.efficient_leaf import EfficientLEAF
from mer_jax.frontends.image import Image
from mer_jax.frontends.leaf import LEAF
from mer_jax.frontends.multiresolution import MultiResolution
from mer_jax.frontends.pcen import PCEN
from mer_jax.frontends.registry import LEARNT_NAMES, NAMES, build
from mer_jax.frontends.rhythm import Tempogram
from mer_jax.frontends.sincnet import SincNet
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram
from mer_jax.frontends.statistics import SpectralStatistics
from mer_jax.frontends.td_filterbank import TDFilterbank
from mer_jax.frontends.time_domain import TimeDomain

__all__ = [
    "CQT",
    "DSTFT",
    "LEAF",
    "LEARNT_NAMES",
    "MFCC",
    "NAMES",
    "PCEN",
    "Chroma",
    "EfficientLEAF",
    "Frontend",
    "Image",
    "LogCQT",
    "LogMel",
    "MelSpectrogram",
    "MultiResolution",
    "PCENLayer",
    "SincNet",
    "SpectralStatistics",
    "Spectrogram",
    "TDFilterbank",
    "Tempogram",
    "TimeDomain",
    "WithPCEN",
    "build",
]

"""Music emotion recognition in JAX.

Audio goes in; a compiled, differentiable front-end turns it into features inside the same XLA program as the model; a Flax
model turns those into an emotion.

>>> import mer_jax as mj
>>> y, sr = mj.audio.load("song.mp3", sr=22050)  # doctest: +SKIP
>>> S = mj.signal.stft(y, n_fft=2048, hop_length=512)  # doctest: +SKIP

Sub-packages are imported when they are first used, so that ``import mer_jax`` stays quick and needs only jax, flax, optax
and numpy.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from mer_jax._version import __version__

if TYPE_CHECKING:
    from mer_jax import (
        audio,
        benchmark,
        checks,
        data,
        evaluation,
        export,
        features,
        frontends,
        models,
        predict,
        signal,
        training,
    )

_SUBMODULES = (
    "audio",
    "benchmark",
    "checks",
    "data",
    "evaluation",
    "export",
    "features",
    "frontends",
    "models",
    "predict",
    "signal",
    "training",
)


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"mer_jax.{name}")
    raise AttributeError(f"module 'mer_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])


__all__ = ["__version__", *_SUBMODULES]

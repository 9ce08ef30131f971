"""Front-ends by the name used in configurations and on the command line."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.chroma import Chroma
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.rhythm import Tempogram
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram
from mer_jax.frontends.statistics import SpectralStatistics
from mer_jax.frontends.time_domain import SERIES, TimeDomain

# Name -> class and the options that the name stands for.
_FRONTENDS: dict[str, tuple[type[Frontend], dict[str, Any]]] = {
    "time_domain": (TimeDomain, {}),
    **{name: (TimeDomain, {"series": (name,)}) for name in SERIES},
    "spectrogram": (Spectrogram, {}),
    "mel": (MelSpectrogram, {}),
    "log_mel": (LogMel, {}),
    "mfcc": (MFCC, {}),
    "cqt": (CQT, {}),
    "log_cqt": (LogCQT, {}),
    "chroma": (Chroma, {}),
    "tempogram": (Tempogram, {}),
    "spectral_statistics": (SpectralStatistics, {}),
}

NAMES = tuple(_FRONTENDS)


def build(name: str, *, sr: int, options: Mapping[str, Any] | None = None, rngs: nnx.Rngs) -> Frontend:
    """Build the front-end called ``name``.

    Args:
        name: one of :data:`NAMES`.
        sr: sampling rate of the waveforms, Hz.
        options: further keyword arguments of the front-end's class.
        rngs: random keys for what is initialised at random.

    Raises:
        mer_jax.checks.ConfigError: an unknown name or option, with the nearest known one.
    """
    try:
        checks.one_of("frontend.name", name, NAMES)
        cls, preset = _FRONTENDS[name]
        known = sorted(_options(cls) - {"sr", "rngs", *preset})
        for option in options or {}:
            checks.one_of(f"frontend.options of {name}", option, known)
        make: Callable[..., Frontend] = cls
        return make(sr=sr, rngs=rngs, **preset, **(options or {}))
    except checks.ArgumentError as error:
        raise checks.ConfigError(
            error.where, error.problem, expected=error.expected, remedy=error.remedy
        ) from None


def _options(cls: type) -> set[str]:
    """Keyword arguments of a class, with those it passes on to its base."""
    options: set[str] = set()
    for base in cls.__mro__:
        if base is Frontend:
            break
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        options |= {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return options

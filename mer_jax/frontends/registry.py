"""Front-ends by the name used in configurations and on the command line."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.chroma import Chroma
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.dstft import DSTFT
from mer_jax.frontends.efficient_leaf import EfficientLEAF
from mer_jax.frontends.leaf import LEAF
from mer_jax.frontends.multiresolution import MultiResolution
from mer_jax.frontends.pcen import PCEN
from mer_jax.frontends.rhythm import Tempogram
from mer_jax.frontends.sincnet import SincNet
from mer_jax.frontends.spectrogram import MFCC, LogMel, MelSpectrogram, Spectrogram
from mer_jax.frontends.statistics import SpectralStatistics
from mer_jax.frontends.td_filterbank import TDFilterbank
from mer_jax.frontends.time_domain import SERIES, TimeDomain

Entry = tuple[type[Frontend], Mapping[str, Any]]
"""A class, and the options that a name stands for."""

FRONTENDS: dict[str, Entry] = {
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
    "pcen": (PCEN, {}),
    "leaf": (LEAF, {}),
    "efficient_leaf": (EfficientLEAF, {}),
    "sincnet": (SincNet, {}),
    "td_filterbank": (TDFilterbank, {}),
    "dstft": (DSTFT, {}),
    "multi_resolution": (MultiResolution, {}),
}

NAMES = tuple(FRONTENDS)

#: Those that other libraries have nothing to compare with.
LEARNT_NAMES = (
    "pcen",
    "leaf",
    "efficient_leaf",
    "sincnet",
    "td_filterbank",
    "dstft",
    "multi_resolution",
)


def build(name: str, *, sr: int, options: Mapping[str, Any] | None = None, rngs: nnx.Rngs) -> Frontend:
    """Build the front-end called ``name``.

    Args:
        name: one of :data:`NAMES`.
        sr: sampling rate of the waveforms, Hz.
        options: further keyword arguments of the front-end's class.
        rngs: random keys for what is initialised at random.

    Raises:
        mer_jax.checks.ConfigError: an unknown name or option, with the nearest known one, or a value that cannot be used.
    """
    with checks.as_config("frontend"):
        checks.one_of("name", name, NAMES)
        return build_entry(name, FRONTENDS[name], sr=sr, options=options or {}, rngs=rngs)


def build_entry(name: str, entry: Entry, *, sr: int, options: Mapping[str, Any], rngs: nnx.Rngs) -> Frontend:
    """Build what an entry of a registry stands for.

    Raises:
        mer_jax.checks.ArgumentError: an unknown option, or a value that cannot be used.
    """
    cls, preset = entry
    check_options(name, options, options_of(entry))
    make: Callable[..., Frontend] = cls
    return make(sr=sr, rngs=rngs, **preset, **options)


def check_options(name: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Raise :class:`~mer_jax.checks.ArgumentError`, with the nearest known one, for an option that ``name`` does not have."""
    for option in options:
        checks.one_of(f"options of {name}", option, sorted(known))


def options_of(entry: Entry) -> set[str]:
    """The options that an entry leaves open: keyword arguments of its class, with those it passes on to its base."""
    cls, preset = entry
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
    return options - {"sr", "rngs", *preset}

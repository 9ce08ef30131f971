"""Front-ends by the name used in configurations and on the command line."""

import inspect
from collections.abc import Mapping
from typing import Any

from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.time_domain import SERIES, TimeDomain

# Name -> class and the options that the name stands for.
_FRONTENDS: dict[str, tuple[type[Frontend], dict[str, Any]]] = {
    "time_domain": (TimeDomain, {}),
    **{name: (TimeDomain, {"series": (name,)}) for name in SERIES},
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
        known = set(inspect.signature(cls.__init__).parameters) - {"self", "sr", "rngs", *preset}
        for option in options or {}:
            checks.one_of(f"frontend.options of {name}", option, sorted(known))
        return cls(sr=sr, rngs=rngs, **preset, **(options or {}))
    except checks.ArgumentError as error:
        raise checks.ConfigError(
            error.where, error.problem, expected=error.expected, remedy=error.remedy
        ) from None

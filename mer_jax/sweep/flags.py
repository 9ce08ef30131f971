"""A configuration as the flags of ``mer-jax train``: what differs from the defaults, nothing else."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from mer_jax.config import ExperimentConfig


def flags_of(settings: ExperimentConfig) -> list[str]:
    """The words after ``mer-jax train`` that give these settings.

    >>> from mer_jax.training import OptimizerConfig
    >>> flags_of(ExperimentConfig(network="dense", optimizer=OptimizerConfig(learning_rate=2e-3)))
    ['--network', 'dense', '--optimizer.learning-rate', '0.002']
    """
    return list(_flags(settings, ExperimentConfig(), ""))


def _flags(value: Any, default: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(default):
        here, usual = getattr(value, field.name), getattr(default, field.name)
        if here == usual:
            continue
        name = field.name.replace("_", "-")
        if dataclasses.is_dataclass(usual):
            yield from _flags(here, usual, f"{prefix}{name}.")
        elif isinstance(here, bool):
            yield f"--{prefix}{name}" if here else f"--{prefix}no-{name}"
        else:
            yield f"--{prefix}{name}"
            yield from map(str, _words(here))


def _words(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for pair in value.items():
            yield from pair
    elif isinstance(value, tuple):
        yield from value
    else:
        yield value

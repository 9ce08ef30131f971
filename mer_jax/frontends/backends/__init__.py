"""What computes a front-end: JAX itself, nnAudio (torch), or librosa as the reference.

A backend takes a front-end with its parameters and gives a function from waveforms (batch, samples) to features (batch, frames,
features), so that the same feature can be computed three ways and compared.

========= ================================= ==================================================================
backend   computed by                       features
========= ================================= ==================================================================
jax       one compiled XLA program          all, and the numerical sets of :mod:`mer_jax.features`; alone in learning
nnaudio   torch, on its device; the result  spectrogram, mel, log_mel, mfcc, cqt, log_cqt
          is handed over by DLPack
librosa   NumPy, clip by clip               all fixed ones: the reference, and the slow way
========= ================================= ==================================================================
"""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend

BACKENDS = ("jax", "nnaudio", "librosa")

Compute = Callable[[Any], jax.Array]


def compile_backend(name: str, frontend: Frontend) -> Compute:
    """A function from waveforms (batch, samples) to features (batch, frames, features).

    Args:
        name: one of :data:`BACKENDS`.
        frontend: which feature, with its parameters.

    Raises:
        mer_jax.checks.ConfigError: an unknown backend, a package that is not installed, or a feature that the backend does
            not have, or does not learn.
    """
    try:
        checks.one_of("backend", name, BACKENDS)
    except checks.ArgumentError as error:
        raise checks.ConfigError(
            error.where, error.problem, expected=error.expected, remedy=error.remedy
        ) from None
    check_backend(name, frontend)
    if name == "nnaudio":
        from mer_jax.frontends.backends import nnaudio

        return nnaudio.compile_frontend(frontend)
    if name == "librosa":
        from mer_jax.frontends.backends import librosa

        return librosa.compile_frontend(frontend)
    graph, state = nnx.split(frontend)
    return jax.jit(lambda waveforms: nnx.merge(graph, state)(waveforms))


def check_backend(name: str, frontend: Frontend) -> None:
    """Raise :class:`~mer_jax.checks.ConfigError` if a backend would hold fixed what the front-end is to learn."""
    if name != "jax" and frontend.trainable:
        raise checks.ConfigError(
            "backend",
            f"{name} cannot learn ({', '.join(frontend.trainable)} of {type(frontend).__name__})",
            expected="a fixed front-end",
            remedy="use --backend jax, or leave trainable out",
        )


def unsupported(
    backend: str, frontend: Frontend, supported: tuple[type[Frontend], ...]
) -> checks.ConfigError:
    """The error for a feature that a backend does not have."""
    return checks.ConfigError(
        "backend",
        f"{backend} has no {type(frontend).__name__}",
        expected=f"one of {', '.join(cls.__name__ for cls in supported)}",
        remedy="use --backend jax",
    )

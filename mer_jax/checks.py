"""Checks at the boundary: every error that bad input can cause is worded and raised from here.

One sentence a fault: where, what was found, what was expected, what to do. The command line prints that
sentence and exits with status 2; a caller in Python catches :class:`InputError`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax._shapes import ArrayLike


class InputError(ValueError):
    """Input that cannot be used: names the place, the fault, what was expected and the remedy.

    Args:
        where: the file, folder, option or argument.
        problem: what was found there.
        expected: what would have been right (optional).
        remedy: what to do (optional).
    """

    def __init__(self, where: object, problem: str, *, expected: str = "", remedy: str = "") -> None:
        self.where = str(where)
        self.problem = problem
        self.expected = expected
        self.remedy = remedy
        parts = [f"{self.where}: {problem}"]
        if expected:
            parts.append(f"expected {expected}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts).replace("\n", " "))

    def __reduce__(self) -> tuple:
        # Exceptions cross process boundaries (parallel decoding): pickle by the fields, not by the message.
        return (_rebuild, (type(self), self.where, self.problem, self.expected, self.remedy))


def _rebuild(cls: type, where: str, problem: str, expected: str, remedy: str) -> InputError:
    return cls(where, problem, expected=expected, remedy=remedy)


class AudioError(InputError):
    """An audio file that cannot be used."""


class DataError(InputError):
    """A data set, manifest or split that cannot be used."""


class ConfigError(InputError):
    """A configuration value that cannot be used."""


class CheckpointError(InputError):
    """A checkpoint or weight file that cannot be used."""


class ArgumentError(InputError):
    """An argument of a function of this package that cannot be used."""


class TrainingError(InputError):
    """Training that cannot go on."""


@contextmanager
def as_config(section: str) -> Iterator[None]:
    """Turn an :class:`ArgumentError` raised inside into a :class:`ConfigError` about ``section.name``."""
    try:
        yield
    except ArgumentError as error:
        where = f"{section}.{error.where}"
        raise ConfigError(where, error.problem, expected=error.expected, remedy=error.remedy) from None


def positive(name: str, value: float) -> None:
    """Raise :class:`ArgumentError` unless ``value`` is a finite number above zero."""
    if not np.isfinite(value) or value <= 0:
        raise ArgumentError(name, f"is {value!r}", expected="a number above 0")


def positive_int(name: str, value: int, *, minimum: int = 1) -> None:
    """Raise :class:`ArgumentError` unless ``value`` is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
        raise ArgumentError(name, f"is {value!r}", expected=f"an integer of at least {minimum}")


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Raise :class:`ArgumentError` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise ArgumentError(name, f"is {value!r}", expected=f"a number from {low} to {high}")


def one_of(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise :class:`ArgumentError`, naming the nearest match, unless ``value`` is among ``allowed``."""
    options = list(allowed)
    if value not in options:
        near = get_close_matches(str(value), [str(option) for option in options], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(repr(option) for option in options)
        raise ArgumentError(name, f"is {value!r}", expected=f"one of {listed}", remedy=remedy)


def waveform(y: ArrayLike, *, name: str = "y") -> jax.Array:
    """Return ``y`` as a floating JAX array of at least one axis and one sample.

    Integer samples are refused rather than scaled: whether 1 means full scale or one step is not ours to
    guess.
    """
    y = jnp.asarray(y)
    if not jnp.issubdtype(y.dtype, jnp.floating):
        raise ArgumentError(
            name,
            f"has dtype {y.dtype}",
            expected="floating-point samples in -1..1",
            remedy="convert integer samples with y.astype('float32') / 32768 (int16)",
        )
    if y.ndim < 1 or y.shape[-1] < 1:
        raise ArgumentError(
            name, f"has shape {tuple(y.shape)}", expected="(..., samples) with at least one sample"
        )
    return y


def batched_waveform(y: ArrayLike, *, name: str = "waveforms") -> jax.Array:
    """Return ``y`` as a floating JAX array of shape (batch, samples)."""
    y = waveform(y, name=name)
    if y.ndim != 2:
        raise ArgumentError(
            name,
            f"has shape {tuple(y.shape)}",
            expected="(batch, samples)",
            remedy="add a batch axis to a single clip with y[None]",
        )
    return y


def floating(x: ArrayLike, *, name: str = "S") -> jax.Array:
    """Return ``x`` as a real or complex floating JAX array of any shape."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ArgumentError(name, f"has dtype {x.dtype}", expected="floating-point or complex values")
    return x


def spectrogram(S: ArrayLike, *, name: str = "S") -> jax.Array:
    """Return ``S`` as a real or complex JAX array of shape (..., bins, frames), neither axis empty."""
    S = floating(S, name=name)
    if S.ndim < 2 or 0 in S.shape[-2:]:
        raise ArgumentError(
            name,
            f"has shape {tuple(S.shape)}",
            expected="(..., bins, frames) with at least one of each",
        )
    return S


def exactly_one(names: Sequence[str], values: Sequence[object]) -> None:
    """Raise :class:`ArgumentError` unless exactly one of ``values`` is given (not None)."""
    given = [name for name, value in zip(names, values, strict=True) if value is not None]
    if len(given) != 1:
        found = " and ".join(given) if given else "none of them"
        raise ArgumentError(" / ".join(names), f"{found} given", expected="exactly one of them")

"""Decibels and back, per clip."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Inexact
from mer_jax.signal.precision import widen
from mer_jax.signal.reductions import reduce_clips

#: A reference level: a number, an array that broadcasts against the values, or a function of each clip's magnitudes.
Reference = float | ArrayLike | Callable[[jax.Array], jax.Array]


def power_to_db(
    S: Inexact[ArrayLike, "*dims"],
    *,
    ref: Reference = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
) -> Float[Array, "*dims"]:
    """Power to decibels, ``10 log10(max(amin, S)) - 10 log10(max(amin, ref))``, at most ``top_db`` below the maximum.

    A clip is the last two axes (bins, frames), or all of a shorter array: the maximum behind ``top_db`` and a callable
    ``ref`` are taken over each clip on its own (librosa takes them over the whole array).

    Args:
        S: powers, shape (..., bins, frames); magnitudes are taken of complex values.
        ref: power that becomes 0 dB: a number, or a function of each clip, such as ``jnp.max`` or ``np.max``.
        amin: floor of ``S`` and ``ref``.
        top_db: range kept below each clip's maximum; None keeps everything.

    Returns:
        Decibels, of the shape of ``S`` and its real dtype.

    Raises:
        ArgumentError: unless ``amin`` is above 0 and ``top_db`` at least 0.

    Source:
        librosa 0.11, ``librosa.power_to_db``.

    >>> power_to_db(jnp.array([[2.0, 0.2, 0.0]]), ref=jnp.max, top_db=40.0).round().astype(int).tolist()
    [[0, -10, -40]]
    """
    return _checked_to_db(S, ref, amin, top_db, factor=10.0)


def amplitude_to_db(
    S: Inexact[ArrayLike, "*dims"],
    *,
    ref: Reference = 1.0,
    amin: float = 1e-5,
    top_db: float | None = 80.0,
) -> Float[Array, "*dims"]:
    """Amplitude to decibels, ``20 log10(max(amin, |S|)) - 20 log10(max(amin, ref))``, at most ``top_db`` below the maximum.

    Args:
        S: amplitudes, shape (..., bins, frames); magnitudes are taken.
        ref: amplitude that becomes 0 dB: a number, or a function of each clip, such as ``jnp.max`` or ``np.max``.
        amin: floor of ``|S|`` and ``ref``.
        top_db: range kept below each clip's maximum (see :func:`power_to_db`); None keeps everything.

    Returns:
        Decibels, of the shape of ``S`` and its real dtype.

    Raises:
        ArgumentError: unless ``amin`` is above 0 and ``top_db`` at least 0.

    Source:
        librosa 0.11, ``librosa.amplitude_to_db``.

    >>> amplitude_to_db(jnp.array([[1.0, -0.1]]), top_db=None).round(3).tolist()
    [[0.0, -20.0]]
    """
    return _checked_to_db(jnp.abs(jnp.asarray(S)), ref, amin, top_db, factor=20.0)


def _checked_to_db(
    S: ArrayLike, ref: Reference, amin: float, top_db: float | None, *, factor: float
) -> jax.Array:
    checks.positive("amin", amin)
    if top_db is not None:
        checks.in_range("top_db", top_db, 0.0, float("inf"))
    S = checks.floating(S)
    S = jnp.abs(S) if jnp.iscomplexobj(S) else S
    x = widen(S)
    level = reduce_clips(ref, x, core_ndim=2) if callable(ref) else jnp.abs(jnp.asarray(ref, x.dtype))
    level = level.reshape((1,) * (x.ndim - level.ndim) + level.shape)
    top_db = None if top_db is None else float(top_db)
    return _to_db(x, level, amin=float(amin), top_db=top_db, factor=factor).astype(S.dtype)


@partial(jax.jit, static_argnames=("amin", "top_db", "factor"))
def _to_db(x: jax.Array, level: jax.Array, *, amin: float, top_db: float | None, factor: float) -> jax.Array:
    db = factor * jnp.log10(jnp.maximum(amin, x)) - factor * jnp.log10(jnp.maximum(amin, level))
    if top_db is not None:
        clip_axes = tuple(range(max(0, x.ndim - 2), x.ndim))
        db = jnp.maximum(db, jnp.max(db, axis=clip_axes, keepdims=True) - top_db)
    return db


def db_to_power(S_db: Float[ArrayLike, "*dims"], *, ref: float | ArrayLike = 1.0) -> Float[Array, "*dims"]:
    """Decibels to power, ``ref * 10 ** (S_db / 10)``: the inverse of :func:`power_to_db` where that did not clip.

    Args:
        S_db: decibels, any shape.
        ref: power of 0 dB.

    Returns:
        Powers, of the shape and dtype of ``S_db``.

    Source:
        librosa 0.11, ``librosa.db_to_power``.

    >>> db_to_power(jnp.array([0.0, 20.0])).tolist()
    [1.0, 100.0]
    """
    return _from_db(checks.floating(S_db, name="S_db"), jnp.asarray(ref), factor=10.0)


def db_to_amplitude(
    S_db: Float[ArrayLike, "*dims"], *, ref: float | ArrayLike = 1.0
) -> Float[Array, "*dims"]:
    """Decibels to amplitude, ``|ref| * 10 ** (S_db / 20)``: the inverse of :func:`amplitude_to_db` where that did not clip.

    Args:
        S_db: decibels, any shape.
        ref: amplitude of 0 dB.

    Returns:
        Amplitudes, of the shape and dtype of ``S_db``.

    Source:
        librosa 0.11, ``librosa.db_to_amplitude``.

    >>> db_to_amplitude(jnp.array([0.0, 20.0])).tolist()
    [1.0, 10.0]
    """
    return _from_db(checks.floating(S_db, name="S_db"), jnp.abs(jnp.asarray(ref)), factor=20.0)


@partial(jax.jit, static_argnames=("factor",))
def _from_db(S_db: jax.Array, level: jax.Array, *, factor: float) -> jax.Array:
    x = widen(S_db)
    level = level.astype(x.dtype).reshape((1,) * (x.ndim - level.ndim) + level.shape)
    return (level * jnp.power(10.0, x / factor)).astype(S_db.dtype)

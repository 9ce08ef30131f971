"""Tempogram and tempo: the periods at which onsets repeat."""

from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Shaped
from mer_jax.signal.normalization import check_norm, normalize
from mer_jax.signal.platform import per_clip, platform
from mer_jax.signal.precision import compute_dtype, widen
from mer_jax.signal.reductions import traceable
from mer_jax.signal.rhythm import onset_strength
from mer_jax.signal.spectra import rows_per_step
from mer_jax.signal.windows import WindowSpec, centered_window


def tempogram(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    onset_envelope: Float[ArrayLike, "*batch frames"] | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    center: bool = True,
    window: WindowSpec = "hann",
    norm: float | None = np.inf,
) -> Float[Array, "*batch lags windows"]:
    """Local autocorrelation of the onset strength: ``sum_k w[k] o[t + k] w[k + l] o[t + k + l]`` for lags ``l``.

    Args:
        y: samples, shape (..., samples); or give ``onset_envelope``.
        sr: sampling rate in hertz.
        onset_envelope: onset strength ``o``, shape (..., frames).
        hop_length: samples between frames.
        win_length: frames of the window, and number of lags.
        center: centre the window on its frame, the envelope being continued in a ramp to 0 on both sides.
        window: a specification of ``scipy.signal.get_window``, or ``win_length`` values.
        norm: order of the norm that each frame is scaled to; None leaves it.

    Returns:
        Shape (..., win_length, frames); lag ``l`` is ``l * hop_length / sr`` seconds.

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``onset_envelope`` is given and every option can be used.

    Source:
        Grosche, Müller and Kurth (2010); librosa 0.11, ``librosa.feature.tempogram``.

    >>> tempogram(onset_envelope=jnp.ones(10), win_length=4).shape
    (4, 10)
    """
    checks.exactly_one(("y", "onset_envelope"), (y, onset_envelope))
    checks.positive_int("win_length", win_length)
    check_norm(norm)
    if onset_envelope is None:
        onset_envelope = onset_strength(y, sr=sr, hop_length=hop_length)
    o = checks.waveform(onset_envelope, name="onset_envelope")
    if not center and o.shape[-1] < win_length:
        raise checks.ArgumentError(
            "win_length",
            f"is {win_length}, more than the {o.shape[-1]} frames",
            expected="at most as many when center=False",
        )
    taper = centered_window(window, win_length, win_length, compute_dtype(o.dtype))
    return _tempogram(o, taper, center=center, norm=norm)


@partial(jax.jit, static_argnames=("center", "norm"))
def _tempogram(o: jax.Array, taper: jax.Array, *, center: bool, norm: float | None) -> jax.Array:
    win_length = taper.shape[0]
    frames = o.shape[-1] if center else o.shape[-1] - win_length + 1

    def one_clip(envelope: jax.Array) -> jax.Array:
        if center:
            envelope = jnp.pad(envelope, win_length // 2, mode="linear_ramp", end_values=0)
        found = _local_autocorrelation(envelope, taper, frames)
        return normalize(found, norm=norm, axis=-1).T

    return per_clip(one_clip, widen(o)).astype(o.dtype)


# More windows than this are gathered: the program would grow with each slice.
_MAX_SLICES = 64


def _local_autocorrelation(x: jax.Array, taper: jax.Array, frames: int) -> jax.Array:
    """Autocorrelation of each tapered window of ``x``, (frames, lags), by FFT (Wiener-Khinchin)."""
    lags = taper.shape[0]
    size = scipy.fft.next_fast_len(2 * lags - 1, real=True)
    step = rows_per_step(size, x.dtype.itemsize) if platform() == "cpu" else frames
    steps = -(-frames // step)
    x = jnp.pad(x, (0, max(0, steps * step + lags - x.shape[0])))

    def some(start: jax.Array) -> jax.Array:
        # A block of consecutive windows shares its samples: rows are slices at fixed offsets.
        block = lax.dynamic_slice(x, (start,), (step + lags - 1,))
        if step <= _MAX_SLICES:
            rows = jnp.stack([block[k : k + lags] for k in range(step)])
        else:
            rows = block[jnp.arange(step)[:, None] + jnp.arange(lags)[None, :]]
        spectrum = jnp.fft.rfft(rows * taper[None, :], n=size)
        power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
        return jnp.fft.irfft(power, n=size)[:, :lags]

    if steps == 1:
        return some(jnp.zeros((), jnp.int32))[:frames]
    out = lax.map(some, jnp.arange(steps, dtype=jnp.int32) * step)
    return out.reshape(-1, lags)[:frames]


def tempo_frequencies(n_bins: int, *, hop_length: int = 512, sr: float = 22050) -> np.ndarray:
    """Tempo of each lag of a tempogram, ``60 sr / (hop_length l)`` in beats per minute; infinite for lag 0.

    >>> tempo_frequencies(3, hop_length=1, sr=2.0).tolist()
    [inf, 120.0, 60.0]
    """
    lags = np.arange(1, n_bins)
    return np.concatenate([[np.inf], 60.0 * sr / (hop_length * lags)])


@runtime_checkable
class Prior(Protocol):
    """A distribution over tempo: a frozen one of ``scipy.stats``, or anything with its ``logpdf``."""

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        """Log-density at tempos in beats per minute."""


def tempo(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    onset_envelope: Float[ArrayLike, "*batch frames"] | None = None,
    tg: Float[ArrayLike, "*batch lags frames"] | None = None,
    hop_length: int = 512,
    start_bpm: float = 120.0,
    std_bpm: float = 1.0,
    ac_size: float = 8.0,
    max_tempo: float | None = 320.0,
    aggregate: Callable[..., jax.Array] | None = jnp.mean,
    prior: Prior | Float[ArrayLike, " candidates"] | None = None,
) -> Float[Array, "*batch estimates"]:
    """Tempo in beats per minute: the lag of the strongest local autocorrelation, weighted by a prior.

    ``argmax_l log(1 + 10^6 tg[l]) - ((log2 bpm[l] - log2 start_bpm) / std_bpm)^2 / 2``. A step function: its gradient is 0.
    The tempogram behind it has its own defaults and a window of ``ac_size`` seconds.

    Args:
        y: samples, shape (..., samples); or give ``onset_envelope`` or ``tg``.
        sr: sampling rate in hertz.
        onset_envelope: onset strength, shape (..., frames).
        tg: tempogram, shape (..., lags, frames).
        hop_length: samples between frames.
        start_bpm: centre of the log-normal prior.
        std_bpm: its width in octaves.
        ac_size: seconds of the autocorrelation window, at least two frames.
        max_tempo: no tempo above this, in beats per minute.
        aggregate: summarises the tempogram over frames, called with ``axis`` and ``keepdims``; None gives a tempo a frame.
        prior: replaces the log-normal prior: a distribution (``scipy.stats``) over beats per minute, or its log-density at
            :func:`tempo_frequencies` of the lags.

    Returns:
        Shape (..., 1), or (..., frames) if ``aggregate`` is None.

    Raises:
        ArgumentError: unless exactly one of ``y``, ``onset_envelope`` and ``tg`` is given and every option can be used.

    Source:
        Ellis (2007) for the prior; librosa 0.11, ``librosa.feature.tempo``.
    """
    checks.exactly_one(("y", "onset_envelope", "tg"), (y, onset_envelope, tg))
    checks.positive("start_bpm", start_bpm)
    checks.positive("std_bpm", std_bpm)
    checks.positive("ac_size", ac_size)
    if tg is None:
        lags = int(ac_size * sr) // hop_length
        if lags < 2:
            raise checks.ArgumentError(
                "ac_size", f"is {ac_size} s", expected=f"at least two frames, {2 * hop_length / sr:.3g} s"
            )
        tg = tempogram(y, sr=sr, onset_envelope=onset_envelope, hop_length=hop_length, win_length=lags)
    tg = checks.spectrogram(tg, name="tg")
    if aggregate is not None:
        tg = traceable(aggregate)(tg, axis=-1, keepdims=True)
    bpm = tempo_frequencies(tg.shape[-2], hop_length=hop_length, sr=sr)
    log_prior = _log_prior(bpm, prior, start_bpm, std_bpm)
    if max_tempo is not None:
        checks.positive("max_tempo", max_tempo)
        too_fast = np.arange(len(bpm)) < np.argmax(bpm < max_tempo)
        log_prior = jnp.where(too_fast, -jnp.inf, log_prior)
    return _most_likely(tg, log_prior, bpm)


def _log_prior(
    bpm: np.ndarray, prior: Prior | ArrayLike | None, start_bpm: float, std_bpm: float
) -> jax.Array:
    if prior is None:
        return jnp.asarray(-0.5 * ((np.log2(bpm) - np.log2(start_bpm)) / std_bpm) ** 2)
    values = jnp.asarray(prior.logpdf(bpm) if isinstance(prior, Prior) else prior)
    if values.shape != bpm.shape:
        raise checks.ArgumentError(
            "prior", f"has shape {values.shape}", expected=f"{bpm.shape}, one log-density for each lag"
        )
    return values


@jax.jit
def _most_likely(tg: jax.Array, log_prior: jax.Array, bpm: jax.Array) -> jax.Array:
    x = widen(tg)
    prior = log_prior.astype(x.dtype).reshape((1,) * (x.ndim - 2) + (-1, 1))
    best = (jnp.log1p(1e6 * x) + prior).argmax(axis=-2)
    return bpm.astype(x.dtype)[best]

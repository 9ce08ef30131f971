"""Onset strength, tempogram and tempo."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from jax import lax
from scipy.signal import get_window

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Shaped
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.mel import melspectrogram
from mer_jax.signal.normalization import check_norm, normalize
from mer_jax.signal.platform import per_clip, platform
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import rows_per_step


def onset_strength(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    S: Float[ArrayLike, "*batch bins frames"] | None = None,
    lag: int = 1,
    max_size: int = 1,
    ref: Float[ArrayLike, "*batch bins frames"] | None = None,
    detrend: bool = False,
    center: bool = True,
    aggregate: Callable[..., jax.Array] | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> Float[Array, "*batch frames"]:
    """Rise of the log-mel spectrum over ``lag`` frames, ``mean_f max(0, S[f, t] - ref[f, t - lag])``.

    Args:
        y: samples, shape (..., samples); or give ``S``.
        sr: sampling rate in hertz.
        S: log-power spectrogram, shape (..., bins, frames); None is the mel spectrogram in decibels.
        lag: frames between the two spectra compared.
        max_size: bins of the maximum filter over frequency that makes the reference; 1 for none.
        ref: reference spectrogram instead of the filtered ``S``.
        detrend: remove the slow trend with the filter ``(1 - z^-1) / (1 - 0.99 z^-1)``.
        center: shift by half a transform, so that frame ``t`` speaks of sample ``t * hop_length``.
        aggregate: reduces over bins, called with ``axis=-2``: ``jnp.mean`` (default), ``jnp.median``, ``jnp.max``, or NumPy's.
        n_fft: samples in a frame (of the transform behind ``S``, too).
        hop_length: samples between frames.
        n_mels: mel bands.
        fmin: lowest frequency in hertz.
        fmax: highest frequency in hertz; None is ``sr / 2``.

    Returns:
        Shape (..., frames).

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given and every option can be used.

    Source:
        librosa 0.11, ``librosa.onset.onset_strength``; Böck and Widmer (2013) for ``max_size``.

    >>> onset_strength(S=jnp.array([[0.0, 3.0, 3.0, 5.0]]), center=False).tolist()
    [0.0, 3.0, 0.0, 2.0]
    """
    checks.exactly_one(("y", "S"), (y, S))
    checks.positive_int("lag", lag)
    checks.positive_int("max_size", max_size)
    if S is None:
        options = {"n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels, "fmin": fmin, "fmax": fmax}
        S = power_to_db(melspectrogram(y, sr=sr, **options))
    S = checks.spectrogram(S)
    reference = S if ref is None else checks.spectrogram(ref, name="ref")
    if reference.shape != S.shape:
        raise checks.ArgumentError("ref", f"has shape {reference.shape}", expected=f"that of S, {S.shape}")
    name = getattr(aggregate, "__name__", "")
    if aggregate is None or getattr(np, name, None) is aggregate:
        aggregate = getattr(jnp, name or "mean")
    shift = lag + (n_fft // (2 * hop_length) if center else 0)
    return _onset_strength(
        S,
        reference,
        lag=lag,
        max_size=max_size if ref is None else 1,
        detrend=detrend,
        shift=shift,
        trim=center,
        aggregate=aggregate,
    )


@partial(jax.jit, static_argnames=("lag", "max_size", "detrend", "shift", "trim", "aggregate"))
def _onset_strength(
    S: jax.Array,
    reference: jax.Array,
    *,
    lag: int,
    max_size: int,
    detrend: bool,
    shift: int,
    trim: bool,
    aggregate: Callable[..., jax.Array],
) -> jax.Array:
    x, before = widen(S), widen(reference)
    if max_size > 1:
        before = _maximum_filter(before, max_size)
    strength = aggregate(jnp.maximum(x[..., lag:] - before[..., : before.shape[-1] - lag], 0), axis=-2)
    strength = jnp.concatenate([jnp.zeros((*strength.shape[:-1], shift), strength.dtype), strength], axis=-1)
    if detrend:
        strength = _detrend(strength)
    return (strength[..., : S.shape[-1]] if trim else strength).astype(S.dtype)


def _maximum_filter(x: jax.Array, size: int) -> jax.Array:
    """Maximum over ``size`` neighbouring bins, mirrored at the edges (scipy.ndimage.maximum_filter1d)."""
    padding = [(0, 0)] * (x.ndim - 2) + [(size // 2, size - 1 - size // 2), (0, 0)]
    padded = jnp.pad(x, padding, mode="symmetric")
    bins = x.shape[-2]
    shifted = [padded[..., k : k + bins, :] for k in range(size)]
    return jnp.stack(shifted).max(axis=0)


def _detrend(x: jax.Array) -> jax.Array:
    """``y[t] = x[t] - x[t-1] + 0.99 y[t-1]``, from rest."""
    steps = jnp.diff(x, axis=-1, prepend=jnp.zeros_like(x[..., :1]))

    def combine(
        a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        return a[0] * b[0], b[0] * a[1] + b[1]

    decay = jnp.full_like(steps, 0.99)
    return lax.associative_scan(combine, (decay, steps), axis=-1)[1]


def tempogram(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    onset_envelope: Float[ArrayLike, "*batch frames"] | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    center: bool = True,
    window: str | tuple | float = "hann",
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
        window: a specification of ``scipy.signal.get_window``.
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
    return _tempogram(o, win_length=win_length, center=center, window=window, norm=norm)


@partial(jax.jit, static_argnames=("win_length", "center", "window", "norm"))
def _tempogram(
    o: jax.Array, *, win_length: int, center: bool, window: str | tuple | float, norm: float | None
) -> jax.Array:
    taper = jnp.asarray(get_window(window, win_length, fftbins=True), widen(o).dtype)
    frames = o.shape[-1] if center else o.shape[-1] - win_length + 1

    def one_clip(envelope: jax.Array) -> jax.Array:
        if center:
            envelope = jnp.pad(envelope, win_length // 2, mode="linear_ramp", end_values=0)
        found = _local_autocorrelation(envelope, taper, frames)
        return normalize(found, norm=norm, axis=-1).T

    return per_clip(one_clip, widen(o)).astype(o.dtype)


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
        rows = (
            jnp.stack([block[k : k + lags] for k in range(step)])
            if step <= 64
            else block[jnp.arange(step)[:, None] + jnp.arange(lags)[None, :]]
        )
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
) -> Float[Array, "*batch estimates"]:
    """Tempo in beats per minute: the lag of the strongest local autocorrelation, weighted by a log-normal prior.

    ``argmax_l log(1 + 10^6 tg[l]) - ((log2 bpm[l] - log2 start_bpm) / std_bpm)^2 / 2``. A step function: its gradient is 0.

    Args:
        y: samples, shape (..., samples); or give ``onset_envelope`` or ``tg``.
        sr: sampling rate in hertz.
        onset_envelope: onset strength, shape (..., frames).
        tg: tempogram, shape (..., lags, frames).
        hop_length: samples between frames.
        start_bpm: centre of the prior.
        std_bpm: its width in octaves.
        ac_size: seconds of the autocorrelation window.
        max_tempo: no tempo above this, in beats per minute.
        aggregate: summarises the tempogram over frames, called with ``axis`` and ``keepdims``; None gives a tempo a frame.

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
        lags = int(np.floor(ac_size * sr) // hop_length)
        tg = tempogram(y, sr=sr, onset_envelope=onset_envelope, hop_length=hop_length, win_length=lags)
    tg = checks.spectrogram(tg, name="tg")
    if aggregate is not None:
        tg = getattr(jnp, getattr(aggregate, "__name__", ""), aggregate)(tg, axis=-1, keepdims=True)
    bpm = tempo_frequencies(tg.shape[-2], hop_length=hop_length, sr=sr)
    with np.errstate(divide="ignore"):
        prior = -0.5 * ((np.log2(bpm) - np.log2(start_bpm)) / std_bpm) ** 2
    if max_tempo is not None:
        checks.positive("max_tempo", max_tempo)
        prior[: int(np.argmax(bpm < max_tempo))] = -np.inf
    weighted = jnp.log1p(1e6 * widen(tg)) + jnp.asarray(prior, widen(tg).dtype).reshape(
        (1,) * (tg.ndim - 2) + (-1, 1)
    )
    return jnp.asarray(bpm, widen(tg).dtype)[weighted.argmax(axis=-2)]

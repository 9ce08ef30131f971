"""Mel spectrogram and mel-frequency cepstral coefficients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Inexact, Shaped
from mer_jax.signal import filterbanks
from mer_jax.signal.compression import power_to_db
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import compute_dtype, widen
from mer_jax.signal.spectra import magnitude_power, map_spectra
from mer_jax.signal.stft import frame_options
from mer_jax.signal.windows import WindowSpec


def melspectrogram(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    S: Inexact[ArrayLike, "*batch bins frames"] | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
) -> Float[Array, "*batch n_mels frames"]:
    """Mel spectrogram ``sum_f M[m, f] |D[f, t]| ** power``.

    Args:
        y: samples, shape (..., samples); or give ``S``.
        sr: sampling rate in hertz.
        S: spectrogram, already to its power, shape (..., bins, frames); the options of the transform then do not apply, and
            ``n_fft`` follows from the bins unless it fits them.
        n_fft: see :func:`mer_jax.signal.stft`, as for all down to ``pad_mode``.
        hop_length: samples between frames.
        win_length: None is ``n_fft``.
        window: a specification or samples.
        center: centre the frames.
        pad_mode: how ``center`` pads.
        power: exponent of the magnitude: 1 for energy, 2 for power.
        n_mels: see :func:`mer_jax.signal.filterbanks.mel`, as for all that follow.
        fmin: lowest frequency in hertz.
        fmax: highest frequency in hertz; None is ``sr / 2``.
        htk: HTK's mel scale instead of Slaney's.
        norm: ``"slaney"``, an order, or None.

    Returns:
        Shape (..., n_mels, frames), of the dtype of the input.

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given, or if an option cannot be used.

    Source:
        librosa 0.11, ``librosa.feature.melspectrogram``.

    >>> melspectrogram(jnp.ones(2048), n_fft=512, n_mels=4).shape
    (4, 5)
    """
    checks.exactly_one(("y", "S"), (y, S))
    bank = partial(filterbanks.mel, sr=sr, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm)
    if S is not None:
        S = checks.spectrogram(S)
        fits = n_fft // 2 + 1 == S.shape[-2]
        n_fft = n_fft if fits else 2 * (S.shape[-2] - 1)
        bank(n_fft=n_fft)
        return _mel_of_spectrogram(S, bank=(sr, n_fft, n_mels, fmin, fmax, htk, norm))
    assert y is not None  # exactly one is given
    y = checks.waveform(y)
    checks.positive("power", power)
    framed = frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode)
    bank(n_fft=n_fft)  # errors in its arguments surface here, not while the program is traced
    key = (sr, n_fft, n_mels, fmin, fmax, htk, norm)
    return _melspectrogram(y, framed.pop("window"), bank=key, power=float(power), **framed)


@partial(jax.jit, static_argnames=("hop_length", "center", "pad_mode", "bank", "power"))
def _melspectrogram(
    y: jax.Array,
    window: jax.Array,
    *,
    hop_length: int,
    center: bool,
    pad_mode: str,
    bank: tuple,
    power: float,
) -> jax.Array:
    filters = _filters(bank)
    mel = map_spectra(
        lambda z: filters.on_rows(magnitude_power(z, power)),
        widen(y),
        window,
        hop_length=hop_length,
        center=center,
        pad_mode=pad_mode,
    )
    return mel.astype(y.dtype)


@partial(jax.jit, static_argnames=("bank",))
def _mel_of_spectrogram(S: jax.Array, *, bank: tuple) -> jax.Array:
    S = jnp.abs(S) if jnp.iscomplexobj(S) else S
    return per_clip(_filters(bank).on_columns, widen(S), core_ndim=2).astype(S.dtype)


def _filters(bank: tuple) -> filterbanks.FilterBank:
    names = ("sr", "n_fft", "n_mels", "fmin", "fmax", "htk", "norm")
    return filterbanks.FilterBank(filterbanks.mel(**dict(zip(names, bank, strict=True))))


def mfcc(
    y: Shaped[ArrayLike, "*batch samples"] | None = None,
    *,
    sr: float = 22050,
    S: Float[ArrayLike, "*batch n_mels frames"] | None = None,
    n_mfcc: int = 20,
    dct_type: int = 2,
    norm: str | None = "ortho",
    lifter: float = 0,
    mel_norm: str | float | None = "slaney",
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
) -> Float[Array, "*batch n_mfcc frames"]:
    """Mel-frequency cepstral coefficients: the cosine transform of the mel spectrogram in decibels.

    ``c[k, t] = l[k] * sum_m DCT[k, m] * 10 log10 mel[m, t]``, the decibels cut 80 dB below each clip's maximum.

    Args:
        y: samples, shape (..., samples); or give ``S``.
        sr: sampling rate in hertz.
        S: mel spectrogram in decibels, shape (..., n_mels, frames).
        n_mfcc: number of coefficients, at most the number of mel bands.
        dct_type: 1, 2 or 3.
        norm: ``"ortho"`` or None, the scaling of the cosine transform.
        lifter: length of the lifter ``l[k] = 1 + lifter / 2 * sin(pi * (k + 1) / lifter)``; 0 for none.
        mel_norm: ``norm`` of :func:`melspectrogram`.
        n_fft: see :func:`melspectrogram`, as for all that follow.
        hop_length: samples between frames.
        win_length: None is ``n_fft``.
        window: a specification or samples.
        center: centre the frames.
        pad_mode: how ``center`` pads.
        power: exponent of the magnitude.
        n_mels: mel bands.
        fmin: lowest frequency in hertz.
        fmax: highest frequency in hertz; None is ``sr / 2``.
        htk: HTK's mel scale instead of Slaney's.

    Returns:
        Coefficients, shape (..., n_mfcc, frames), of the dtype of the input.

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given, or if an option cannot be used.

    Source:
        Davis and Mermelstein (1980); librosa 0.11, ``librosa.feature.mfcc``.

    >>> mfcc(S=jnp.zeros((40, 3)), n_mfcc=13).shape
    (13, 3)
    """
    checks.exactly_one(("y", "S"), (y, S))
    checks.positive_int("n_mfcc", n_mfcc)
    checks.one_of("dct_type", dct_type, [1, 2, 3])
    checks.one_of("norm", norm, ["ortho", None])
    checks.in_range("lifter", lifter, 0, np.inf)
    if S is None:
        mel = melspectrogram(
            y,
            sr=sr,
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            window=window,
            center=center,
            pad_mode=pad_mode,
            power=power,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            htk=htk,
            norm=mel_norm,
        )
        S = power_to_db(mel)
    S = checks.spectrogram(S)
    if n_mfcc > S.shape[-2]:
        raise checks.ArgumentError("n_mfcc", f"is {n_mfcc}", expected=f"at most the {S.shape[-2]} mel bands")
    basis = filterbanks.dct(n_mfcc, S.shape[-2], dct_type=dct_type, norm=norm, lifter=lifter)
    return _cepstrum(S, basis.astype(compute_dtype(S.dtype)))


@jax.jit
def _cepstrum(S: jax.Array, basis: jax.Array) -> jax.Array:
    x = widen(S)
    out = jnp.einsum("km,...mt->...kt", basis, x, precision=lax.Precision.HIGHEST)
    return out.astype(S.dtype)

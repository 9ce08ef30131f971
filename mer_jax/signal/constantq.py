"""Constant-Q and variable-Q transform.

Two methods give two different things:

* ``method="librosa"`` (default) repeats librosa's algorithm, octave by octave at falling sampling rates. Use it for numbers
  that compare with librosa's, and for speed.
* ``method="exact"`` is the definition: inner products with full-length kernels at the full rate. Use it where the transform
  itself matters (sinusoids at their true amplitude, kernels cut nowhere); librosa's differs from it by 1 to 2 % of the maximum.
"""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
import scipy.signal
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Complex, Float
from mer_jax.signal import framing
from mer_jax.signal.cq_kernels import Bank, ConstantQ, Step, Window, exact_bank, octave_bank
from mer_jax.signal.cq_response import responder
from mer_jax.signal.frequencies import C1_HZ
from mer_jax.signal.normalization import check_norm
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.tuning import for_each_tuning

METHODS = ("librosa", "exact")


def cqt(
    y: Float[ArrayLike, "*batch samples"],
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Window = "hann",
    scale: bool = True,
    pad_mode: str = "constant",
    res_type: str = "soxr_hq",
    method: str = "librosa",
) -> Complex[Array, "*batch bins frames"]:
    """Constant-Q transform: kernels whose length falls with frequency, so that each spans as many periods.

    ``C[k, t] = g[k] sum_n y[t hop + n] conj(w[k, n])``, where ``w[k]`` is a windowed sinusoid of frequency
    ``fmin 2**(k / bins_per_octave)`` and of ``N[k] = Q sr / f[k]`` samples centred at 0 (``floor(-N / 2)`` to
    ``floor(N / 2) - 1``), scaled to unit norm, and ``g[k] = sqrt(N[k])`` (``N[k]`` without ``scale``).
    ``Q = filter_scale (f[k+1] + f[k-1]) / (f[k+1] - f[k-1])``. See the module's text for ``method``.

    Args:
        y: samples, shape (..., samples).
        sr: sampling rate in hertz.
        hop_length: samples between frames.
        fmin: lowest frequency in hertz; None is C1, 32.70 Hz.
        n_bins: number of bins.
        bins_per_octave: bins in an octave.
        tuning: deviation from A440 in fractions of a bin; None estimates it for every clip, which works only
            outside ``jit`` and ``vmap``, since the kernels then depend on the data.
        filter_scale: factor on all kernel lengths; below 1 time resolution gains and frequency resolution loses.
        norm: order of the norm each kernel is scaled to (as in ``librosa.util.normalize``); None: not scaled.
        sparsity: fraction in [0, 1) of each kernel's spectral magnitude that is dropped (``"librosa"`` only).
        window: window of the kernels, as ``scipy.signal.get_window`` takes it.
        scale: whether to divide by the square root of each kernel's length.
        pad_mode: how the signal is continued beyond its ends, one of ``framing.PAD_MODES``.
        res_type: filter between octaves; ``"soxr_hq"`` is the only one.
        method: ``"librosa"`` or ``"exact"``.

    Returns:
        complex64 (complex128 for float64 input), shape (..., n_bins, frames), in the unit of ``y``.

    Raises:
        ArgumentError: if an argument is out of range, the highest kernel passes half the sampling rate, or
            ``tuning=None`` is asked for where the samples are not known yet.

    Source:
        Brown (1991); Schörkhuber and Klapuri (2010); ``librosa.cqt`` 0.11.

    >>> cqt(np.zeros((2, 22050)), n_bins=24).shape
    (2, 24, 44)
    """
    return vqt(
        y,
        sr=sr,
        hop_length=hop_length,
        fmin=fmin,
        n_bins=n_bins,
        gamma=0.0,
        bins_per_octave=bins_per_octave,
        tuning=tuning,
        filter_scale=filter_scale,
        norm=norm,
        sparsity=sparsity,
        window=window,
        scale=scale,
        pad_mode=pad_mode,
        res_type=res_type,
        method=method,
    )


def vqt(
    y: Float[ArrayLike, "*batch samples"],
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    intervals: str | Sequence[float] = "equal",
    gamma: float | None = None,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Window = "hann",
    scale: bool = True,
    pad_mode: str = "constant",
    res_type: str = "soxr_hq",
    method: str = "librosa",
) -> Complex[Array, "*batch bins frames"]:
    """Variable-Q transform: :func:`cqt` with kernels shortened at low frequencies, ``N = Q sr / (f + gamma / alpha)``.

    Args:
        y: samples, shape (..., samples).
        sr: sampling rate in hertz.
        hop_length: samples between frames.
        fmin: lowest frequency in hertz; None is C1, 32.70 Hz.
        n_bins: number of bins.
        intervals: ``"equal"``, or the ratios in [1, 2) of an octave's bins (they replace ``bins_per_octave``).
        gamma: hertz added to every bandwidth; 0 is the constant-Q transform, None makes the bandwidths a constant
            part of the ear's equivalent rectangular ones (Glasberg and Moore, 1990).
        bins_per_octave: see :func:`cqt`, as for all that follow.
        tuning: see :func:`cqt`.
        filter_scale: see :func:`cqt`.
        norm: see :func:`cqt`.
        sparsity: see :func:`cqt`.
        window: see :func:`cqt`.
        scale: see :func:`cqt`.
        pad_mode: see :func:`cqt`.
        res_type: see :func:`cqt`.
        method: see :func:`cqt`.

    Returns:
        complex64 (complex128 for float64 input), shape (..., n_bins, frames), in the unit of ``y``.

    Raises:
        ArgumentError: as :func:`cqt`, and if an interval is not in [1, 2).

    Source:
        Schörkhuber et al. (2014); ``librosa.vqt`` 0.11.

    >>> vqt(np.zeros(22050), n_bins=24, gamma=20.0).shape
    (24, 44)
    """
    y = checks.waveform(y)
    checks.one_of("res_type", res_type, ["soxr_hq"])
    checks.one_of("method", method, METHODS)
    checks.one_of("pad_mode", pad_mode, framing.PAD_MODES)
    if not isinstance(intervals, str):
        bins_per_octave = len(intervals)

    def transform(clips: jax.Array, tuning: float) -> jax.Array:
        described = describe(
            sr=sr,
            hop_length=hop_length,
            fmin=fmin,
            n_bins=n_bins,
            intervals=intervals,
            gamma=gamma,
            bins_per_octave=bins_per_octave,
            tuning=tuning,
            filter_scale=filter_scale,
            norm=norm,
            sparsity=sparsity,
            window=window,
            scale=scale,
        )
        bank = build_bank(described, method=method, num_samples=y.shape[-1])
        return apply_kernels(clips, bank.kernels, steps=bank.steps, pad_mode=pad_mode)

    return for_each_tuning(transform, y, tuning=tuning, sr=sr, bins_per_octave=bins_per_octave)


@partial(jax.jit, static_argnames=("steps", "pad_mode", "recompute"))
def apply_kernels(
    y: jax.Array,
    kernels: tuple[jax.Array, ...],
    *,
    steps: tuple[Step, ...],
    pad_mode: str = "constant",
    recompute: bool = False,
) -> jax.Array:
    """The transform with these kernels.

    Args:
        y: samples, shape (..., samples).
        kernels: as in :class:`mer_jax.signal.cq_kernels.Bank`; gradients flow into JAX arrays.
        steps: the order of the kernels.
        pad_mode: how the signal is continued beyond its ends.
        recompute: as in :func:`mer_jax.signal.platform.per_clip`.

    Returns:
        Complex values, shape (..., bins, frames), lowest bin first.
    """
    y = widen(y)
    respond = responder(kernels, steps, pad_mode=pad_mode, num_samples=y.shape[-1], dtype=y.dtype)

    def clip(x: jax.Array) -> jax.Array:
        real, imaginary = respond(x)
        return lax.complex(real.T, imaginary.T)

    return per_clip(clip, y, recompute=recompute)


def describe(
    *,
    sr: float,
    hop_length: int,
    fmin: float | None,
    n_bins: int,
    bins_per_octave: int,
    tuning: float = 0.0,
    intervals: str | Sequence[float] = "equal",
    gamma: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Window = "hann",
    scale: bool = True,
) -> ConstantQ:
    """Check the arguments of a transform and gather them.

    Raises:
        ArgumentError: if one is out of range.
    """
    checks.positive("sr", sr)
    checks.positive_int("hop_length", hop_length)
    checks.positive_int("n_bins", n_bins)
    checks.positive_int("bins_per_octave", bins_per_octave)
    checks.positive("filter_scale", filter_scale)
    base_hz = C1_HZ if fmin is None else fmin
    checks.positive("fmin", base_hz)
    check_norm(norm)
    if not 0 <= sparsity < 1:
        raise checks.ArgumentError("sparsity", f"is {sparsity!r}", expected="a number in [0, 1)")
    if gamma is not None and not 0 <= gamma < np.inf:
        raise checks.ArgumentError("gamma", f"is {gamma!r}", expected="None or a number of at least 0")
    if isinstance(intervals, str):
        checks.one_of("intervals", intervals, ["equal"])
    elif not all(1 <= ratio < 2 for ratio in intervals) or not intervals:
        raise checks.ArgumentError(
            "intervals", f"is {intervals!r}", expected='"equal" or ratios that lie in [1, 2)'
        )
    try:
        scipy.signal.get_window(window, 8)
    except (TypeError, ValueError) as error:
        raise checks.ArgumentError(
            "window", f"is {window!r} ({error})", expected="what scipy.signal.get_window takes"
        ) from error
    return ConstantQ(
        sr=float(sr),
        hop_length=int(hop_length),
        fmin=float(base_hz) * 2.0 ** (float(tuning) / bins_per_octave),
        n_bins=int(n_bins),
        intervals=intervals if isinstance(intervals, str) else tuple(float(r) for r in intervals),
        gamma=gamma,
        bins_per_octave=int(bins_per_octave),
        filter_scale=float(filter_scale),
        norm=norm,
        sparsity=float(sparsity),
        window=window,
        scale=bool(scale),
    )


def build_bank(transform: ConstantQ, *, method: str, num_samples: int) -> Bank:
    """The kernels of a transform (cached), once it is sure that a clip of ``num_samples`` is long enough.

    Raises:
        ArgumentError: if the highest kernel passes half the sampling rate, or the clip is shorter than the factor by
            which its rate is lowered first.
    """
    bank = exact_bank(transform) if method == "exact" else octave_bank(transform)
    shortest = bank.steps[0].decimation
    if num_samples < shortest:
        raise checks.ArgumentError(
            "y", f"has {num_samples} samples", expected=f"at least {shortest} for these bins and hop_length"
        )
    return bank

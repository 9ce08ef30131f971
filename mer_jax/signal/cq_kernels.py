"""Kernels of the constant-Q and variable-Q transform (NumPy, float64), and in which order they are applied.

A kernel is a windowed complex sinusoid of ``N[k] = Q sr / (f[k] + gamma / alpha)`` samples. Two sets of them are built:

* :func:`exact_bank`: every kernel at the full rate and at its full length: the definition.
* :func:`octave_bank`: librosa's approximation of it, in which the signal is halved in rate octave by octave, so that the
  same short kernels serve every octave, and in which spectral values that hold the last 1 % of a kernel are dropped.

Sources:
    Brown, "Calculation of a constant Q spectral transform" (J. Acoust. Soc. Am. 89, 1991); Schörkhuber and Klapuri,
    "Constant-Q transform toolbox for music processing" (SMC 2010), the recursion; Schörkhuber et al., "A Matlab toolbox
    for efficient perfect reconstruction time-frequency transforms with log-frequency resolution" (AES 2014), gamma.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.signal

from mer_jax import checks
from mer_jax.signal.decimation import MAX_FACTOR
from mer_jax.signal.frequencies import interval_frequencies

Window = str | float | tuple[object, ...]


@dataclass(frozen=True)
class ConstantQ:
    """What a transform is, by librosa's names (``fmin`` in hertz, tuning already in it); hashable."""

    sr: float
    hop_length: int
    fmin: float
    n_bins: int
    intervals: str | tuple[float, ...]
    gamma: float | None
    bins_per_octave: int
    filter_scale: float
    norm: float | None
    sparsity: float
    window: Window
    scale: bool

    @cached_property
    def frequencies_hz(self) -> np.ndarray:
        """Centre frequency of each bin, ascending."""
        return interval_frequencies(
            self.n_bins, fmin=self.fmin, intervals=self.intervals, bins_per_octave=self.bins_per_octave
        )

    @cached_property
    def relative_bandwidths(self) -> np.ndarray:
        """``alpha``: half-distance of the neighbours of each bin over their mean."""
        if self.n_bins == 1:
            octaves = np.array([1 / self.bins_per_octave])
        else:
            steps = np.diff(np.log2(self.frequencies_hz))
            octaves = (np.append(steps[0], steps) + np.append(steps, steps[-1])) / 2
        ratio = 4.0**octaves
        return (ratio - 1) / (ratio + 1)

    @cached_property
    def bandwidth_offsets_hz(self) -> np.ndarray:
        """``gamma`` of each bin; None makes bandwidths proportional to Glasberg and Moore's auditory ones."""
        if self.gamma is None:
            return self.relative_bandwidths * 24.7 / 0.108
        return np.full(self.n_bins, float(self.gamma))

    @cached_property
    def cutoff_hz(self) -> float:
        """Highest frequency that any kernel passes (-3 dB)."""
        alpha = self.relative_bandwidths
        half_band = 0.5 * _noise_bandwidth(self.window) * alpha / self.filter_scale
        return float(np.max(self.frequencies_hz * (1 + half_band) + 0.5 * self.bandwidth_offsets_hz))

    def lengths(self, sr: float) -> np.ndarray:
        """Length of each kernel in samples at the rate ``sr``, not rounded."""
        alpha = self.relative_bandwidths
        return self.filter_scale / alpha * sr / (self.frequencies_hz + self.bandwidth_offsets_hz / alpha)


@dataclass(frozen=True)
class Step:
    """One kernel set: decimate what the step before left by ``decimation``, then correlate.

    ``center`` is the tap that lies on sample ``t * hop_length`` of the signal as it is at this step.
    """

    decimation: int
    hop_length: int
    center: int


@dataclass(frozen=True)
class Bank:
    """The steps of a transform, highest bins first, and their kernels.

    Each kernel has shape (taps, 2 bins), real parts before imaginary parts; a bin's value at frame ``t`` is
    ``sum_n x[t * hop_length - center + n] kernel[n]``.
    """

    steps: tuple[Step, ...]
    kernels: tuple[np.ndarray, ...]


def check_band(transform: ConstantQ) -> None:
    """Raise :class:`~mer_jax.checks.ArgumentError` if the highest kernel passes the Nyquist frequency."""
    nyquist_hz = transform.sr / 2
    if transform.cutoff_hz > nyquist_hz:
        raise checks.ArgumentError(
            "n_bins",
            f"is {transform.n_bins}: the highest kernel reaches {transform.cutoff_hz:.1f} Hz",
            expected=f"at most {nyquist_hz:.1f} Hz, half the sampling rate",
            remedy="lower n_bins or fmin, or raise sr",
        )


@lru_cache(maxsize=128)
def exact_bank(transform: ConstantQ) -> Bank:
    """Full-rate, full-length kernels: ``C[k, t] = g sum_n x[t hop + n] conj(w[k, n])``.

    ``w[k]`` has unit norm, and ``g`` is ``sqrt(N[k])`` with ``scale``, else ``N[k]``. Bins are gathered in groups
    of half an octave, so that little of a kernel matrix is padding.
    """
    check_band(transform)
    lengths = transform.lengths(transform.sr)
    gains = np.sqrt(lengths) if transform.scale else lengths
    size = max(1, transform.bins_per_octave // 2)
    steps, kernels = [], []
    for bins in _groups_from_top(transform.n_bins, size):
        wavelets = _wavelets(transform, bins, transform.sr)
        center = max(before for _, before in wavelets)
        taps = center + max(len(wave) - before for wave, before in wavelets)
        kernel = np.stack([_place(wave.conj(), center - before, taps) for wave, before in wavelets], axis=1)
        steps.append(Step(decimation=1, hop_length=transform.hop_length, center=center))
        kernels.append(_real_columns(kernel * gains[bins]))
    return Bank(tuple(steps), tuple(kernels))


@lru_cache(maxsize=128)
def octave_bank(transform: ConstantQ) -> Bank:
    """Librosa's kernels: one set an octave, for a signal that is halved in rate from octave to octave."""
    check_band(transform)
    octaves = list(_groups_from_top(transform.n_bins, transform.bins_per_octave))
    decimation = _early_decimation(transform, len(octaves))
    hop = transform.hop_length // decimation
    base_sr = transform.sr / decimation
    # Decimation leaves amplitudes as they are; these factors make up for librosa's changes of scale on the way.
    early_gain = np.sqrt(decimation) if transform.scale else float(decimation)
    gains = early_gain / np.sqrt(transform.lengths(base_sr)) if transform.scale else early_gain
    gains = np.broadcast_to(gains, transform.n_bins)

    steps, kernels = [], []
    sr = base_sr
    for bins in octaves:
        kernel = _sparse_kernel(transform, bins, sr) * (base_sr / sr) * gains[bins]
        steps.append(Step(decimation=decimation, hop_length=hop, center=len(kernel) // 2))
        kernels.append(_real_columns(kernel))
        # An odd hop cannot be halved: from there on every octave is taken at the same rate.
        decimation = 1
        if hop % 2 == 0:
            decimation, hop, sr = 2, hop // 2, sr / 2
    return Bank(tuple(steps), tuple(kernels))


def _groups_from_top(n_bins: int, size: int) -> list[slice]:
    """Slices of at most ``size`` neighbouring bins, highest first."""
    return [slice(max(0, stop - size), stop) for stop in range(n_bins, 0, -size)]


def _early_decimation(transform: ConstantQ, num_octaves: int) -> int:
    """Factor by which the rate may be lowered before the first octave (librosa's rule)."""
    headroom = int(np.ceil(np.log2(transform.sr / 2 / transform.cutoff_hz))) - 2
    hop = transform.hop_length
    halvings_of_hop = (hop & -hop).bit_length() - 1
    factor = 2 ** max(0, min(headroom, halvings_of_hop - num_octaves + 1))
    if factor > MAX_FACTOR:
        raise checks.ArgumentError(
            "sr",
            f"is {transform.sr!r}, {factor} times what bins up to {transform.cutoff_hz:.1f} Hz need",
            expected=f"at most {MAX_FACTOR} times that",
            remedy='resample the signal to a lower rate, or use method="exact"',
        )
    return factor


def _wavelets(transform: ConstantQ, bins: slice, sr: float) -> list[tuple[np.ndarray, int]]:
    """Unit-norm kernels ``w(n) e^(2 pi i f n / sr)`` of some bins, each with its number of samples at n < 0."""
    waves = []
    for length, frequency_hz in zip(transform.lengths(sr)[bins], transform.frequencies_hz[bins], strict=True):
        before = int(-(-length // 2))
        n = np.arange(-before, int(length // 2))
        wave = np.exp(2j * np.pi * frequency_hz / sr * n)
        wave *= scipy.signal.get_window(transform.window, len(n))
        waves.append((wave / _vector_norm(wave, transform.norm), before))
    return waves


def _vector_norm(wave: np.ndarray, norm: float | None) -> float:
    magnitude = np.abs(wave)
    if norm is None:
        return 1.0
    if norm == np.inf:
        return magnitude.max()
    if norm == -np.inf:
        return magnitude.min() or 1.0
    if norm == 0:
        return float(np.count_nonzero(magnitude))
    return float(np.sum(magnitude**norm) ** (1 / norm))


def _sparse_kernel(transform: ConstantQ, bins: slice, sr: float) -> np.ndarray:
    """Librosa's kernels as taps: what its sparse spectral basis times an FFT of the frame amounts to.

    Returns complex taps, shape (n_fft, bins), n_fft the power of two that holds the longest kernel.
    """
    n_fft = 2 ** int(np.ceil(np.log2(transform.lengths(sr)[bins].max())))
    spectrum = sparse_spectrum(transform, bins, sr, n_fft)
    # sum_k B[k] X[k] = sum_n x[n] sum_k B[k] e^(-2 pi i k n / n_fft): the taps are a transform of the basis.
    return np.fft.fft(spectrum, n=n_fft, axis=1).T


def sparse_spectrum(transform: ConstantQ, bins: slice, sr: float, n_fft: int) -> np.ndarray:
    """Spectra of some kernels at the frequencies of an rfft, without the values that hold least.

    Returns complex values, shape (bins, 1 + n_fft // 2).
    """
    lengths = transform.lengths(sr)[bins]
    waves = [wave for wave, _ in _wavelets(transform, bins, sr)]
    basis = np.stack([_place(wave, (n_fft - len(wave)) // 2, n_fft) for wave in waves])
    spectrum = np.fft.fft(basis * (lengths[:, None] / n_fft), axis=1)[:, : 1 + n_fft // 2]
    return _drop_smallest(spectrum, transform.sparsity)


def _drop_smallest(rows: np.ndarray, fraction: float) -> np.ndarray:
    """Set to zero the smallest values of each row that hold less than ``fraction`` of its summed magnitude."""
    magnitude = np.abs(rows)
    ascending = np.sort(magnitude, axis=1)
    held = np.cumsum(ascending, axis=1) / np.sum(ascending, axis=1, keepdims=True)
    first_kept = np.argmin(held < fraction, axis=1)
    threshold = np.take_along_axis(ascending, first_kept[:, None], axis=1)
    return np.where(magnitude >= threshold, rows, 0)


def _place(values: np.ndarray, start: int, size: int) -> np.ndarray:
    """``values`` at ``start`` of ``size`` zeros."""
    return np.pad(values, (start, size - start - len(values)))


def _real_columns(kernel: np.ndarray) -> np.ndarray:
    return np.concatenate([kernel.real, kernel.imag], axis=1)


@lru_cache(maxsize=64)
def _noise_bandwidth(window: Window) -> float:
    """Equivalent noise bandwidth of a window in bins, ``n sum w**2 / (sum w)**2`` (1.5 for Hann)."""
    size = 8193  # librosa's tabulated values are those of this many symmetric samples
    w = scipy.signal.get_window(window, size, fftbins=False)
    return float(size * np.sum(w**2) / np.sum(w) ** 2)

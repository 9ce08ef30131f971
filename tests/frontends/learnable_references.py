"""Learnable front-ends written from their papers in float64 NumPy and SciPy, the long way: nothing here is mer_jax's."""

import numpy as np
from scipy.signal import fftconvolve, lfilter


def sample_energies(y, kernels, smoothers, hop, stride=1):
    """``sum_n g[n] |(y * h)[t hop + n]|^2`` by convolving, of every ``stride``-th sample; (filters, frames)."""
    frames = 1 + len(y) // hop
    rows = []
    for h, g in zip(kernels, smoothers, strict=True):
        reach = len(g) // 2 * stride
        # Zeros about the clip: what the filter rings into counts, too.
        padded = np.pad(y, reach + len(h))
        energy = np.abs(fftconvolve(padded, h, mode="same")) ** 2
        centre = reach + len(h)
        offsets = (np.arange(len(g)) - len(g) // 2) * stride
        padded_energy = np.pad(energy, (0, hop))
        rows.append([padded_energy[centre + t * hop + offsets] @ g for t in range(frames)])
    return np.array(rows)


def gabor(centre_hz, deviation, taps, sr):
    """LEAF (ICLR 2021), equation 2, on n = -(taps // 2) .. taps // 2."""
    n = np.arange(taps) - taps // 2
    envelope = np.exp(-(n**2) / (2 * deviation**2)) / (np.sqrt(2 * np.pi) * deviation)
    return envelope * np.exp(2j * np.pi * centre_hz / sr * n)


def gaussian(deviation, reach):
    """LEAF, equation 4."""
    n = np.arange(-reach, reach + 1)
    return np.exp(-(n**2) / (2 * deviation**2)) / (np.sqrt(2 * np.pi) * deviation)


def band_pass(low_hz, high_hz, taps, sr):
    """SincNet (SLT 2018), equation 4 under the Hamming window of equation 6 (SciPy's symmetric one)."""
    n = np.arange(taps) - taps // 2
    f1, f2 = low_hz / sr, high_hz / sr

    def sinc(x):
        return np.where(x == 0, 1.0, np.sin(x) / np.where(x == 0, 1.0, x))

    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(taps) / (taps - 1))
    return (2 * f2 * sinc(2 * np.pi * f2 * n) - 2 * f1 * sinc(2 * np.pi * f1 * n)) * window


def pcen(energies, alpha, delta, power, smoothing, eps):
    """Wang et al. (ICASSP 2017), equations 1 and 2, from M[0] = E[0]; parameters (channels,), energies (channels, frames)."""
    rows = []
    for e, a, d, r, s in zip(energies, alpha, delta, power, smoothing, strict=True):
        m, _ = lfilter([s], [1, s - 1], e, zi=[(1 - s) * e[0]])
        rows.append((e / (eps + m) ** a + d) ** r - d**r)
    return np.array(rows)

"""Frequencies of musical scales (NumPy): what constant-Q and chroma filters are built from."""

import numpy as np

#: The note C1 in hertz, 45 semitones below A4 = 440 Hz: where constant-Q transforms start by default.
C1_HZ = 440.0 * 2.0 ** (-45 / 12)


def cqt_frequencies(
    n_bins: int, *, fmin: float | None = None, bins_per_octave: int = 12, tuning: float = 0.0
) -> np.ndarray:
    """Centre frequencies of a constant-Q transform, ``f[k] = fmin * 2**((k + tuning) / bins_per_octave)``.

    Args:
        n_bins: number of frequencies.
        fmin: lowest frequency in hertz before tuning; None is C1, 32.70 Hz.
        bins_per_octave: frequencies in an octave.
        tuning: deviation in fractions of a bin.

    Returns:
        Hertz, ascending, float64, shape (n_bins,).

    >>> cqt_frequencies(3, fmin=110.0, bins_per_octave=1).tolist()
    [110.0, 220.0, 440.0]
    """
    base_hz = C1_HZ if fmin is None else fmin
    return base_hz * 2.0 ** ((np.arange(n_bins) + tuning) / bins_per_octave)


def interval_frequencies(
    n_bins: int, *, fmin: float, intervals: str | tuple[float, ...], bins_per_octave: int
) -> np.ndarray:
    """Frequencies, in hertz, of a scale that repeats every octave above ``fmin``.

    Args:
        n_bins: number of frequencies.
        fmin: lowest frequency in hertz.
        intervals: ``"equal"`` for ``bins_per_octave`` equal steps, or the ratios in [1, 2) of one octave.
        bins_per_octave: steps of the equal scale; not read when ratios are given.
    """
    if isinstance(intervals, str):
        return cqt_frequencies(n_bins, fmin=fmin, bins_per_octave=bins_per_octave)
    octaves = 2.0 ** np.arange(-(-n_bins // len(intervals)))
    return fmin * np.sort(np.outer(octaves, intervals).ravel()[:n_bins])


def hz_to_octaves(frequencies_hz: np.ndarray) -> np.ndarray:
    """Octaves above A0 = 27.5 Hz.

    >>> hz_to_octaves(np.array([27.5, 440.0])).tolist()
    [0.0, 4.0]
    """
    return np.log2(np.asarray(frequencies_hz) / 27.5)

"""Matrices that fold a spectrum or a constant-Q transform into pitch classes (NumPy, float64)."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.signal

from mer_jax import checks
from mer_jax.signal.frequencies import C1_HZ, hz_to_octaves


class ChromaScale(NamedTuple):
    """What a chroma filter bank needs of each FFT bin, for a tuning of 0.

    A tuning only shifts ``position`` down and ``octave`` with it, so the bank of any tuning is a few
    elementwise operations on these, cheap and smooth enough to be done inside a compiled program.
    """

    #: Distance of each bin from each pitch class in [0, n_chroma), in pitch classes, shape (n_chroma, bins).
    position: np.ndarray
    #: Width of each bin, in pitch classes (at least 1), shape (1, bins).
    width: np.ndarray
    #: Octaves above A0, shape (1, bins).
    octave: np.ndarray


@lru_cache(maxsize=32)
def chroma_scale(*, sr: float, n_fft: int, n_chroma: int) -> ChromaScale:
    """Places of the FFT bins on a scale of ``n_chroma`` pitch classes; bin 0 is put 1.5 octaves below bin 1."""
    octave = hz_to_octaves(np.arange(1, n_fft) * sr / n_fft)
    octave = np.append(octave[0] - 1.5, octave)
    width = np.append(np.maximum(np.diff(n_chroma * octave), 1.0), 1.0)
    position = (n_chroma * octave - np.arange(n_chroma)[:, None]) % n_chroma
    used = 1 + n_fft // 2
    return ChromaScale(position[:, :used], width[None, :used], octave[None, :used])


@lru_cache(maxsize=32)
def constantq_to_chroma(
    n_input: int,
    *,
    bins_per_octave: int = 12,
    n_chroma: int = 12,
    fmin: float | None = None,
    window: tuple[float, ...] | None = None,
) -> np.ndarray:
    """Matrix (n_chroma, n_input) that adds up the constant-Q bins of each pitch class, starting at C.

    Args:
        n_input: constant-Q bins.
        bins_per_octave: their number in an octave, a multiple of ``n_chroma``; the bins around a pitch class's
            centre go to it.
        n_chroma: pitch classes.
        fmin: frequency of the first bin in hertz; None is C1.
        window: weights that spread each bin over its neighbours; None: no spreading.

    Raises:
        ArgumentError: if ``bins_per_octave`` is not a multiple of ``n_chroma``.

    Source:
        ``librosa.filters.cq_to_chroma`` 0.11.

    >>> constantq_to_chroma(24).sum(axis=1).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    checks.positive_int("n_chroma", n_chroma)
    if bins_per_octave % n_chroma:
        raise checks.ArgumentError(
            "bins_per_octave", f"is {bins_per_octave}", expected=f"a multiple of n_chroma = {n_chroma}"
        )
    merged = bins_per_octave // n_chroma
    octave = np.roll(np.repeat(np.eye(n_chroma), merged, axis=1), -(merged // 2), axis=1)
    folded = np.tile(octave, -(-n_input // bins_per_octave))[:, :n_input]
    semitones_above_c = 12 * np.log2((C1_HZ if fmin is None else fmin) / C1_HZ) % 12
    folded = np.roll(folded, int(np.round(semitones_above_c * n_chroma / 12)), axis=0)
    if window is not None:
        folded = scipy.signal.convolve(folded, np.atleast_2d(window), mode="same")
    return folded

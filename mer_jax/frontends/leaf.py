"""LEAF: Gabor filters, Gaussian low-pass filters and per-channel energy normalisation, all learnt."""

from typing import Any

import jax
import numpy as np

from mer_jax.frontends.energy_bank import FilteredBank
from mer_jax.frontends.learnable import about, between, free_of, parameter
from mer_jax.signal.wavelets import deviation_of_width, gabor, gaussian

# Deviation of the low-pass filters, in hops: where it starts (as published: 80 samples for a hop of 160) and its limits.
_SMOOTHER_HOPS = 0.5
_SMOOTHER_LIMITS = (0.3, 0.6)
# A Gaussian is cut at so many deviations in time, and its spectrum likewise; both for the limit that is worse.
_REACH = 4.0
_SPECTRAL_REACH = 3.5


class LEAF(FilteredBank):
    """``PCEN( sum_n g_c[n] |(y * h_c)[t hop + n]|^2 )`` with Gabor filters ``h`` and Gaussian low-pass filters ``g``.

    ``h_c[n] = exp(2 pi i f_c n / sr) exp(-n^2 / (2 s_c^2)) / (sqrt(2 pi) s_c)``, ``g_c`` likewise with ``f = 0`` and a
    deviation of its own; then :class:`mer_jax.frontends.compression.PCENLayer` with a smoother for each channel, energies
    below 5e-8 counted as that. Learnt are (part ``filters``) centre ``f`` and deviation ``s`` of each filter, (``pooling``)
    the deviation of each low-pass filter, (``compression``) alpha, delta, r and s of each channel: 7 numbers a filter.

    Centres stay in 0..sr/2; deviations of filters within a factor of 8 of where they start; those of the low-pass filters from
    0.3 to 0.6 hops. Different from the published code: low-pass filters are as wide relative to the hop but are not cut at 2.5
    deviations, and sum to 1 (equation 4 of the paper), the floor of energies being scaled accordingly.

    Args:
        compression: ``pcen`` as published, ``log`` (natural logarithm) or ``log1p``.
        **bank: arguments of :class:`mer_jax.frontends.energy_bank.FilteredBank`: ``window_s`` and those of its base.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.

    Source:
        Zeghidour, Teboul, de Chaumont Quitry and Tagliasacchi, *LEAF: a learnable frontend for audio classification* (ICLR
        2021), equations 1 to 5; google-research/leaf-audio for the constants.
    """

    parts = ("filters", "pooling", "compression")

    def __init__(self, *, compression: str = "pcen", **bank: Any) -> None:
        super().__init__(compression=compression, **bank)
        bands, learnt = self.start(), "filters" in self.trainable
        self.centre = parameter(free_of(bands.centre, 0.0, self.sr / 2), learnt=learnt)
        self.deviation = parameter(np.zeros(self.num_features), learnt=learnt)
        pooling = np.full(self.num_features, free_of(_SMOOTHER_HOPS, *_SMOOTHER_LIMITS))
        self.pooling = parameter(pooling, learnt="pooling" in self.trainable)

    @property
    def centres_hz(self) -> jax.Array:
        """Centre of each filter."""
        return between(self.centre[...], 0.0, self.sr / 2)

    @property
    def deviations(self) -> jax.Array:
        """Deviation of each filter, samples."""
        return about(self.deviation[...], deviation_of_width(self.start().half_widths, self.sr), 8.0)

    def filters(self) -> jax.Array:
        """Gabor filters (filters, taps), complex."""
        return gabor(self.centres_hz, self.deviations, self.taps, sr=self.sr)

    def smoothers(self) -> jax.Array:
        """Gaussian low-pass filters."""
        reach = int(np.ceil(_REACH * _SMOOTHER_LIMITS[1] * self.hop_length))
        deviations = between(self.pooling[...], *_SMOOTHER_LIMITS) * self.hop_length
        return gaussian(deviations, 2 * reach + 1)

    @property
    def smoother_bandwidth(self) -> float:
        """Where the spectrum of the narrowest legal Gaussian has fallen to 2e-3 (of the one at the start, to 4e-8)."""
        return _SPECTRAL_REACH / (2 * np.pi * _SMOOTHER_LIMITS[0] * self.hop_length)

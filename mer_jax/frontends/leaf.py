"""LEAF: Gabor filters, Gaussian low-pass filters and per-channel energy normalisation, all learnt."""

import jax
import numpy as np
from flax import nnx

from mer_jax.frontends.energy_bank import FilteredBank
from mer_jax.frontends.learnable import Trainable, about, between, free_of, parameter
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
        sr: sampling rate, Hz.
        n_filters: how many filters.
        hop_length: samples from one frame to the next.
        fmin_hz: where the lowest of the mel-spaced bands begins that filters start from.
        fmax_hz: where the highest ends; None is half the sampling rate.
        window_s: length of the Gabor filters, seconds.
        compression: ``pcen`` as published, ``log`` (natural logarithm) or ``log1p``.
        trainable: which of ``filters``, ``pooling`` and ``compression`` are learnt; all of them unless told otherwise.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.

    Source:
        Zeghidour, Teboul, de Chaumont Quitry and Tagliasacchi, *LEAF: a learnable frontend for audio classification* (ICLR
        2021), equations 1 to 5; google-research/leaf-audio for the constants.
    """

    parts = ("filters", "pooling", "compression")

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_filters: int = 40,
        hop_length: int = 512,
        fmin_hz: float = 60.0,
        fmax_hz: float | None = None,
        window_s: float = 0.025,
        compression: str = "pcen",
        trainable: Trainable = True,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        super().__init__(
            sr=sr,
            n_filters=n_filters,
            hop_length=hop_length,
            fmin_hz=fmin_hz,
            fmax_hz=fmax_hz,
            window_s=window_s,
            compression=compression,
            trainable=trainable,
        )
        bands, learnt = self.start(), "filters" in self.trainable
        self.centre = parameter(free_of(bands.centre, 0.0, sr / 2), learnt=learnt)
        self.deviation = parameter(np.zeros(n_filters), learnt=learnt)
        pooling = np.full(n_filters, free_of(_SMOOTHER_HOPS, *_SMOOTHER_LIMITS))
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

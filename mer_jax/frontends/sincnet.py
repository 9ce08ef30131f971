"""SincNet: band-pass filters of which only the cut-off frequencies are learnt."""

from typing import Any

import jax
import numpy as np

from mer_jax.frontends.energy_bank import HannSmoothedBank
from mer_jax.frontends.learnable import between, free_of, parameter
from mer_jax.signal.wavelets import band_pass


class SincNet(HannSmoothedBank):
    """``log( sum_n g[n] |(y * h_c)[t hop + n]|^2 + e )`` with band-pass filters ``h_c`` from ``f1`` to ``f2``.

    ``h[n] = w[n] (2 f2 sinc(2 pi f2 n) - 2 f1 sinc(2 pi f1 n))`` under a Hamming window ``w``; ``g`` is a squared Hann window
    of 2.5 hops. Learnt are (part ``filters``) the cut-off frequencies ``f1`` and ``f2`` of each filter, with ``0 < f1 < f2 <
    sr / 2``, and (``compression``) the offset ``e`` of each.

    The paper's network goes on with maximum pooling and further convolutions; here, as everywhere in this family, what follows
    the filters is the energy a frame and a compression.

    Args:
        compression: ``log``, ``pcen`` or ``log1p``.
        **bank: arguments of :class:`mer_jax.frontends.energy_bank.FilteredBank`: ``window_s`` and those of its base.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.

    Source:
        Ravanelli and Bengio, *Speaker recognition from raw waveform with SincNet* (SLT 2018), equations 4 to 6.
    """

    def __init__(self, *, compression: str = "log", **bank: Any) -> None:
        super().__init__(compression=compression, **bank)
        bands, learnt = self.start(), "filters" in self.trainable
        low_hz, high_hz = bands.centre - bands.half_widths / 2, bands.centre + bands.half_widths / 2
        self.low = parameter(free_of(low_hz, 0.0, self.sr / 2), learnt=learnt)
        # The share that the band takes of what lies above its lower edge.
        share = (np.minimum(high_hz, self.sr / 2) - low_hz) / (self.sr / 2 - low_hz)
        self.width = parameter(free_of(share, 0.0, 1.0), learnt=learnt)

    @property
    def edges_hz(self) -> tuple[jax.Array, jax.Array]:
        """Cut-off frequencies of each filter."""
        low = between(self.low[...], 0.0, self.sr / 2)
        return low, low + (self.sr / 2 - low) * jax.nn.sigmoid(self.width[...])

    def filters(self) -> jax.Array:
        """Band-pass filters (filters, taps), real."""
        return band_pass(*self.edges_hz, self.taps, sr=self.sr)

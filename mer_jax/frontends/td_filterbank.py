"""Time-domain filterbanks: complex filters of which every sample is learnt."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax.frontends.energy_bank import HannSmoothedBank
from mer_jax.frontends.learnable import parameter
from mer_jax.signal.wavelets import deviation_of_width, gabor


class TDFilterbank(HannSmoothedBank):
    """``log( sum_n g[n] |(y * h_c)[t hop + n]|^2 + e )`` with free complex filters ``h_c``.

    The filters start as Gabor filters of mel-spaced bands and are then learnt sample by sample (part ``filters``, 2 n_filters
    window_s sr numbers, held relative to each filter's peak); ``g`` is a squared Hann window of 2.5 hops, not learnt; the
    offset ``e`` of each filter is (``compression``).

    Args:
        compression: ``log``, ``pcen`` or ``log1p``.
        **bank: arguments of :class:`mer_jax.frontends.energy_bank.FilteredBank`: ``window_s`` and those of its base.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.

    Source:
        Zeghidour, Usunier, Kokkinos, Schatz, Synnaeve and Dupoux, *Learning filterbanks from raw speech for phone recognition*
        (ICASSP 2018), section 2 (without its pre-emphasis and instance normalisation).
    """

    symmetric = False

    def __init__(self, *, compression: str = "log", **bank: Any) -> None:
        super().__init__(compression=compression, **bank)
        begin = gabor(
            jnp.asarray(self.start().centre, jnp.float32),
            jnp.asarray(self._deviations, jnp.float32),
            self.taps,
            sr=self.sr,
        )
        begin = jnp.stack([begin.real, begin.imag]) / self._peaks[None]
        self.kernels = parameter(begin, learnt="filters" in self.trainable)

    @property
    def _deviations(self) -> np.ndarray:
        return deviation_of_width(self.start().half_widths, self.sr)

    @property
    def _peaks(self) -> jax.Array:
        """Largest magnitude of each filter at the start, (filters, 1)."""
        return jnp.asarray(1 / (np.sqrt(2 * np.pi) * self._deviations), jnp.float32)[:, None]

    def filters(self) -> jax.Array:
        """The filters (filters, taps), complex."""
        real, imaginary = self.kernels[...] * self._peaks[None]
        return lax.complex(real, imaginary)

"""What LEAF, SincNet and time-domain filterbanks share: filters, squared modulus, low-pass filters, compression."""

from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.frontends.compression import Log1pCompression, LogCompression, PCENLayer
from mer_jax.frontends.learnable import Trainable
from mer_jax.signal.filtered_energy import filtered_energy, segment_length
from mer_jax.signal.precision import widen
from mer_jax.signal.wavelets import Bands, mel_bands, odd_taps, squared_hann

COMPRESSIONS = ("pcen", "log", "log1p")

#: The published LEAF counts energies below 1e-5 as 1e-5; its low-pass windows sum to 200, ours to 1.
ENERGY_FLOOR = 5e-8


class EnergyBank(Frontend):
    """Energies ``sum_n g_c[n] |(y * h_c)[t hop + n]|^2`` of a waveform behind filters ``h_c``, compressed.

    Args:
        sr: sampling rate, Hz.
        n_filters: how many filters.
        hop_length: samples from one frame to the next.
        fmin_hz: where the lowest of the mel-spaced bands begins that filters start from.
        fmax_hz: where the highest ends; None is half the sampling rate.
        compression: ``pcen``, ``log`` (natural logarithm) or ``log1p``, ``log(1 + 1e5 E)`` at the start.
        trainable: which of :attr:`parts` are learnt; all of them unless told otherwise.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.
    """

    parts: tuple[str, ...] = ("filters", "compression")
    picture_scale = "range"

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_filters: int = 40,
        hop_length: int = 512,
        fmin_hz: float = 60.0,
        fmax_hz: float | None = None,
        compression: str,
        trainable: Trainable = True,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("n_filters", n_filters)
        checks.one_of("compression", compression, COMPRESSIONS)
        names = tuple(f"filter_{k}" for k in range(n_filters))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names, trainable=trainable)
        self.fmin_hz = fmin_hz
        self.fmax_hz = fmax_hz
        self.compression = compression
        learnt = "compression" in self.trainable
        if compression == "pcen":
            self.compress: PCENLayer | LogCompression | Log1pCompression = PCENLayer(
                n_filters, alpha=0.96, smoothing=0.04, eps=1e-12, floor=ENERGY_FLOOR, trainable=learnt
            )
        elif compression == "log":
            self.compress = LogCompression(n_filters, offset=ENERGY_FLOOR, learnt=learnt)
        else:
            self.compress = Log1pCompression(n_filters, exponent=5.0, learnt=learnt)

    def start(self) -> Bands:
        """The mel-spaced bands that filters start from."""
        return mel_bands(self.num_features, sr=self.sr, fmin=self.fmin_hz, fmax=self.fmax_hz)

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the filters."""
        return "Filter", np.arange(self.num_features)

    @abstractmethod
    def energies(self, waveforms: jax.Array) -> jax.Array:
        """Energies before compression, (batch, filters, frames), in the squared unit of the waveform."""

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, filters)."""
        # Rounding may leave an energy of almost nothing just below 0.
        energies = jax.nn.relu(self.energies(waveforms))
        return bins_last(self.compress(energies)).astype(waveforms.dtype)


class FilteredBank(EnergyBank):
    """An :class:`EnergyBank` by :func:`mer_jax.signal.filtered_energy.filtered_energy`.

    Args:
        window_s: length of the filters, seconds.
        **bank: arguments of :class:`EnergyBank`.

    Attributes:
        symmetric: whether every filter is its own conjugate mirrored at its centre.
    """

    symmetric = True

    def __init__(self, *, window_s: float = 0.025, **bank: Any) -> None:
        checks.positive("window_s", window_s)
        super().__init__(**bank)
        self.taps = odd_taps(window_s, self.sr)

    @abstractmethod
    def filters(self) -> jax.Array:
        """Impulse responses (filters, taps)."""

    @abstractmethod
    def smoothers(self) -> jax.Array:
        """Low-pass filters (filters, odd number of taps)."""

    @property
    @abstractmethod
    def smoother_bandwidth(self) -> float:
        """Above which frequency, in cycles a sample, the low-pass filters let hardly anything through."""

    def energies(self, waveforms: jax.Array) -> jax.Array:
        """Energies before compression, (batch, filters, frames), in the squared unit of the waveform."""
        filters, smoothers = self.filters(), self.smoothers()
        size = segment_length(filters.shape[1], smoothers.shape[1])
        return filtered_energy(
            widen(waveforms),
            filters,
            smoothers,
            hop_length=self.hop_length,
            lags=int(np.ceil(self.smoother_bandwidth * size)),
            symmetric=self.symmetric,
        )


# Length of the low-pass filter in hops: 25 ms for a hop of 10 ms, as published.
_HANN_HOPS = 2.5


class HannSmoothedBank(FilteredBank):
    """A :class:`FilteredBank` whose low-pass filters are one squared Hann window of 2.5 hops, which is not learnt."""

    def smoothers(self) -> jax.Array:
        """The squared Hann window, (filters, taps)."""
        window = squared_hann(2 * int(_HANN_HOPS * self.hop_length / 2) + 1)
        return jnp.broadcast_to(jnp.asarray(window, jnp.float32), (self.num_features, len(window)))

    @property
    def smoother_bandwidth(self) -> float:
        """Where the window's spectrum has fallen to 1e-4: its main lobe ends at 3 cycles a window."""
        return 5.0 / (_HANN_HOPS * self.hop_length)

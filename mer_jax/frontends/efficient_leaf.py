"""EfficientLEAF: LEAF with filters in groups, each with kernels as short and strides as long as its filters allow."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.frontends.energy_bank import EnergyBank
from mer_jax.frontends.learnable import about, between, free_of, parameter
from mer_jax.signal import framing
from mer_jax.signal.correlation import correlator
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.wavelets import deviation_of_width, gabor, gaussian

# Deviation of the low-pass filters, in hops: where it starts (as published: 80 samples for a hop of 160), and the factor by
# which it may change; and half the length of the filters, in hops (200 of 160).
_SMOOTHER_HOPS = 0.5
_SMOOTHER_FACTOR = 4.0
_SMOOTHER_REACH = 1.25
# Deviations of filters stay within this factor of where they start, and kernels hold them at its square root.
_DEVIATION_FACTOR = 2.0


class Group(NamedTuple):
    """Filters that share a kernel length and a stride, both in samples."""

    filters: slice
    taps: int
    stride: int


class EfficientLEAF(EnergyBank):
    """``log(1 + 10^a E)`` of the energies ``E`` of LEAF, computed at a lower rate for lower filters.

    Filters are cut into ``groups`` of neighbours. A group's kernels are ``window_factor`` times its widest deviation long, its
    convolution keeps every ``stride``-th sample, the largest divisor of the hop up to ``stride_factor * sr / (2 f)`` for its
    highest centre ``f``, and Gaussian low-pass filters of 2.5 hops reduce what is left to frames. Kernel lengths and strides
    are those of the filters at the start. Learnt are (part ``filters``) centre and log-deviation of each filter, (``pooling``)
    the log-deviation of each low-pass filter, (``compression``) ``a``.

    Centres stay in 0..sr/2, deviations within a factor of 2 (low-pass: 4) of where they start. Different from the published
    code: low-pass filters sum to 1, and what it appends after the compression (the values less their median over time, batch
    normalisation) is left to the network and the standardisation of features.

    Args:
        groups: how many groups, at most ``n_filters``.
        window_factor: length of a kernel in deviations.
        stride_factor: how much longer strides are than the period of the Nyquist rate of the highest centre.
        compression: ``log1p`` as published, ``pcen`` or ``log``.
        **bank: arguments of :class:`mer_jax.frontends.energy_bank.EnergyBank`.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, bands that do not lie in 0..sr/2, an unknown
            compression or part.

    Source:
        Schlüter and Gutenbrunner, *EfficientLEAF: a faster learnable audio frontend of questionable use* (EUSIPCO 2022),
        section III; CPJKU/EfficientLEAF for the constants.
    """

    parts = ("filters", "pooling", "compression")

    def __init__(
        self,
        *,
        groups: int = 8,
        window_factor: float = 6.0,
        stride_factor: float = 16.0,
        compression: str = "log1p",
        **bank: Any,
    ) -> None:
        checks.positive_int("groups", groups)
        checks.positive("window_factor", window_factor)
        checks.positive("stride_factor", stride_factor)
        super().__init__(compression=compression, **bank)
        n_filters = self.num_features
        if groups > n_filters:
            raise checks.ArgumentError("groups", f"is {groups}", expected=f"at most n_filters={n_filters}")
        self.groups = groups
        self.window_factor = window_factor
        self.stride_factor = stride_factor
        bands, learnt = self.start(), "filters" in self.trainable
        self.centre = parameter(free_of(bands.centre, 0.0, self.sr / 2), learnt=learnt)
        self.deviation = parameter(np.zeros(n_filters), learnt=learnt)
        self.pooling = parameter(np.zeros(n_filters), learnt="pooling" in self.trainable)

    def layout(self) -> tuple[Group, ...]:
        """The groups, lowest filters first."""
        bands = self.start()
        deviations = deviation_of_width(bands.half_widths, self.sr)
        divisors = np.array([n for n in range(1, self.hop_length + 1) if self.hop_length % n == 0])
        edges = np.arange(self.groups + 1) * self.num_features // self.groups
        found = []
        for first, last in pairwise(edges):
            some = slice(int(first), int(last))
            reach = self.window_factor / 2 * np.sqrt(_DEVIATION_FACTOR) * deviations[some].max()
            longest = max(1.0, self.stride_factor * self.sr / (2 * bands.centre[some].max()))
            stride = divisors[np.searchsorted(divisors, longest, side="right") - 1]
            found.append(Group(some, 2 * int(np.ceil(reach)) + 1, int(stride)))
        return tuple(found)

    @property
    def centres_hz(self) -> jax.Array:
        """Centre of each filter."""
        return between(self.centre[...], 0.0, self.sr / 2)

    @property
    def deviations(self) -> jax.Array:
        """Deviation of each filter, samples."""
        start = deviation_of_width(self.start().half_widths, self.sr)
        return about(self.deviation[...], start, _DEVIATION_FACTOR)

    @property
    def smoother_deviations(self) -> jax.Array:
        """Deviation of each low-pass filter, samples."""
        return about(self.pooling[...], _SMOOTHER_HOPS * self.hop_length, _SMOOTHER_FACTOR)

    def energies(self, waveforms: jax.Array) -> jax.Array:
        """Energies before compression, (batch, filters, frames), in the squared unit of the waveform."""
        filters, smoothers = [], []
        for some, taps, stride in self.layout():
            kernels = gabor(self.centres_hz[some], self.deviations[some], taps, sr=self.sr)
            # Correlating with a Gabor filter, in place of convolving, conjugates what comes out.
            filters.append(jnp.concatenate([kernels.real, kernels.imag]).T)
            reach = int(_SMOOTHER_REACH * self.hop_length / stride)
            smoothers.append(gaussian(self.smoother_deviations[some] / stride, 2 * reach + 1))
        strides = tuple(group.stride for group in self.layout())
        return _energies(waveforms, tuple(filters), tuple(smoothers), strides, self.hop_length)


@partial(jax.jit, static_argnums=(3, 4))
def _energies(
    y: jax.Array,
    filters: tuple[jax.Array, ...],
    smoothers: tuple[jax.Array, ...],
    strides: tuple[int, ...],
    hop_length: int,
) -> jax.Array:
    """Energies (batch, filters, frames) of all groups.

    Args:
        y: samples (batch, samples).
        filters: of each group, (taps, 2 filters), real parts before imaginary ones.
        smoothers: of each group, (filters, taps), for energies that are ``stride`` samples apart.
        strides: of each group.
        hop_length: samples between frames.
    """
    x = widen(y)
    frames = 1 + x.shape[-1] // hop_length
    branches = [
        _branch(columns.astype(x.dtype), windows.astype(x.dtype), stride, hop_length // stride)
        for columns, windows, stride in zip(filters, smoothers, strides, strict=True)
    ]

    def of_clip(clip: jax.Array) -> jax.Array:
        return jnp.concatenate([branch(clip, frames) for branch in branches])

    return per_clip(of_clip, x, recompute=True)


def _branch(
    columns: jax.Array, windows: jax.Array, stride: int, hop: int
) -> Callable[[jax.Array, int], jax.Array]:
    """The function from one clip and a number of frames to the energies (filters, frames) of a group."""
    correlate = correlator(columns, stride=stride)
    taps, length = columns.shape[0], windows.shape[1]

    def branch(clip: jax.Array, frames: int) -> jax.Array:
        # From half a window before the clip to half a window after the centre of its last frame.
        before = taps // 2 + length // 2 * stride
        real, imaginary = jnp.split(correlate(clip, before, length + (frames - 1) * hop), 2, axis=1)
        energy = jnp.square(real) + jnp.square(imaginary)
        rows = framing.split_frames(energy.T, frame_length=length, hop_length=hop)
        return jnp.einsum("ctn,cn->ct", rows, windows, precision=jax.lax.Precision.HIGHEST)

    return branch

"""Constant-Q front-ends: magnitudes, and magnitudes in decibels."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.frontends.compression import Decibels
from mer_jax.frontends.learnable import Trainable
from mer_jax.signal.constantq import apply_kernels, build_bank, describe
from mer_jax.signal.cq_kernels import Bank
from mer_jax.signal.frequencies import C1_HZ, cqt_frequencies


class CQT(Frontend):
    """Magnitude of the constant-Q transform, :func:`mer_jax.signal.cqt`.

    Args:
        sr: sampling rate, Hz.
        hop_length: samples from one frame to the next.
        fmin_hz: lowest centre frequency; None is C1, 32.70 Hz.
        n_bins: number of frequencies.
        bins_per_octave: frequencies in an octave.
        method: ``"librosa"`` for the octave recursion that agrees with librosa, ``"exact"`` for full-length kernels.
        trainable: whether the ``kernels`` are learnt, from their values on: every tap of each bin's complex kernel, held
            relative to the kernel's peak.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, an unknown method or part, or a highest filter
            above half the sampling rate.
    """

    parts: tuple[str, ...] = ("kernels",)
    unit = "magnitude"
    picture_scale = "magnitude"

    def __init__(
        self,
        *,
        sr: int = 22050,
        hop_length: int = 512,
        fmin_hz: float | None = None,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        method: Literal["librosa", "exact"] = "librosa",
        trainable: Trainable = False,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("n_bins", n_bins)
        checks.positive_int("bins_per_octave", bins_per_octave)
        checks.one_of("method", method, ("librosa", "exact"))
        self.fmin_hz = C1_HZ if fmin_hz is None else fmin_hz
        checks.positive("fmin_hz", self.fmin_hz)
        centres_hz = cqt_frequencies(n_bins, fmin=self.fmin_hz, bins_per_octave=bins_per_octave)
        if centres_hz[-1] >= sr / 2:
            raise checks.ArgumentError(
                "n_bins",
                f"is {n_bins}: the highest filter is at {centres_hz[-1]:.0f} Hz",
                expected=f"filters below half the sampling rate, {sr / 2:.0f} Hz",
                remedy="take fewer bins or a higher sampling rate",
            )
        names = tuple(f"{hz:.2f}_hz" for hz in centres_hz)
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names, trainable=trainable)
        self.n_bins = n_bins
        self.bins_per_octave = bins_per_octave
        self.method = method
        if "kernels" in self.trainable:
            # Those of the longest clips: of any clip that is long enough.
            kernels = self._bank(num_samples=1 << 30).kernels
            self.kernels = nnx.List(
                [nnx.Param(jnp.asarray(kernel / _peaks(kernel), jnp.float32)) for kernel in kernels]
            )

    def _bank(self, num_samples: int) -> Bank:
        """The kernels at the start."""
        transform = describe(
            sr=self.sr,
            hop_length=self.hop_length,
            fmin=self.fmin_hz,
            n_bins=self.n_bins,
            bins_per_octave=self.bins_per_octave,
        )
        return build_bank(transform, method=self.method, num_samples=num_samples)

    def bins(self) -> tuple[str, np.ndarray]:
        """Centre frequencies."""
        return "Frequency (Hz)", cqt_frequencies(
            self.n_bins, fmin=self.fmin_hz, bins_per_octave=self.bins_per_octave
        )

    def magnitude(self, waveforms: jax.Array) -> jax.Array:
        """(batch, n_bins, frames)."""
        if "kernels" in self.trainable:
            return self._learnt_magnitude(waveforms)
        spectrum = signal.cqt(
            waveforms,
            sr=self.sr,
            hop_length=self.hop_length,
            fmin=self.fmin_hz,
            n_bins=self.n_bins,
            bins_per_octave=self.bins_per_octave,
            method=self.method,
        )
        return jnp.abs(spectrum).astype(waveforms.dtype)

    def _learnt_magnitude(self, waveforms: jax.Array) -> jax.Array:
        bank = self._bank(num_samples=waveforms.shape[-1])
        kernels = tuple(
            learnt[...] * jnp.asarray(_peaks(start), jnp.float32)
            for learnt, start in zip(self.kernels, bank.kernels, strict=True)
        )
        spectrum = apply_kernels(waveforms, kernels, steps=bank.steps, recompute=True)
        return jnp.abs(spectrum).astype(waveforms.dtype)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_bins)."""
        return bins_last(self.magnitude(waveforms))


class LogCQT(CQT):
    """Constant-Q magnitudes in decibels, ``20 log10 |CQT|``, at most ``top_db`` below each clip's maximum.

    Arguments as :class:`CQT`; ``trainable`` has a further part, ``compression``
    (:class:`mer_jax.frontends.compression.Decibels`: decibels a decade, floor and range).
    """

    parts = ("kernels", "compression")
    unit = "dB"
    picture_scale = "decibel"

    def __init__(self, **cqt: Any) -> None:
        super().__init__(**cqt)
        if "compression" in self.trainable:
            self.compression = Decibels(self.n_bins, decade_db=20.0)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_bins), dB."""
        magnitude = self.magnitude(waveforms)
        if "compression" in self.trainable:
            return bins_last(self.compression(magnitude))
        return bins_last(signal.amplitude_to_db(magnitude))


def _peaks(kernel: np.ndarray) -> np.ndarray:
    """Largest magnitude of each complex kernel, for its real and its imaginary column: (1, 2 bins)."""
    real, imaginary = np.split(kernel, 2, axis=1)
    return np.tile(np.hypot(real, imaginary).max(axis=0, keepdims=True), 2)

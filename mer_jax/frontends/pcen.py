"""The front-end of the keyword-spotting paper: a mel spectrogram with per-channel energy normalisation."""

from typing import Any

import jax

from mer_jax.frontends.base import bins_last
from mer_jax.frontends.compression import PCENLayer
from mer_jax.frontends.learnable import Trainable
from mer_jax.frontends.spectrogram import MelSpectrogram


class PCEN(MelSpectrogram):
    """``P = (E / (eps + M)^alpha + delta)^r - delta^r`` of mel energies ``E`` smoothed in time to ``M``, without unit.

    See :class:`mer_jax.frontends.compression.PCENLayer`, which :class:`mer_jax.frontends.compression.WithPCEN` puts on any
    other front-end. Parts that can be learnt: ``compression`` (alpha, delta, r and the smoother's coefficient of each
    channel), and those of :class:`mer_jax.frontends.MelSpectrogram`. As in the paper only the compression is, unless told
    otherwise.

    Args:
        alpha: strength of the gain control, in 0..1.
        delta: bias, above 0.
        compression_power: ``r``, in 0..1.
        smoothing: coefficient of the smoother, of one frame, in 0..1.
        eps: floor of the smoothed energy, above 0.
        trainable: which parts are learnt.
        **mel: arguments of :class:`mer_jax.frontends.MelSpectrogram`.

    Raises:
        mer_jax.checks.ArgumentError: a value that is out of range, or an unknown part.

    Source:
        Wang, Getreuer, Hughes, Lyon and Saurous, *Trainable frontend for robust and far-field keyword spotting* (ICASSP 2017),
        equations 1 and 2, and table 1 for the constants.
    """

    parts = ("window", "mel", "compression", "kernels")
    unit = ""
    picture_scale = "range"

    def __init__(
        self,
        *,
        alpha: float = 0.98,
        delta: float = 2.0,
        compression_power: float = 0.5,
        smoothing: float = 0.025,
        eps: float = 1e-6,
        trainable: Trainable = ("compression",),
        **mel: Any,
    ) -> None:
        super().__init__(trainable=trainable, **mel)
        self.pcen = PCENLayer(
            self.n_mels,
            alpha=alpha,
            delta=delta,
            power=compression_power,
            smoothing=smoothing,
            eps=eps,
            trainable="compression" in self.trainable,
        )

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mels)."""
        return bins_last(self.pcen(self.mel_spectrogram(waveforms)))

"""Rhythm front-end."""

import jax
import numpy as np
from flax import nnx

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last


class Tempogram(Frontend):
    """Local autocorrelation of the onset strength, :func:`mer_jax.signal.tempogram`.

    Args:
        sr: sampling rate, Hz.
        hop_length: samples from one frame to the next.
        win_length: frames that are correlated; also the number of lags.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer.
    """

    picture_scale = "unit"

    def __init__(
        self,
        *,
        sr: int = 22050,
        hop_length: int = 512,
        win_length: int = 384,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("win_length", win_length)
        names = tuple(f"lag_{lag}_frames" for lag in range(win_length))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names)
        self.win_length = win_length

    def bins(self) -> tuple[str, np.ndarray]:
        """Lags."""
        return "Lag (s)", np.arange(self.win_length) * self.hop_length / self.sr

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, win_length)."""
        return bins_last(
            signal.tempogram(
                y=waveforms, sr=self.sr, hop_length=self.hop_length, win_length=self.win_length
            ).astype(waveforms.dtype)
        )

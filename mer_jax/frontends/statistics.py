"""The study's spectral features as numbers: flux, roll-off, centroid, bandwidth, contrast, flatness."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.signal import numerical
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.windows import centered_window


class SpectralStatistics(Frontend):
    """Twelve numbers a frame from one shared short-time Fourier transform.

    In order: flux, roll-off (Hz), centroid (Hz), bandwidth (Hz), contrast of seven bands (dB), flatness; each as the function
    of that name in :mod:`mer_jax.signal` with its defaults.

    Args:
        sr: sampling rate, Hz; above 12,800, for the seven octave bands of the contrast.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or a sampling rate too low.
    """

    picture_scale = "series"

    def __init__(
        self, *, sr: int = 22050, n_fft: int = 2048, hop_length: int = 512, rngs: nnx.Rngs | None = None
    ) -> None:
        del rngs
        checks.positive_int("n_fft", n_fft)
        numerical.check_sampling_rate(sr)
        super().__init__(sr=sr, hop_length=hop_length, feature_names=numerical.STATISTICS)
        self.n_fft = n_fft

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 12)."""
        x = widen(waveforms)
        window = jnp.asarray(centered_window("hann", self.n_fft, self.n_fft, x.dtype))
        of_clip = partial(
            numerical.spectral_statistics, window=window, sr=self.sr, hop_length=self.hop_length
        )
        return bins_last(per_clip(lambda clip: of_clip(clip)[0], x)).astype(waveforms.dtype)

"""The study's spectral features as numbers: flux, roll-off, centroid, bandwidth, contrast, flatness."""

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.signal import descriptors, spectral
from mer_jax.signal.descriptors import Frequencies
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import map_spectra
from mer_jax.signal.windows import centered_window

NUM_CONTRAST_BANDS = 6


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

    def __init__(
        self, *, sr: int = 22050, n_fft: int = 2048, hop_length: int = 512, rngs: nnx.Rngs | None = None
    ) -> None:
        del rngs
        checks.positive_int("n_fft", n_fft)
        names = [f"spectral_{name}" for name in ("flux", "rolloff", "centroid", "bandwidth")]
        names += [f"spectral_contrast_{k}" for k in range(NUM_CONTRAST_BANDS + 1)]
        super().__init__(sr=sr, hop_length=hop_length, feature_names=(*names, "spectral_flatness"))
        lowest = 2 * descriptors.Extremes.fmin * 2 ** (NUM_CONTRAST_BANDS - 1)
        if sr <= lowest:
            raise checks.ArgumentError(
                "sr", f"is {sr}", expected=f"above {lowest:.0f} Hz, for the contrast's bands"
            )
        self.n_fft = n_fft

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 12)."""
        x = widen(waveforms)
        window = jnp.asarray(centered_window("hann", self.n_fft, self.n_fft, x.dtype))
        frequencies = Frequencies(float(self.sr), self.n_fft)
        extremes = descriptors.Extremes(frequencies, n_bands=NUM_CONTRAST_BANDS)
        singles = (
            descriptors.Rolloff(frequencies),
            descriptors.Centroid(frequencies),
            descriptors.Bandwidth(frequencies),
        )

        def one_clip(y: jax.Array) -> jax.Array:
            # The magnitudes of one clip stay in cache while every statistic reads them.
            S = map_spectra(jnp.abs, y, window, hop_length=self.hop_length)
            rows = S.T
            low = jnp.concatenate([describe(rows) for describe in singles], axis=-1).T
            contrast = spectral.contrast_of_extremes(extremes(rows).T)
            flatness = descriptors.Flatness()(rows).T
            return jnp.concatenate([spectral.flux_of_magnitude(S), low, contrast, flatness])

        return bins_last(per_clip(one_clip, x)).astype(waveforms.dtype)

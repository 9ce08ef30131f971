"""Short-time Fourier front-ends: spectrogram, mel spectrogram, log-mel and MFCC."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last


class Spectrogram(Frontend):
    """Linear spectrogram ``|STFT|^power`` as :func:`mer_jax.signal.stft` computes it.

    Args:
        sr: sampling rate, Hz.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        window: name of a SciPy window.
        power: 1 for magnitudes, 2 for powers.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or a power that is not above 0.
    """

    colour_map = "inferno"

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: str = "hann",
        power: float = 1.0,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("n_fft", n_fft)
        checks.positive("power", power)
        names = tuple(f"{k * sr / n_fft:.1f}_hz" for k in range(1 + n_fft // 2))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names)
        self.n_fft = n_fft
        self.window = window
        self.power = power
        self.unit = {1.0: "magnitude", 2.0: "power"}.get(power, "")
        self.picture_scale = {1.0: "magnitude", 2.0: "power"}.get(power, "range")

    def bins(self) -> tuple[str, np.ndarray]:
        """Frequencies of the bins."""
        return "Frequency (Hz)", np.arange(1 + self.n_fft // 2) * self.sr / self.n_fft

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 1 + n_fft // 2)."""
        spectrum = signal.stft(waveforms, n_fft=self.n_fft, hop_length=self.hop_length, window=self.window)
        magnitude = jnp.abs(spectrum)
        return bins_last(magnitude if self.power == 1 else magnitude**self.power)


class MelSpectrogram(Frontend):
    """Power spectrogram on the mel scale, :func:`mer_jax.signal.melspectrogram`.

    Args:
        sr: sampling rate, Hz.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        window: name of a SciPy window.
        n_mels: number of mel bands.
        fmin_hz: lowest frequency.
        fmax_hz: highest frequency; None is half the sampling rate.
        htk: HTK's mel scale instead of Slaney's.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer.
    """

    unit = "power"
    picture_scale = "power"

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: str = "hann",
        n_mels: int = 128,
        fmin_hz: float = 0.0,
        fmax_hz: float | None = None,
        htk: bool = False,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("n_fft", n_fft)
        checks.positive_int("n_mels", n_mels)
        super().__init__(sr=sr, hop_length=hop_length, feature_names=tuple(f"mel_{k}" for k in range(n_mels)))
        self.n_fft = n_fft
        self.window = window
        self.n_mels = n_mels
        self.fmin_hz = fmin_hz
        self.fmax_hz = fmax_hz
        self.htk = htk

    @property
    def _mel_options(self) -> dict[str, Any]:
        return {
            "sr": self.sr,
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "window": self.window,
            "n_mels": self.n_mels,
            "fmin": self.fmin_hz,
            "fmax": self.fmax_hz,
            "htk": self.htk,
        }

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the bands."""
        return "Mel band", np.arange(self.n_mels)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mels)."""
        return bins_last(signal.melspectrogram(y=waveforms, **self._mel_options))


class LogMel(MelSpectrogram):
    """Mel spectrogram in decibels, ``10 log10 S``, at most 80 dB below each clip's maximum.

    Arguments as :class:`MelSpectrogram`.
    """

    unit = "dB"
    picture_scale = "decibel"

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mels), dB."""
        return bins_last(signal.power_to_db(signal.melspectrogram(y=waveforms, **self._mel_options)))


class MFCC(MelSpectrogram):
    """Mel-frequency cepstral coefficients, :func:`mer_jax.signal.mfcc`.

    Args:
        n_mfcc: number of coefficients.
        **mel: arguments of :class:`MelSpectrogram`.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer.
    """

    unit = ""
    picture_scale = "range"

    def __init__(self, *, n_mfcc: int = 20, **mel: Any) -> None:
        super().__init__(**mel)
        checks.positive_int("n_mfcc", n_mfcc)
        self.n_mfcc = n_mfcc
        self.feature_names = tuple(f"mfcc_{k}" for k in range(n_mfcc))

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the coefficients."""
        return "Coefficient", np.arange(self.n_mfcc)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mfcc)."""
        return bins_last(signal.mfcc(y=waveforms, n_mfcc=self.n_mfcc, **self._mel_options))

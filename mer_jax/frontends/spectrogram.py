"""Short-time Fourier front-ends: spectrogram, mel spectrogram, log-mel and MFCC."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.frontends.compression import Decibels
from mer_jax.frontends.learnable import Trainable, about
from mer_jax.frontends.stft_parts import MEL_PARAMETERS, MelBank, Spectra, fixed_rows
from mer_jax.signal.filterbanks import dct
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import magnitude_power


class LinearSpectrum(Frontend):
    """What front-ends with a feature for each bin of a Fourier transform share: names, positions, unit, scale of a picture.

    Args:
        sr: sampling rate, Hz.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        power: 1 for magnitudes, 2 for powers.
        trainable: which parts are learnt.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, a power that is not above 0, or an unknown part.
    """

    colour_map = "inferno"

    def __init__(self, *, sr: int, n_fft: int, hop_length: int, power: float, trainable: Trainable) -> None:
        checks.positive_int("n_fft", n_fft)
        checks.positive("power", power)
        names = tuple(f"{k * sr / n_fft:.1f}_hz" for k in range(1 + n_fft // 2))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names, trainable=trainable)
        self.n_fft = n_fft
        self.power = power
        self.unit = {1.0: "magnitude", 2.0: "power"}.get(power, "")
        self.picture_scale = {1.0: "magnitude", 2.0: "power"}.get(power, "range")

    def bins(self) -> tuple[str, np.ndarray]:
        """Frequencies of the bins."""
        return "Frequency (Hz)", np.arange(1 + self.n_fft // 2) * self.sr / self.n_fft


class Spectrogram(LinearSpectrum):
    """Linear spectrogram ``|STFT|^power`` as :func:`mer_jax.signal.stft` computes it.

    Args:
        sr: sampling rate, Hz.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        window: name of a SciPy window.
        power: 1 for magnitudes, 2 for powers.
        trainable: what is learnt, from these values on: ``window`` (every sample), ``compression`` (the power, for each bin,
            within a factor of 4), ``kernels`` (the Fourier kernels, 2 n_fft (1 + n_fft / 2) free values); True is all but the
            kernels.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, a power that is not above 0, or an unknown part.
    """

    parts = ("window", "compression", "kernels")
    parts_on_request = ("kernels",)

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: str = "hann",
        power: float = 1.0,
        trainable: Trainable = False,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        super().__init__(sr=sr, n_fft=n_fft, hop_length=hop_length, power=power, trainable=trainable)
        self.window = window
        if self.trainable:
            self.spectra = Spectra(n_fft=n_fft, hop_length=hop_length, window=window, parts=self.trainable)
        if "compression" in self.trainable:
            self.exponent = nnx.Param(jnp.zeros(self.num_features))

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 1 + n_fft // 2)."""
        if self.trainable:
            return bins_last(self.spectra.map(self._raised, waveforms))
        spectrum = signal.stft(waveforms, n_fft=self.n_fft, hop_length=self.hop_length, window=self.window)
        magnitude = jnp.abs(spectrum)
        return bins_last(magnitude if self.power == 1 else magnitude**self.power)

    def _raised(self, spectra: jax.Array) -> jax.Array:
        """Magnitudes of some frames (rows, bins) to their power."""
        if "compression" not in self.trainable:
            return magnitude_power(spectra, self.power)
        magnitude = jnp.abs(spectra)
        present = magnitude > 0
        power = about(self.exponent[...], self.power, 4.0).astype(magnitude.dtype)[None, :]
        return jnp.where(present, jnp.where(present, magnitude, 1) ** power, 0)


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
        trainable: what is learnt, from these values on: ``window`` (every sample), ``mel`` (the filters), ``kernels`` (the
            Fourier kernels, 2 n_fft (1 + n_fft / 2) free values); True is all but the kernels.
        mel_parameters: how filters are learnt: ``matrix``, every weight, or ``triangles``, centre and widths of each
            (:class:`mer_jax.frontends.stft_parts.MelBank`).
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or an unknown part or kind of parameters.
    """

    parts: tuple[str, ...] = ("window", "mel", "kernels")
    parts_on_request = ("kernels",)
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
        trainable: Trainable = False,
        mel_parameters: str = "matrix",
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.positive_int("n_fft", n_fft)
        checks.positive_int("n_mels", n_mels)
        checks.one_of("mel_parameters", mel_parameters, MEL_PARAMETERS)
        names = tuple(f"mel_{k}" for k in range(n_mels))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names, trainable=trainable)
        self.n_fft = n_fft
        self.window = window
        self.n_mels = n_mels
        self.fmin_hz = fmin_hz
        self.fmax_hz = fmax_hz
        self.htk = htk
        if set(self.trainable) & {"window", "mel", "kernels"}:
            self.spectra = Spectra(n_fft=n_fft, hop_length=hop_length, window=window, parts=self.trainable)
        if "mel" in self.trainable:
            self.mel = MelBank(form=mel_parameters, options=self._filter_options)

    @property
    def _filter_options(self) -> dict[str, Any]:
        return {
            "sr": self.sr,
            "n_fft": self.n_fft,
            "n_mels": self.n_mels,
            "fmin": self.fmin_hz,
            "fmax": self.fmax_hz,
            "htk": self.htk,
        }

    def mel_spectrogram(self, waveforms: jax.Array) -> jax.Array:
        """Energies (batch, n_mels, frames)."""
        if not hasattr(self, "spectra"):
            return signal.melspectrogram(
                y=waveforms, hop_length=self.hop_length, window=self.window, **self._filter_options
            )
        filters = self.mel.rows() if "mel" in self.trainable else fixed_rows(self._filter_options)
        return self.spectra.map(lambda z: filters(magnitude_power(z, 2.0)), waveforms)

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the bands."""
        return "Mel band", np.arange(self.n_mels)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mels)."""
        return bins_last(self.mel_spectrogram(waveforms))


class LogMel(MelSpectrogram):
    """Mel spectrogram in decibels, ``10 log10 S``, at most 80 dB below each clip's maximum.

    Arguments as :class:`MelSpectrogram`; ``trainable`` has a further part, ``compression``
    (:class:`mer_jax.frontends.compression.Decibels`: decibels a decade, floor and range).
    """

    parts: tuple[str, ...] = ("window", "mel", "compression", "kernels")
    unit = "dB"
    picture_scale = "decibel"

    def __init__(self, **mel: Any) -> None:
        super().__init__(**mel)
        if "compression" in self.trainable:
            self.compression = Decibels(self.n_mels, decade_db=10.0)

    def decibels(self, waveforms: jax.Array) -> jax.Array:
        """(batch, n_mels, frames), dB."""
        energies = self.mel_spectrogram(waveforms)
        return self.compression(energies) if "compression" in self.trainable else signal.power_to_db(energies)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mels), dB."""
        return bins_last(self.decibels(waveforms))


class MFCC(LogMel):
    """Mel-frequency cepstral coefficients, :func:`mer_jax.signal.mfcc`.

    Args:
        n_mfcc: number of coefficients.
        **mel: arguments of :class:`LogMel`; ``trainable`` has a further part, ``dct`` (the cosine transform, every weight).

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, more coefficients than mel bands, or an unknown
            part.
    """

    parts = ("window", "mel", "compression", "dct", "kernels")
    unit = ""
    picture_scale = "range"

    def __init__(self, *, n_mfcc: int = 20, **mel: Any) -> None:
        super().__init__(**mel)
        checks.positive_int("n_mfcc", n_mfcc)
        if n_mfcc > self.n_mels:
            raise checks.ArgumentError(
                "n_mfcc", f"is {n_mfcc}", expected=f"at most the {self.n_mels} mel bands"
            )
        self.n_mfcc = n_mfcc
        self.feature_names = tuple(f"mfcc_{k}" for k in range(n_mfcc))
        if "dct" in self.trainable:
            self.dct = nnx.Param(jnp.asarray(dct(n_mfcc, self.n_mels), jnp.float32))

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the coefficients."""
        return "Coefficient", np.arange(self.n_mfcc)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, n_mfcc)."""
        db = self.decibels(waveforms)
        if "dct" not in self.trainable:
            return bins_last(signal.mfcc(S=db, n_mfcc=self.n_mfcc))
        basis = self.dct[...].astype(widen(db).dtype)
        found = jnp.einsum("km,bmt->bkt", basis, widen(db), precision=lax.Precision.HIGHEST)
        return bins_last(found.astype(db.dtype))

"""Differentiable short-time Fourier transform: the length of its window and its hop are real numbers that are learnt."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, Bool, Float, Int
from mer_jax.frontends.base import bins_last
from mer_jax.frontends.learnable import Trainable, about, parameter
from mer_jax.frontends.spectrogram import LinearSpectrum
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import magnitude_power

# How far window length and hop may go from where they start, as factors.
_LENGTH_FACTOR = 4.0
_HOP_FACTOR = 1.5


class DSTFT(LinearSpectrum):
    """Magnitudes ``|sum_n w(n - t h) y[n] exp(-2 pi i k n / n_fft)|^power``, differentiable in window length and hop ``h``.

    ``w(x) = (1 + cos(2 pi x / L)) / 2`` for ``|x| <= L / 2`` is a Hann window of ``L`` samples, a real number from a quarter of
    the initial length to four times it (beyond ``n_fft`` the cosine is cut at the ends of the frame). Frame ``t`` is centred at
    ``t h``, also a real number: whole samples choose the samples of the frame, the rest shifts the window. The number of
    frames is that of the initial hop, ``hop_length``, from 1 / 1.5 to 1.5 times which ``h`` may move. At the start it equals
    :func:`mer_jax.signal.spectrogram`.

    Args:
        sr: sampling rate, Hz.
        n_fft: samples a frame.
        win_length: length of the window at the start; None is ``n_fft``.
        hop_length: samples from one frame to the next at the start.
        power: 1 for magnitudes, 2 for powers.
        trainable: which of ``window_length`` and ``hop`` are learnt; both unless told otherwise.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, a window longer than the frame, a power that is not
            above 0, or an unknown part.

    Source:
        Leiber, Marnissi, Barrau and El Badaoui, *Differentiable short-time Fourier transform with respect to the hop length*
        (SSP 2023), and *Differentiable adaptive short-time Fourier transform with respect to the window length* (ICASSP 2023).
    """

    parts = ("window_length", "hop")

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int = 512,
        power: float = 1.0,
        trainable: Trainable = True,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        super().__init__(sr=sr, n_fft=n_fft, hop_length=hop_length, power=power, trainable=trainable)
        win_length = n_fft if win_length is None else win_length
        checks.positive_int("win_length", win_length, minimum=4)
        if win_length > n_fft:
            raise checks.ArgumentError("win_length", f"is {win_length}", expected=f"at most n_fft={n_fft}")
        self.win_length = win_length
        self.length = parameter(np.zeros(()), learnt="window_length" in self.trainable)
        self.hop = parameter(np.zeros(()), learnt="hop" in self.trainable)

    @property
    def window_length(self) -> Float[Array, ""]:
        """Length of the window now, samples."""
        return about(self.length[...], float(self.win_length), _LENGTH_FACTOR)

    @property
    def hop_samples(self) -> Float[Array, ""]:
        """The hop now, samples."""
        return about(self.hop[...], float(self.hop_length), _HOP_FACTOR)

    def frame_mask(self, lengths: Int[Array, " batch"], num_samples: int) -> Bool[Array, "batch frames"]:
        """True where a frame's centre, by the hop now, lies inside the valid samples; the first frame always counts."""
        centres = jnp.arange(self.num_frames(num_samples)) * self.hop_samples
        return (centres[None, :] < lengths[:, None]).at[:, 0].set(True)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 1 + n_fft // 2)."""
        x = widen(waveforms)
        frames = self.num_frames(x.shape[-1])
        centres = jnp.arange(frames, dtype=x.dtype) * self.hop_samples.astype(x.dtype)
        whole = jnp.floor(centres)
        rest = centres - jax.lax.stop_gradient(whole)
        window = _hann(self.n_fft, self.window_length.astype(x.dtype), rest)
        starts = whole.astype(jnp.int32)
        half = self.n_fft // 2
        # The furthest that a frame can be: beyond the clip there are zeros.
        after = int(_HOP_FACTOR * self.hop_length * frames) + self.n_fft + 1

        def of_clip(clip: jax.Array) -> jax.Array:
            padded = jnp.pad(clip, (half, after))
            rows = jax.vmap(lambda first: jax.lax.dynamic_slice(padded, (first,), (self.n_fft,)))(starts)
            return magnitude_power(jnp.fft.rfft(rows * window), self.power).T

        return bins_last(per_clip(of_clip, x, recompute=True).astype(waveforms.dtype))


def _hann(
    n_fft: int, length: Float[Array, ""], shifts: Float[Array, " frames"]
) -> Float[Array, "frames n_fft"]:
    """Hann windows of ``length`` samples about the middle of a frame, each shifted by a part of a sample."""
    x = jnp.asarray(np.arange(n_fft) - n_fft // 2, shifts.dtype)[None, :] - shifts[:, None]
    return jnp.where(jnp.abs(x) <= length / 2, 0.5 + 0.5 * jnp.cos(2 * np.pi * x / length), 0.0)

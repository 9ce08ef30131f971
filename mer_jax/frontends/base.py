"""The contract that every front-end keeps: (batch, samples) in, (batch, frames, features) out."""

from abc import abstractmethod

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Bool, Float, Int, Shaped
from mer_jax.frontends.learnable import Trainable, chosen_parts


class Frontend(nnx.Module):
    """Turns waveforms into a sequence of feature vectors, inside the program of the model that follows.

    A subclass sets its size with :meth:`__init__` and computes in :meth:`features`. Frames follow librosa's centred framing
    unless the subclass says otherwise: frame t is centred on sample ``t * hop_length`` and a clip of N samples has
    ``1 + N // hop_length`` of them.

    Attributes:
        sr: sampling rate of the input, Hz.
        hop_length: samples from one frame to the next.
        feature_names: one name per feature, in order.
        num_features: size of the last axis.
        frame_rate_hz: frames a second.
        unit: unit of the values, "" where they have none.
        parts: what of it can be learnt, by name.
        parts_on_request: those of them that ``trainable=True`` leaves out.
        trainable: the parts that are learnt; empty for a fixed front-end.
        picture_scale: how a picture brings the values to 0..1 (:data:`mer_jax.frontends.pictures.SCALES`).
        colour_map: the colours of a picture (:data:`mer_jax.frontends.pictures.COLOUR_MAPS`).
    """

    parts: tuple[str, ...] = ()
    parts_on_request: tuple[str, ...] = ()
    unit = ""
    picture_scale = "range"
    colour_map = "coolwarm"

    def __init__(
        self, *, sr: int, hop_length: int, feature_names: tuple[str, ...], trainable: Trainable = False
    ) -> None:
        checks.positive_int("sr", sr)
        checks.positive_int("hop_length", hop_length)
        self.sr = sr
        self.hop_length = hop_length
        self.feature_names = tuple(feature_names)
        self.trainable = chosen_parts(trainable, self.parts, on_request=self.parts_on_request)

    @property
    def num_features(self) -> int:
        """Size of the last axis of the output."""
        return len(self.feature_names)

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second."""
        return self.sr / self.hop_length

    def bins(self) -> tuple[str, np.ndarray] | None:
        """What the features are the bins of, as a label with unit and one position or name each; None for separate series."""
        return None

    def num_frames(self, num_samples: int) -> int:
        """How many frames a clip of ``num_samples`` samples gives."""
        return 1 + num_samples // self.hop_length

    def frame_mask(self, lengths: Int[Array, " batch"], num_samples: int) -> Bool[Array, "batch frames"]:
        """Which frames belong to the clip and not to the zeros appended to it.

        Args:
            lengths: valid samples of each clip.
            num_samples: samples of each clip with its padding.

        Returns:
            True where a frame's centre lies inside the valid samples. The first frame always counts, so that no clip is
            without any.
        """
        frames = jnp.arange(self.num_frames(num_samples))
        return frames[None, :] < jnp.maximum(1, 1 + (lengths[:, None] - 1) // self.hop_length)

    def __call__(self, waveforms: Shaped[ArrayLike, "..."]) -> Float[Array, "batch frames features"]:
        """Features of waveforms (batch, samples).

        Raises:
            mer_jax.checks.ArgumentError: another number of axes, or integer samples.
        """
        return self.features(checks.batched_waveform(waveforms))

    @abstractmethod
    def features(self, waveforms: jax.Array) -> jax.Array:
        """Compute (batch, frames, features) from checked (batch, samples)."""


def bins_last(x: jax.Array) -> jax.Array:
    """(..., bins, frames), the signal layer's order, to (..., frames, features), the models' order."""
    return jnp.swapaxes(x, -1, -2)

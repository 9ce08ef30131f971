"""Pitch-class front-end."""

from collections.abc import Callable
from typing import Literal

import jax
import numpy as np
from flax import nnx

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Chroma(Frontend):
    """Energy of the twelve pitch classes, each frame scaled to a maximum of 1.

    Args:
        sr: sampling rate, Hz.
        hop_length: samples from one frame to the next.
        kind: ``"cqt"`` (:func:`mer_jax.signal.chroma_cqt`, the study's), ``"stft"`` or ``"cens"``.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: an unknown kind or a size that is not a positive integer.
    """

    picture_scale = "unit"

    def __init__(
        self,
        *,
        sr: int = 22050,
        hop_length: int = 512,
        kind: Literal["cqt", "stft", "cens"] = "cqt",
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        checks.one_of("kind", kind, ("cqt", "stft", "cens"))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=PITCH_CLASSES)
        self.kind = kind

    def bins(self) -> tuple[str, np.ndarray]:
        """Names of the pitch classes."""
        return "Pitch class", np.array(PITCH_CLASSES)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 12)."""
        kinds: dict[str, Callable[..., jax.Array]] = {
            "cqt": signal.chroma_cqt,
            "stft": signal.chroma_stft,
            "cens": signal.chroma_cens,
        }
        compute = kinds[self.kind]
        return bins_last(compute(waveforms, sr=self.sr, hop_length=self.hop_length).astype(waveforms.dtype))

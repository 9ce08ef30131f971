"""Spectral features and notes together: what says most about the emotion of real music, as one vector a clip."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax._shapes import Array, ArrayLike, Bool, Float
from mer_jax.features.note_statistics import NoteStatistics
from mer_jax.features.numerical import NumericalFeatures
from mer_jax.features.salience import ITERATIONS, NUM_PITCHES, PitchSalience
from mer_jax.features.statistics import STATISTICS, ClipStatistics
from mer_jax.frontends.base import Frontend


class MusicalFeatures(Frontend):
    """The numerical features of each frame (``time_frequency``), followed by the salience of the 88 pitches.

    Args:
        sr: sampling rate, Hz; above 12,800, for the octave bands of the contrast.
        n_fft: samples a frame of the numerical features.
        hop_length: samples from one frame to the next.
        n_mels: mel bands behind the cepstral coefficients.
        n_mfcc: cepstral coefficients.
        iterations: steps in which tones are fitted to the spectrum.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: as :class:`mer_jax.features.numerical.NumericalFeatures` and
            :class:`mer_jax.features.salience.PitchSalience`.
    """

    picture_scale = "series"

    def __init__(
        self,
        *,
        sr: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        n_mfcc: int = 20,
        iterations: int = ITERATIONS,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        self.numerical = NumericalFeatures(
            sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, n_mfcc=n_mfcc
        )
        self.salience = PitchSalience(sr=sr, hop_length=hop_length, iterations=iterations)
        names = (*self.numerical.feature_names, *(f"salience_{name}" for name in self.salience.feature_names))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, features)."""
        return jnp.concatenate(
            [part.features(waveforms) for part in (self.numerical, self.salience)], axis=-1
        )


class MusicalStatistics(nnx.Module):
    """One vector a clip from :class:`MusicalFeatures`: statistics over frames of the numbers, note statistics of the salience.

    Args:
        feature_names: names of what is summarised, a :class:`MusicalFeatures`' ``feature_names``.
        frame_rate_hz: frames a second.
        statistics: which of :data:`mer_jax.features.STATISTICS` of the numerical features, in the order wanted.

    Attributes:
        feature_names: those of the statistics, then those of the notes.
    """

    def __init__(
        self,
        feature_names: Sequence[str],
        *,
        frame_rate_hz: float,
        statistics: Sequence[str] = STATISTICS,
    ) -> None:
        self.of_frames = ClipStatistics(
            feature_names[:-NUM_PITCHES], frame_rate_hz=frame_rate_hz, statistics=statistics
        )
        self.of_notes = NoteStatistics(frame_rate_hz=frame_rate_hz)
        self.statistics = self.of_frames.statistics
        self.feature_names = (*self.of_frames.feature_names, *self.of_notes.feature_names)

    @property
    def num_features(self) -> int:
        """Size of the last axis of the output."""
        return len(self.feature_names)

    def __call__(
        self,
        features: Float[ArrayLike, "batch frames features"],
        mask: Bool[ArrayLike, "batch frames"] | None = None,
    ) -> Float[Array, "batch statistics"]:
        """The statistics of each clip; ``mask`` is True on frames that count, None if all do."""
        numbers, salience = features[..., :-NUM_PITCHES], features[..., -NUM_PITCHES:]
        return jnp.concatenate([self.of_frames(numbers, mask), self.of_notes(salience, mask)], axis=-1)

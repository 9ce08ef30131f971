"""The study's first input: amplitude envelope, RMS energy and zero-crossing rate as time series."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax import checks, signal
from mer_jax.frontends.base import Frontend, bins_last

SERIES = ("amplitude_envelope", "rms", "zero_crossing_rate")


class TimeDomain(Frontend):
    """Amplitude envelope, RMS energy and zero-crossing rate, one value a frame each.

    Nothing here can be learnt: the three have no parameters but the frame.

    Args:
        sr: sampling rate, Hz.
        series: which of ``amplitude_envelope``, ``rms``, ``zero_crossing_rate``, in the order wanted.
        frame_length: samples a frame.
        hop_length: samples from one frame to the next.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: an unknown or repeated series, or a size that is not a positive integer.
    """

    picture_scale = "series"

    def __init__(
        self,
        *,
        sr: int = 22050,
        series: Sequence[str] = SERIES,
        frame_length: int = 2048,
        hop_length: int = 512,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        for name in series:
            checks.one_of("series", name, SERIES)
        if not series or len(set(series)) != len(series):
            raise checks.ArgumentError(
                "series", f"is {list(series)}", expected="at least one, each at most once"
            )
        checks.positive_int("frame_length", frame_length)
        super().__init__(sr=sr, hop_length=hop_length, feature_names=tuple(series))
        self.frame_length = frame_length

    def features(self, waveforms: jax.Array) -> jax.Array:
        """The series side by side: (batch, frames, number of series)."""
        framing: dict[str, Any] = {"frame_length": self.frame_length, "hop_length": self.hop_length}
        rows = []
        for name in self.feature_names:
            if name == "rms":
                rows.append(signal.rms(y=waveforms, **framing))
            else:
                rows.append(getattr(signal, name)(waveforms, **framing))
        # The zero-crossing rate is a count and has the dtype of a count's mean; the waveform's dtype rules.
        return bins_last(jnp.concatenate([row.astype(waveforms.dtype) for row in rows], axis=-2))

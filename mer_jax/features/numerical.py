"""Named sets of numerical features: the input of the study's second approach, and what extends it."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax import checks, signal
from mer_jax.features import rhythm, tonal
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.signal import filterbanks, numerical
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.windows import centered_window

GROUPS = ("time", "frequency", "tonal", "rhythm")

#: Each set, and the groups of features that it consists of.
SETS: dict[str, tuple[str, ...]] = {
    "time_frequency": ("time", "frequency"),
    "extended": GROUPS,
    **{group: (group,) for group in GROUPS},
}


class NumericalFeatures(Frontend):
    """Features of each frame as numbers, from one short-time Fourier transform where they can share it.

    In order, with 20 cepstral coefficients:

    * ``time``, 3: amplitude envelope, RMS energy, zero-crossing rate;
    * ``frequency``, 72: spectral flux, roll-off, centroid, bandwidth, contrast of seven bands, flatness; MFCC, their first and
      second differences;
    * ``tonal``, 18: chroma and tonal centroids (:func:`mer_jax.features.tonal.tonal_features`);
    * ``rhythm``, 4: onset strength, tempo, pulse clarity (:func:`mer_jax.features.rhythm.rhythm_features`).

    The study's sets are ``time``, ``frequency`` and ``time_frequency``, the 75 rows of
    :func:`mer_jax.signal.numerical_features`; ``extended`` is all four groups.

    Args:
        sr: sampling rate, Hz; above 12,800 with ``frequency``, for the octave bands of the contrast.
        sets: a name in :data:`SETS`, or several; what they share is there once.
        n_fft: samples a frame.
        hop_length: samples from one frame to the next.
        n_mels: mel bands behind the cepstral coefficients and the onset strength.
        n_mfcc: cepstral coefficients.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: an unknown set, a size that cannot be used, or a sampling rate too low. When called with
            ``frequency``: a clip shorter than the nine frames that a difference spans.
    """

    picture_scale = "series"

    def __init__(
        self,
        *,
        sr: int = 22050,
        sets: str | Sequence[str] = "time_frequency",
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        n_mfcc: int = 20,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        self.groups = groups_of(sets)
        checks.positive_int("n_mfcc", n_mfcc)
        names = _names(n_mfcc)
        super().__init__(
            sr=sr,
            hop_length=hop_length,
            feature_names=tuple(name for group in self.groups for name in names[group]),
        )
        filterbanks.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)  # names what is wrong with its arguments
        if n_mfcc > n_mels:
            raise checks.ArgumentError("n_mfcc", f"is {n_mfcc}", expected=f"at most the {n_mels} mel bands")
        if "frequency" in self.groups:
            numerical.check_sampling_rate(sr)
        if "rhythm" in self.groups:
            rhythm.pulse_lags(sr=sr, hop_length=hop_length)
        self.n_fft = n_fft
        self.n_mels = n_mels
        self.n_mfcc = n_mfcc

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, features)."""
        x = widen(waveforms)
        found: dict[str, jax.Array] = {}
        onsets = None
        if "time" in self.groups:
            found["time"] = numerical.time_features(x, frame_length=self.n_fft, hop_length=self.hop_length)
        if "frequency" in self.groups:
            found["frequency"], onsets = _frequency_and_onsets(
                x,
                sr=self.sr,
                n_fft=self.n_fft,
                hop_length=self.hop_length,
                n_mels=self.n_mels,
                n_mfcc=self.n_mfcc,
            )
        if "tonal" in self.groups:
            found["tonal"] = tonal.tonal_features(x, sr=self.sr, hop_length=self.hop_length)
        if "rhythm" in self.groups:
            if onsets is None:
                onsets = signal.onset_strength(
                    x, sr=self.sr, n_fft=self.n_fft, hop_length=self.hop_length, n_mels=self.n_mels
                )
            found["rhythm"] = rhythm.rhythm_features(onsets, sr=self.sr, hop_length=self.hop_length)
        return bins_last(
            jnp.concatenate([found[group] for group in self.groups], axis=-2).astype(waveforms.dtype)
        )


def groups_of(sets: str | Sequence[str]) -> tuple[str, ...]:
    """The groups of one or several sets, each once, in the order of :data:`GROUPS`.

    Raises:
        ArgumentError: an unknown set, or none.

    >>> groups_of(["rhythm", "time_frequency"])
    ('time', 'frequency', 'rhythm')
    """
    names = [sets] if isinstance(sets, str) else list(sets)
    if not names:
        raise checks.ArgumentError("sets", "names none", expected=f"at least one of {', '.join(SETS)}")
    for name in names:
        checks.one_of("sets", name, SETS)
    wanted = {group for name in names for group in SETS[name]}
    return tuple(group for group in GROUPS if group in wanted)


def _names(n_mfcc: int) -> dict[str, tuple[str, ...]]:
    study = signal.numerical_names(n_mfcc)
    return {
        "time": study[:3],
        "frequency": study[3:],
        "tonal": tonal.TONAL_NAMES,
        "rhythm": rhythm.RHYTHM_NAMES,
    }


@partial(jax.jit, static_argnames=("sr", "n_fft", "hop_length", "n_mels", "n_mfcc"))
def _frequency_and_onsets(
    x: jax.Array, *, sr: int, n_fft: int, hop_length: int, n_mels: int, n_mfcc: int
) -> tuple[jax.Array, jax.Array]:
    """Rows of the frequency group (batch, rows, frames), and onset strength (batch, frames) from the same mel spectrogram."""
    window = jnp.asarray(centered_window("hann", n_fft, n_fft, x.dtype))
    filters = filterbanks.FilterBank(filterbanks.mel(sr=sr, n_fft=n_fft, n_mels=n_mels))

    def of_clip(clip: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows, log_mel = numerical.frequency_features(
            clip, window, sr=sr, hop_length=hop_length, filters=filters, n_mfcc=n_mfcc
        )
        return rows, signal.onset_strength(S=log_mel, sr=sr, n_fft=n_fft, hop_length=hop_length)

    return per_clip(of_clip, x)

"""Rhythm of each frame: how much sets in, how fast the pulse is, and how clear."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from mer_jax import checks, signal
from mer_jax._shapes import Array, Float

RHYTHM_NAMES = ("onset_strength", "local_tempo_bpm", "pulse_clarity_max", "pulse_clarity_min")

# The tempogram looks at 8 s around each frame, as librosa's tempo does; pulses are sought from 40 to 200 a minute.
WINDOW_S = 8.0
SLOWEST_BPM, FASTEST_BPM = 40.0, 200.0


def pulse_lags(*, sr: float, hop_length: int) -> tuple[int, int]:
    """First and last lag, in frames, at which a pulse is sought.

    Raises:
        ArgumentError: the frames are too far apart for any.

    >>> pulse_lags(sr=22050, hop_length=512)
    (13, 64)
    """
    frame_rate_hz = sr / hop_length
    first = int(np.ceil(60 / FASTEST_BPM * frame_rate_hz))
    last = int(np.floor(60 / SLOWEST_BPM * frame_rate_hz))
    if last < first:
        raise checks.ArgumentError(
            "hop_length",
            f"is {hop_length}, {1 / frame_rate_hz:.3g} s",
            expected=f"a hop that has a multiple between {60 / FASTEST_BPM:.2g} and {60 / SLOWEST_BPM:.2g} s, the beats sought",
        )
    return first, last


def rhythm_features(
    onset_envelope: Float[Array, "batch frames"], *, sr: float, hop_length: int
) -> Float[Array, "batch rows frames"]:
    """Onset strength, local tempo and pulse clarity.

    The tempo is that of :func:`mer_jax.signal.tempo`, frame by frame (a step function: no gradient); without any onset it is
    the middle of its prior, 120. The clarity is the largest and the smallest local autocorrelation among lags of 0.3 to 1.5 s,
    relative to lag 0: both near 1 where onsets are even, far apart where a pulse stands out, both 0 in silence.

    Args:
        onset_envelope: onset strength of each clip (:func:`mer_jax.signal.onset_strength`).
        sr: sampling rate in hertz.
        hop_length: samples between frames.

    Returns:
        The rows named in :data:`RHYTHM_NAMES`, (batch, 4, frames).

    Raises:
        ArgumentError: as :func:`pulse_lags`.

    Source:
        Grosche, Müller and Kurth, "Cyclic tempogram" (ICASSP 2010); Ellis, "Beat tracking by dynamic programming" (2007), for
        the prior; ``MaxAutocor`` and ``MinAutocor`` of Lartillot, Eerola, Toiviainen and Fornari, "Multi-feature modeling of
        pulse clarity" (ISMIR 2008).
    """
    first, last = pulse_lags(sr=sr, hop_length=hop_length)
    framing: dict[str, Any] = {"sr": sr, "hop_length": hop_length}
    lags = int(WINDOW_S * sr) // hop_length
    tempogram = signal.tempogram(onset_envelope=onset_envelope, win_length=lags, **framing)
    pulses = tempogram[:, first : last + 1]
    rows = [
        onset_envelope,
        signal.tempo(tg=tempogram, aggregate=None, **framing),
        pulses.max(axis=1),
        pulses.min(axis=1),
    ]
    return jnp.stack([row.astype(onset_envelope.dtype) for row in rows], axis=1)

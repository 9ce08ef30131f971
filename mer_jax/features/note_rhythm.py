"""Rhythm of a clip's notes: how many set in, how evenly, with what periods, how loud and how long they are."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax._shapes import Array, Float
from mer_jax.features.notes import Notes, entropy, frames_in, mean, root, std, windows

# Inter-onset intervals are binned by half octaves of time, centred on 0.088 s to 2.8 s.
INTERVAL_CENTRES_LOG2_S = np.arange(-3.5, 1.6, 0.5)
# Periods at which the onset envelope is compared with itself: 24 from 0.1 s up to 3.4 s, in equal ratios.
PERIODS_S = 0.1 * 40 ** (np.arange(24) / 24)
# Beats are sought between these periods.
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.19, 2.1
# Loudness over time is looked at in windows of this length.
WINDOW_S = 0.186


def note_rhythm_features(notes: Notes) -> dict[str, Array]:
    """Density, regularity, dynamics and length of notes.

    * ``note_density``, ``note_strength``: onsets of single notes, and their strength, a second; ``onset_density``: moments at
      which notes set in, a second; ``notes_per_onset``;
    * ``onset_strength``, ``onset_variation``: mean and coefficient of variation of the summed rise at those moments;
    * ``interval_log2_mean``, ``_std``: of the time between them, log2 of seconds; ``interval_share``: share of each half
      octave;
    * ``periodicity``: autocorrelation of the summed rise at the periods :data:`PERIODS_S`, relative to lag 0;
      ``beat_strength``, ``beat_log2_period`` and ``beat_spread``: its largest value, where that is, and its entropy, over
      lags of a beat;
    * ``note_length``: time sounding for each onset, seconds; ``note_decay``: fall of compressed loudness a frame;
    * ``velocity_mean``, ``_std``: compressed loudness at onsets; ``dynamics_std``, ``_slope``: of the level in dB, the slope a
      second.

    Counts have no gradient; strengths, periodicity and dynamics do.

    Returns:
        Name -> number, or several for ``interval_share`` and ``periodicity``.

    Source:
        Onset density, articulation and dynamics as cues: Juslin and Laukka, "Communication of emotions in vocal expression and
        music performance" (Psychological Bulletin 129, 2003); pulse: Lartillot, Eerola, Toiviainen and Fornari (ISMIR 2008).
    """
    rate_hz = notes.frame_rate_hz
    struck = notes.onsets > 0
    count = struck.sum()
    total = notes.rise.sum(axis=0)
    peaks = notes.peaks.sum()
    strength = mean(total, notes.peaks)
    velocity = notes.loudness.ravel()
    decrease = -jnp.minimum(jnp.diff(notes.loudness, axis=1), 0)
    # A frame whose predecessor does not count, or that does not count itself, has no fall.
    falls = (notes.valid[1:] & notes.valid[:-1])[None]
    return {
        "note_density": count / notes.seconds,
        "note_strength": notes.onsets.sum() / notes.seconds,
        "onset_density": peaks / notes.seconds,
        "notes_per_onset": count / (peaks + 1),
        "onset_strength": strength,
        "onset_variation": std(total, notes.peaks) / (strength + 1e-6),
        **_intervals(notes),
        **_periodicity(total, notes),
        "note_length": notes.active.sum() / (count + 1) / rate_hz,
        "note_decay": (decrease * notes.active[:, 1:] * falls).sum() / (notes.active.sum() + 1),
        "velocity_mean": mean(velocity, struck.ravel()),
        "velocity_std": std(velocity, struck.ravel()),
        **_dynamics(notes),
    }


def _intervals(notes: Notes) -> dict[str, Array]:
    """Statistics of the time between successive onsets."""
    frames = jnp.arange(notes.peaks.shape[0])
    previous = last_before(notes.peaks)
    counts = notes.peaks & (previous >= 0)
    log2_s = jnp.log2(jnp.maximum(frames - previous, 1) / notes.frame_rate_hz)
    near = jnp.abs(log2_s[None] - INTERVAL_CENTRES_LOG2_S[:, None]) < 0.25
    return {
        "interval_log2_mean": mean(log2_s, counts),
        "interval_log2_std": std(log2_s, counts),
        "interval_share": mean(near.astype(log2_s.dtype), counts),
    }


def last_before(marked: Array) -> Array:
    """For each frame the latest marked frame before it, -1 if there is none.

    >>> last_before(jnp.array([False, True, False, True])).tolist()
    [-1, -1, 1, 1]
    """
    latest = lax.cummax(jnp.where(marked, jnp.arange(marked.shape[0]), -1))
    return jnp.concatenate([jnp.full(1, -1, latest.dtype), latest[:-1]])


def _periodicity(total: jax.Array, notes: Notes) -> dict[str, Array]:
    """Autocorrelation of the onset envelope, its mean removed, at lags of :data:`PERIODS_S` (between frames: linearly)."""
    rate_hz = notes.frame_rate_hz
    first, last = frames_in(SHORTEST_BEAT_S, rate_hz), frames_in(LONGEST_BEAT_S, rate_hz)
    lags = PERIODS_S * rate_hz
    longest = max(last, int(lags[-1]) + 1)
    size = 2 ** int(np.ceil(np.log2(total.shape[0] + longest + 1)))  # no lag wraps around
    envelope = jnp.where(notes.valid, total - mean(total, notes.valid), 0)
    spectrum = jnp.fft.rfft(envelope, size)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    products = jnp.fft.irfft(power, size)[: longest + 1]
    similarity = products / (products[0] + 1e-6)
    below = lags.astype(int)
    share = jnp.asarray(lags - below, similarity.dtype)
    beat = similarity[first : last + 1]
    return {
        "periodicity": similarity[below] * (1 - share) + similarity[below + 1] * share,
        "beat_strength": beat.max(),
        "beat_log2_period": jnp.log2((jnp.argmax(beat) + first) / rate_hz),
        "beat_spread": entropy(jnp.maximum(beat, 0)),
    }


def _dynamics(notes: Notes) -> dict[str, Float[Array, ""]]:
    power = jnp.square(notes.level).sum(axis=0)[None]
    frames = frames_in(WINDOW_S, notes.frame_rate_hz)
    power, valid = windows(power, notes.valid, frames=frames)
    decibel = 10 * jnp.log10(power[0] + 1e-5)
    time_s = jnp.arange(decibel.shape[0], dtype=decibel.dtype) * frames / notes.frame_rate_hz
    time_s = time_s - mean(time_s, valid)
    spread = mean(jnp.square(time_s), valid)
    slope = mean(time_s * (decibel - mean(decibel, valid)), valid) / jnp.where(spread > 0, spread, 1)
    return {
        "dynamics_std": root(mean(jnp.square(decibel - mean(decibel, valid)), valid)),
        "dynamics_slope": slope,
    }

"""Texture: in which registers a clip sounds, how many notes at once, in what intervals, and the line of its highest notes."""

import jax
import jax.numpy as jnp

from mer_jax._shapes import Array, Float
from mer_jax.features.key import pitch_classes
from mer_jax.features.note_rhythm import last_before
from mer_jax.features.notes import Notes, entropy, frames_in, mean, root, std, unit, windows

#: Registers as ranges of pitches counted from A0: up to C3, and in octaves from there.
REGISTERS = {"bass": (0, 27), "tenor": (27, 39), "alto": (39, 51), "soprano": (51, 63), "high": (63, 88)}
# Intervals are looked for in windows of 0.19 s, interval classes in those of 0.37 s.
INTERVAL_WINDOW_S = 0.186
CLASS_WINDOW_S = 0.37
WIDEST_INTERVAL = 24


def texture_features(notes: Notes) -> dict[str, Array]:
    """Register, number of voices, intervals and melody.

    * ``density_<register>``: note onsets a second; ``activity_<register>``: pitches sounding at once;
      ``energy_<register>``: log of the mean level;
    * ``pitch_mean``, ``_std``: centre of the level over pitch, weighted by the root of the frame's level; ``pitch_spread``:
      standard deviation of pitch within a frame; ``lowest_``, ``highest_``, ``range_`` ``mean`` and ``std``: of the sounding
      pitches, in frames with one; ``voices_mean``, ``_std``: pitches sounding at once; ``silence``: share of frames with none;
    * ``onset_pitch_mean``, ``_std``, ``_skewness``: of note onsets, weighted by their strength; ``onset_pitch_count``:
      effective number of different pitches (exponential of the entropy);
    * ``interval``: similarity of the pitches of a window with themselves ``k`` semitones higher, k = 1..24;
      ``interval_class``: the same for pitch classes, k = 1..6;
    * ``melody_...``: successive highest onsets: mean size of a step, share of repetitions, of steps (1-2 semitones), of minor
      seconds, of leaps (5 or more) and of rising ones; mean, standard deviation and slope (a second) of their pitch.

    Pitches are in semitones above A0. Counts, shares and extremes have no gradient.

    Returns:
        Name -> number, or several for ``interval`` and ``interval_class``.

    Source:
        Register, texture and intervals as cues: Gabrielsson and Lindström, "The role of structure in the musical expression of
        emotions" (2010); Panda, Malheiro and Paiva, "Novel audio features for music emotion recognition" (2020).
    """
    return {
        **_registers(notes),
        **_pitch(notes),
        **_extremes(notes),
        **_onset_pitch(notes),
        **_intervals(notes),
        **_melody(notes),
    }


def _registers(notes: Notes) -> dict[str, Array]:
    frames = jnp.maximum(notes.valid.sum(), 1)
    out: dict[str, Array] = {}
    for name, (low, high) in REGISTERS.items():
        out[f"density_{name}"] = (notes.onsets[low:high] > 0).sum() / notes.seconds
        out[f"activity_{name}"] = notes.active[low:high].sum() / frames
        out[f"energy_{name}"] = jnp.log(notes.level[low:high].sum() / frames + 1e-4)
    return out


def _pitch(notes: Notes) -> dict[str, Array]:
    pitch = _pitches(notes)[:, None]
    amount = notes.level.sum(axis=0)
    share = notes.level / (amount + 1e-6)[None]
    centre = (share * pitch).sum(axis=0)
    weight = root(amount) / (root(amount).sum() + 1e-6)
    average = (centre * weight).sum()
    spread = root((share * jnp.square(pitch - centre[None])).sum(axis=0))
    return {
        "pitch_mean": average,
        "pitch_std": root((weight * jnp.square(centre - average)).sum()),
        "pitch_spread": (spread * weight).sum(),
    }


def _extremes(notes: Notes) -> dict[str, Array]:
    sounding = notes.active > 0.5
    some = sounding.any(axis=0)
    lowest = jnp.argmax(sounding, axis=0).astype(notes.level.dtype)
    highest = _highest(sounding).astype(notes.level.dtype)
    out: dict[str, Array] = {}
    for name, value in {"lowest": lowest, "highest": highest, "range": highest - lowest}.items():
        out[f"{name}_mean"], out[f"{name}_std"] = mean(value, some), std(value, some)
    voices = notes.active.sum(axis=0)
    out["voices_mean"], out["voices_std"] = mean(voices, notes.valid), std(voices, notes.valid)
    out["silence"] = 1 - mean(some.astype(notes.level.dtype), notes.valid)
    return out


def _onset_pitch(notes: Notes) -> dict[str, Array]:
    pitch = _pitches(notes)
    strength = notes.onsets.sum(axis=1)
    share = strength / (strength.sum() + 1e-6)
    average = (share * pitch).sum()
    deviation = root((share * jnp.square(pitch - average)).sum())
    return {
        "onset_pitch_mean": average,
        "onset_pitch_std": deviation,
        "onset_pitch_skewness": (share * (pitch - average) ** 3).sum() / (deviation**3 + 1e-6),
        "onset_pitch_count": jnp.exp(entropy(share)),
    }


def _intervals(notes: Notes) -> dict[str, Array]:
    frames = frames_in(INTERVAL_WINDOW_S, notes.frame_rate_hz)
    level, valid = windows(notes.level, notes.valid, frames=frames)
    shape = unit(root(level))
    similarity = [mean((shape[k:] * shape[:-k]).sum(axis=0), valid) for k in range(1, WIDEST_INTERVAL + 1)]
    frames = frames_in(CLASS_WINDOW_S, notes.frame_rate_hz)
    chroma, valid = windows(pitch_classes(root(notes.level)), notes.valid, frames=frames)
    chroma = unit(chroma)
    classes = [mean((chroma * jnp.roll(chroma, k, axis=0)).sum(axis=0), valid) for k in range(1, 7)]
    return {"interval": jnp.stack(similarity), "interval_class": jnp.stack(classes)}


def _melody(notes: Notes) -> dict[str, Float[Array, ""]]:
    struck = notes.onsets > 0
    some = struck.any(axis=0)
    top = _highest(struck)
    previous = last_before(some)
    counts = some & (previous >= 0)
    step = (top - top[jnp.maximum(previous, 0)]).astype(notes.level.dtype)
    size = jnp.abs(step)

    def share(which: jax.Array) -> jax.Array:
        return mean(which.astype(step.dtype), counts)

    pitch = top.astype(step.dtype)
    time_s = jnp.arange(top.shape[0], dtype=step.dtype) / notes.frame_rate_hz
    time_s = time_s - mean(time_s, some)
    spread = mean(jnp.square(time_s), some)
    return {
        "melody_step_mean": mean(size, counts),
        "melody_repetition": share(size == 0),
        "melody_step": share((size > 0) & (size <= 2)),
        "melody_minor_second": share(size == 1),
        "melody_leap": share(size > 4),
        "melody_rising": share(step > 0),
        "melody_pitch_mean": mean(pitch, some),
        "melody_pitch_std": std(pitch, some),
        "melody_slope": mean(time_s * (pitch - mean(pitch, some)), some) / jnp.where(spread > 0, spread, 1),
    }


def _highest(present: jax.Array) -> jax.Array:
    """Highest pitch that is present in each frame; the highest of all where none is."""
    return present.shape[0] - 1 - jnp.argmax(present[::-1], axis=0)


def _pitches(notes: Notes) -> jax.Array:
    return jnp.arange(notes.level.shape[0], dtype=notes.level.dtype)

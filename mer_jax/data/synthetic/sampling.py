"""Draw the cues of a clip: song by song, reproducible for each clip on its own.

Every draw takes its generator from ``SeedSequence([seed, stream, number])``, so that clip 7 of seed 0 has the same cues, notes
and samples whether it is rendered alone, last, in another process or as one of ten thousand.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.data.synthetic import moods

SECTIONS_PER_SONG = 3

# Values beyond this many standard units are pulled back to it, which keeps the physical scales sensible.
_LIMIT = 2.5


class Stream(IntEnum):
    """What a generator is for: one stream a purpose, so that a change to one leaves the draws of the others alone."""

    LABELS = 0
    SONG_CUES = 1
    SECTION_CUES = 2
    SONG_MUSIC = 3
    SONG_SOUND = 4
    SECTION_MUSIC = 5
    SECTION_SOUND = 6


def generator(seed: int, stream: Stream, number: int) -> np.random.Generator:
    """Return the generator of one purpose and one block, song or clip."""
    return np.random.default_rng(np.random.SeedSequence([seed, int(stream), number]))


@dataclass(frozen=True)
class Cues:
    """What a clip is made from: its place in the data set, its eight cues, and the rating they lead to.

    Attributes:
        index: number of the clip in the data set.
        seed: seed of the data set.
        song: number of the song; all sections of a song share label, tempo, mode, tension and roughness.
        section: which section of its song, from 0.
        label: index into :data:`moods.CLASSES`.
        tempo_bpm: beats a minute, 50..200.
        mode: 1 major, 0 minor.
        register_midi: MIDI number around which the melody moves, 53..78.
        loudness_db: RMS level of the clip in dB relative to full scale, -33..-13.
        articulation: sounding share of the time between two onsets, 0.25 (staccato)..1 (legato).
        brightness_db_per_octave: slope added to the spectrum of the mix, -5..5.
        tension: 0..1, how far the harmony and melody leave consonance.
        roughness: 0..1, distortion, fast beating and noise in the sound.
        valence: unpleasant to pleasant, -1..1.
        arousal: calm to excited, -1..1.
        vector: the eight cues in standard units, in the order of :data:`moods.CUE_NAMES`; mode is -1 or 1.
    """

    index: int
    seed: int
    song: int
    section: int
    label: int
    tempo_bpm: float
    mode: int
    register_midi: float
    loudness_db: float
    articulation: float
    brightness_db_per_octave: float
    tension: float
    roughness: float
    valence: float
    arousal: float
    vector: tuple[float, ...]

    def vary(self, **units: float | int) -> "Cues":
        """Return these cues with some set to other values in standard units, as ``vary(brightness=1.5, mode=-1)``.

        Valence and arousal move as the linear model says and keep this clip's noise. Rendered with
        :func:`~mer_jax.data.synthetic.rendering.perform`, the same music is heard with that cue changed, which is how the
        studies cited in :mod:`.moods` make their stimuli.

        Raises:
            ArgumentError: there is no such cue, its value is outside -2.5..2.5, or ``mode`` is neither -1 nor 1.
        """
        vector = np.array(self.vector)
        for name, value in units.items():
            checks.one_of("cue", name, moods.CUE_NAMES)
            if name == "mode":
                checks.one_of("mode", value, (-1, 1))
            checks.in_range(name, float(value), -_LIMIT, _LIMIT)
            vector[moods.CUE_NAMES.index(name)] = value
        noise = np.array([self.valence, self.arousal]) - moods.valence_arousal(np.array(self.vector))
        valence, arousal = np.clip(moods.valence_arousal(vector) + noise, -1.0, 1.0).tolist()
        return replace(
            self, valence=valence, arousal=arousal, vector=tuple(vector.tolist()), **_physical(vector)
        )

    @property
    def mood(self) -> str:
        """Name of the class."""
        return moods.CLASSES[self.label]

    @property
    def group(self) -> str:
        """Name of the song; a split must not cut it in two."""
        return f"song-{self.song:04d}"

    @property
    def clip_id(self) -> str:
        """Name of the clip, unique over seeds."""
        return f"synthetic-{self.seed}-{self.index:05d}"


def cues(index: int, seed: int = 0) -> Cues:
    """Draw the cues of one clip.

    Clip ``index`` is section ``index % 3`` of song ``index // 3``. Each run of five songs holds every mood once, in an order of
    its own, so any multiple of 15 clips is balanced. A song draws tempo, mode, tension and roughness for all its sections;
    register, loudness, articulation and brightness vary from section to section around the song's own value.

    Args:
        index: number of the clip, from 0.
        seed: seed of the data set, from 0.

    Raises:
        ArgumentError: ``index`` or ``seed`` is not an integer of at least 0.

    >>> cues(0, seed=0) == cues(0, seed=0), cues(0).group == cues(2).group
    (True, True)
    """
    checks.positive_int("index", index, minimum=0)
    checks.positive_int("seed", seed, minimum=0)
    song, section = divmod(int(index), SECTIONS_PER_SONG)
    label = song_label(song, seed)
    vector = _song_vector(song, seed, label)
    rng = generator(seed, Stream.SECTION_CUES, index)
    for name, spread in moods.SECTION_SPREAD.items():
        vector[moods.CUE_NAMES.index(name)] += spread * rng.standard_normal()
    vector = np.clip(vector, -_LIMIT, _LIMIT)
    rating = moods.valence_arousal(vector) + moods.RATING_NOISE * rng.standard_normal(2)
    valence, arousal = np.clip(rating, -1.0, 1.0)
    return Cues(
        index=int(index),
        seed=int(seed),
        song=song,
        section=section,
        label=label,
        valence=float(valence),
        arousal=float(arousal),
        vector=tuple(vector.tolist()),
        **_physical(vector),
    )


def song_label(song: int, seed: int) -> int:
    """Return the label of a song: its place in the shuffled moods of its run of five songs."""
    block, place = divmod(song, len(moods.CLASSES))
    return int(generator(seed, Stream.LABELS, block).permutation(len(moods.CLASSES))[place])


def _song_vector(song: int, seed: int, label: int) -> np.ndarray:
    """Draw the cues a song has before its sections differ, (8,) in standard units."""
    profile = moods.PROFILES[moods.CLASSES[label]]
    rng = generator(seed, Stream.SONG_CUES, song)
    vector = np.empty(len(moods.CUE_NAMES))
    for place, name in enumerate(moods.CUE_NAMES):
        if name == "mode":
            vector[place] = 1.0 if rng.random() < profile.mode else -1.0
        else:
            vector[place] = getattr(profile, name) + moods.SONG_SPREAD[name] * rng.standard_normal()
    return vector


def _physical(vector: np.ndarray) -> dict[str, Any]:
    """Map standard units to the physical scales of :class:`Cues`; each map is monotone."""
    tempo, mode, register, loudness, articulation, brightness, tension, roughness = vector.tolist()
    return {
        # Tempo is heard as a ratio: one unit is 32 %.
        "tempo_bpm": 100.0 * 2.0 ** (0.4 * tempo),
        "mode": int(mode > 0),
        "register_midi": 65.5 + 5.0 * register,
        "loudness_db": -23.0 + 4.0 * loudness,
        "articulation": float(np.clip(0.70 - 0.20 * articulation, 0.25, 1.0)),
        "brightness_db_per_octave": 2.0 * brightness,
        "tension": _logistic(1.3 * tension),
        "roughness": _logistic(1.5 * roughness - 0.5),
    }


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))

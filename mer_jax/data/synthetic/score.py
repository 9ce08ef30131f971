"""Compose: from cues to notes and drum hits. Nothing here knows the mood; it reaches the music through the cues alone."""

from typing import NamedTuple

import numpy as np

from mer_jax.data.synthetic.harmony import Chord, progression, scale, voicing
from mer_jax.data.synthetic.sampling import Cues, Stream, generator

_LEAD_RHYTHMS = {  # beats to the next onset; from sparse to busy
    0: ((2.0,), (1.0, 1.0), (1.5, 0.5)),
    1: ((1.0, 1.0), (1.0, 0.5, 0.5), (1.5, 0.5)),
    2: ((0.5, 0.5, 1.0), (0.5, 0.5, 0.5, 0.5), (0.75, 0.75, 0.5)),
}


class Note(NamedTuple):
    """A note of one part: onset and sounding time in seconds, MIDI number, level 0..1."""

    start_s: float
    length_s: float
    midi: float
    level: float


class Hit(NamedTuple):
    """A drum stroke: onset in seconds, drum name, level 0..1."""

    start_s: float
    drum: str
    level: float


class Score(NamedTuple):
    """The parts of a clip."""

    lead: list[Note]
    chords: list[Note]
    bass: list[Note]
    drums: list[Hit]


class Plan(NamedTuple):
    """What the sections of a song have in common.

    Attributes:
        key: pitch class of the tonic.
        chords: the progression, repeated for as long as the clip lasts.
        beats_per_chord: harmonic rhythm, 2 or 4.
        busyness: 0..2, key of the melody's rhythms.
        accompaniment: ``held``, ``pulse`` or ``arpeggio``.
        bass_step: beats between bass notes; 0 holds one note a chord.
        drums: ``none``, ``low``, ``light`` or ``kit``.
    """

    key: int
    chords: tuple[Chord, ...]
    beats_per_chord: int
    busyness: int
    accompaniment: str
    bass_step: float
    drums: str


def plan(cues: Cues) -> Plan:
    """Draw what the sections of a song share; depends on the cues that a song keeps (tempo, mode, tension, roughness)."""
    rng = generator(cues.seed, Stream.SONG_MUSIC, cues.song)
    tempo, tension, roughness = cues.vector[0], cues.vector[6], cues.vector[7]
    drive = 0.5 * tempo + 0.4 * roughness + 0.5 * rng.standard_normal()
    if drive > 0.25:
        drums = "kit"
    elif tension > 0.5:
        drums = "low"
    else:
        drums = "light" if drive > -0.2 else "none"
    return Plan(
        key=int(rng.integers(12)),
        chords=progression(cues.mode, cues.tension, rng),
        beats_per_chord=4 if cues.tempo_bpm > 115 else 2,
        busyness=int(rng.integers(3)),
        accompaniment=str(rng.choice(("held", "pulse", "arpeggio"))),
        bass_step=float(rng.choice((0.0, 1.0, 0.5 if drive > 0 else 2.0))),
        drums=drums,
    )


def compose(cues: Cues, song: Plan, duration_s: float) -> Score:
    """Write the parts of one section, long enough to fill ``duration_s``."""
    rng = generator(cues.seed, Stream.SECTION_MUSIC, cues.index)
    beat_s = 60.0 / cues.tempo_bpm
    beats = int(np.ceil(duration_s / beat_s)) + 1
    harmony = [
        song.chords[(cues.section + beat // song.beats_per_chord) % len(song.chords)] for beat in range(beats)
    ]
    score = Score(
        lead=_lead(cues, song, harmony, rng),
        chords=_chords(cues, song, harmony),
        bass=_bass(cues, song, harmony),
        drums=_drums(song, beats),
    )
    return _perform(score, beat_s, duration_s, rng)


def _perform(score: Score, beat_s: float, duration_s: float, rng: np.random.Generator) -> Score:
    """Turn beats into seconds with the unevenness of a player (8 ms, 10 % of level) and drop what starts too late."""

    def humanise(event):
        start_s = max(0.0, event.start_s * beat_s + 0.008 * rng.standard_normal())
        level = float(np.clip(event.level * (1.0 + 0.1 * rng.standard_normal()), 0.05, 1.0))
        timed = event._replace(start_s=start_s, level=level)
        return timed._replace(length_s=event.length_s * beat_s) if isinstance(event, Note) else timed

    return Score(*[[e for e in map(humanise, part) if e.start_s < duration_s] for part in score])


def _lead(cues: Cues, song: Plan, harmony: list[Chord], rng: np.random.Generator) -> list[Note]:
    """Walk a melody over the scale: chord notes on the beat, steps between, the register as its centre.

    Tension puts a neighbouring semitone in place of a chord note on some beats and widens the leaps.
    """
    steps = scale(cues.mode)
    ladder = np.array([song.key + 12 * octave + step for octave in range(10) for step in steps])
    place = int(np.argmin(np.abs(ladder - cues.register_midi)))
    home = place
    rhythms = _LEAD_RHYTHMS[song.busyness]
    notes: list[Note] = []
    beat = 0.0
    while beat < len(harmony):
        for gap in rhythms[rng.integers(len(rhythms))]:
            if beat >= len(harmony):
                break
            leap = rng.normal(0.0, 1.5 + 1.5 * cues.tension)
            place = int(np.clip(place + round(leap + 0.25 * (home - place)), home - 6, home + 6))
            midi = float(ladder[place])
            on_beat = beat == int(beat)
            if on_beat:
                midi = _nearest_tone(midi, harmony[int(beat)], song.key)
                if rng.random() < 0.6 * cues.tension:
                    midi += float(rng.choice((-1.0, 1.0)))
            if rng.random() > 0.08:  # now and then a rest
                notes.append(Note(beat, gap * cues.articulation, midi, 0.9 if on_beat else 0.7))
            beat += gap
    return notes


def _nearest_tone(midi: float, chord: Chord, key: int) -> float:
    """Return the note of the chord nearest to ``midi``, in any octave."""
    distances = [(key + tone - midi + 6) % 12 - 6 for tone in chord.tones]
    return midi + min(distances, key=abs)


def _chords(cues: Cues, song: Plan, harmony: list[Chord]) -> list[Note]:
    """Accompany below the melody: one held chord, a chord a beat, or the notes of the chord one after another."""
    center = max(cues.register_midi - 8.0, 48.0)
    notes: list[Note] = []
    previous: tuple[int, ...] | None = None
    for beat, chord in enumerate(harmony):
        changes = beat % song.beats_per_chord == 0
        voices = voicing(chord, song.key, center, previous) if changes or previous is None else previous
        previous = voices
        if song.accompaniment == "arpeggio":
            for half in (0, 1):
                midi = voices[(2 * beat + half) % len(voices)]
                notes.append(Note(beat + 0.5 * half, 0.5 * cues.articulation, float(midi), 0.8))
        elif changes or song.accompaniment == "pulse":
            gap = 1.0 if song.accompaniment == "pulse" else song.beats_per_chord
            notes += [Note(float(beat), gap * cues.articulation, float(midi), 0.6) for midi in voices]
    return notes


def _bass(cues: Cues, song: Plan, harmony: list[Chord]) -> list[Note]:
    """Play roots, about two octaves below the melody, with the fifth of the scale on weak beats of a walking bass."""
    gap = song.bass_step or float(song.beats_per_chord)
    lowest = round(np.clip(cues.register_midi - 27.0, 30.0, 48.0))
    notes = []
    for onset in np.arange(0.0, len(harmony), gap):
        midi = lowest + (song.key + harmony[int(onset)].root - lowest) % 12
        notes.append(Note(float(onset), gap * min(1.0, cues.articulation + 0.1), float(midi), 0.9))
    return notes


def _drums(song: Plan, beats: int) -> list[Hit]:
    """Keep time: a drum kit, a light hat, or a low drum at each change of chord."""
    hits: list[Hit] = []
    for beat in map(float, range(beats)):
        if song.drums == "kit":
            hits.append(Hit(beat, "kick" if beat % 2 == 0 else "snare", 0.9))
            hits += [Hit(beat + 0.5 * half, "hat", 0.5 - 0.2 * half) for half in (0, 1)]
        elif song.drums == "light":
            hits.append(Hit(beat + 0.5, "hat", 0.5))
            if beat % 4 == 0:
                hits.append(Hit(beat, "kick", 0.5))
        elif song.drums == "low" and beat % song.beats_per_chord == 0:
            hits += [Hit(beat, "timpani", 0.9), Hit(beat + song.beats_per_chord - 0.5, "timpani", 0.5)]
    return hits

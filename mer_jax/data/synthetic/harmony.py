"""Chords: a progression for a song, and voices that move as little as they can from one chord to the next."""

from typing import NamedTuple

import numpy as np

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)

# Plain progressions by scale degree (0 is the tonic). What makes them tense is done to the chords below.
_PROGRESSIONS = {
    1: ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 1, 4, 0), (0, 2, 3, 4)),
    0: ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 5, 4)),
}


class Chord(NamedTuple):
    """A chord in a key.

    Attributes:
        root: semitones above the tonic, 0..11.
        tones: pitch classes above the tonic, root first.
    """

    root: int
    tones: tuple[int, ...]


def scale(mode: int) -> tuple[int, ...]:
    """Return the major (1) or natural minor (0) scale in semitones above the tonic."""
    return MAJOR_SCALE if mode else MINOR_SCALE


def progression(mode: int, tension: float, rng: np.random.Generator) -> tuple[Chord, ...]:
    """Draw four chords; the tenser, the more of them leave the plain triad and the further.

    Each chord draws a dissonance around ``tension``: below 0.35 a triad of the scale, then with the seventh of the scale,
    then a diminished seventh or a dominant with minor ninth, then a triad with a semitone cluster on a root moved by a
    semitone or a tritone.
    """
    degrees = _PROGRESSIONS[mode][rng.integers(len(_PROGRESSIONS[mode]))]
    dissonance = tension + 0.18 * rng.standard_normal(len(degrees))
    # The first chord states the key: never more than a seventh away from it.
    dissonance[0] = min(dissonance[0], 0.5)
    return tuple(_chord(mode, degree, value, rng) for degree, value in zip(degrees, dissonance, strict=True))


def _chord(mode: int, degree: int, dissonance: float, rng: np.random.Generator) -> Chord:
    """Build the chord on a scale degree at a level of dissonance (see :func:`progression`)."""
    steps = scale(mode)
    thirds = [steps[(degree + offset) % 7] for offset in (0, 2, 4, 6)]
    root = thirds[0]
    if mode == 0 and degree == 4:
        thirds[1] = (root + 4) % 12  # the dominant of a minor key has a major third: the leading note
    if dissonance < 0.35:
        return Chord(root, tuple(thirds[:3]))
    if dissonance < 0.60:
        return Chord(root, tuple(thirds))
    if dissonance < 0.80:
        intervals = (0, 3, 6, 9) if rng.random() < 0.5 else (0, 4, 7, 10, 1)
    else:
        root = (root + int(rng.choice((1, 6)))) % 12
        intervals = (0, 3, 7, 1) if rng.random() < 0.5 else (0, 6, 11, 1)
    return Chord(root, tuple((root + interval) % 12 for interval in intervals))


def voicing(chord: Chord, key: int, center: float, previous: tuple[int, ...] | None) -> tuple[int, ...]:
    """Stack a chord near ``center``, in the inversion that moves least from the chord before it.

    Candidates are all close positions (each inversion in three octaves). The cost of one is the mean distance in semitones of
    its notes to the nearest note of ``previous``, plus half the distance of its middle from ``center``.

    Args:
        chord: what to sound.
        key: pitch class of the tonic, 0..11.
        center: MIDI number around which the notes should lie.
        previous: MIDI numbers of the chord before, if any.

    Returns:
        MIDI numbers, low to high.

    >>> voicing(Chord(0, (0, 4, 7)), 0, 64.0, None)
    (60, 64, 67)
    >>> voicing(Chord(5, (5, 9, 0)), 0, 64.0, (60, 64, 67))
    (60, 65, 69)
    """
    classes = sorted((key + tone) % 12 for tone in chord.tones)
    base = 12 * (round(center) // 12)
    candidates = []
    for octave in (-12, 0, 12):
        for inversion in range(len(classes)):
            turned = classes[inversion:] + [pitch + 12 for pitch in classes[:inversion]]
            candidates.append(tuple(base + octave + pitch for pitch in turned))

    def cost(notes: tuple[int, ...]) -> float:
        away = abs(float(np.mean(notes)) - center)
        if previous is None:
            return away
        moves = [min(abs(note - old) for old in previous) for note in notes]
        return sum(moves) / len(moves) + 0.5 * away

    return min(candidates, key=cost)

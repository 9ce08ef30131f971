"""Pitch saliences of notes whose key, chords, rhythm and register are known."""

import numpy as np

RATE_HZ = 22050 / 512
FRAMES = 350  # 8.1 s


def play(notes, frames=FRAMES, decay=0.985):
    """(pitches, frames) of notes (first frame, MIDI number, frames, velocity): at once there, then dying away."""
    salience = np.zeros((88, frames))
    for start, midi, length, velocity in notes:
        stop = min(start + length, frames)
        salience[midi - 21, start:stop] += velocity * decay ** np.arange(stop - start)
    return salience


def progression(chords, period=43, velocity=1.0, frames=FRAMES):
    """One chord (MIDI numbers) after the other, over and over."""
    starts = range(4, frames, period)
    return play(
        [
            (start, midi, period, velocity)
            for k, start in enumerate(starts)
            for midi in chords[k % len(chords)]
        ],
        frames,
    )


def triad(root, third, bass=True):
    tones = [root, root + third, root + 7]
    return [root - 24, *tones] if bass else tones


#: I-IV-V-I in C major, and i-iv-V-i in C minor.
MAJOR = [triad(60, 4), triad(65, 4), triad(67, 4), triad(60, 4)]
MINOR = [triad(60, 3), triad(65, 3), triad(67, 4), triad(60, 3)]


def random_clip(seed=0, frames=FRAMES):
    """Notes at random, and a little noise so that no two values are alike."""
    rng = np.random.default_rng(seed)
    notes = [
        (
            int(rng.integers(frames)),
            int(rng.integers(30, 95)),
            int(rng.integers(5, 60)),
            float(rng.uniform(0.1, 1)),
        )
        for _ in range(60)
    ]
    return play(notes, frames) + 1e-4 * rng.random((88, frames))

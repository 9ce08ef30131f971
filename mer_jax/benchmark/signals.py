"""Signals to measure on: seeded, music-like, the same in every run.

Never zeros: silence takes other branches (thresholds, clipped logarithms), draws less power and hides unwritten outputs.
"""

import numpy as np

from mer_jax import checks

# Rendering is slow beside the transforms; above this many clips, the batch repeats them shifted in time.
_RENDERED_CLIPS = 8
_NOTE_S = 0.7
_HARMONICS = 6


def render_clip(num_samples: int, *, sr: int = 22050, seed: int = 0) -> np.ndarray:
    """One clip: overlapping notes of six decaying harmonics over a noise floor, peak 0.9.

    ``y(t) = sum over notes, h of exp(-h t / tau) sin(2 pi h f0 t + phase_h) / h + 0.005 noise``, with equal-tempered
    ``f0`` from MIDI 36 to 84 and a new note every 80 to 400 ms.

    Args:
        num_samples: length.
        sr: sampling rate in Hz.
        seed: of the notes and of the noise.

    Returns:
        float64, shape (num_samples,), within -0.9..0.9.
    """
    checks.positive_int("num_samples", num_samples)
    rng = np.random.default_rng(seed)
    y = np.zeros(num_samples)
    onset = 0
    while onset < num_samples:
        t = np.arange(min(int(_NOTE_S * sr), num_samples - onset)) / sr
        f0 = 440.0 * 2.0 ** ((rng.integers(36, 85) - 69) / 12)
        gain, tau = rng.uniform(0.3, 1.0), rng.uniform(0.1, 0.5)
        phases = rng.uniform(0, 2 * np.pi, _HARMONICS)
        for h in range(1, _HARMONICS + 1):
            if h * f0 < 0.45 * sr:
                partial = np.exp(-h * t / tau) * np.sin(2 * np.pi * h * f0 * t + phases[h - 1])
                y[onset : onset + t.size] += gain / h * partial
        onset += int(rng.uniform(0.08, 0.4) * sr)
    y += 0.005 * rng.standard_normal(num_samples)
    return 0.9 * y / np.max(np.abs(y))


def render_batch(batch: int, num_samples: int, *, sr: int = 22050, seed: int = 0) -> np.ndarray:
    """A batch of clips: float32, shape (batch, num_samples); no two rows are equal."""
    checks.positive_int("batch", batch)
    distinct = [
        render_clip(num_samples, sr=sr, seed=seed + i).astype(np.float32)
        for i in range(min(batch, _RENDERED_CLIPS))
    ]
    rows = [np.roll(distinct[i % len(distinct)], 997 * (i // len(distinct))) for i in range(batch)]
    return np.stack(rows)

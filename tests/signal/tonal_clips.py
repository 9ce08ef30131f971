"""Signals for the tests of constant-Q, chroma and tuning."""

import numpy as np


def chords(sr=22050, seconds=2.0, cents=0.0, seed=0):
    """Chords of decaying harmonic tones over faint noise, cut off in the middle of a sound at both ends; float64."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(sr * seconds)) / sr
    y = 1e-3 * rng.standard_normal(len(t))
    for onset, midi in enumerate([40, 47, 55, 60, 64, 67, 71, 76]):
        f0 = 440 * 2 ** ((midi - 69 + cents / 100) / 12)
        since = (t - onset * seconds / 10) % seconds
        for harmonic in range(1, 6):
            if harmonic * f0 < sr / 2:
                phase = rng.uniform(0, 2 * np.pi)
                y += 0.1 / harmonic * np.exp(-2 * since) * np.sin(2 * np.pi * harmonic * f0 * t + phase)
    return y


def edge_cases(samples):
    """Signals at which a gradient may break, by name; float32, of any length."""
    noise = np.random.default_rng(1).standard_normal(samples)
    impulse = np.zeros(samples)
    impulse[samples // 3] = 1.0
    padded = noise.copy()
    padded[samples // 4 :] = 0.0
    cases = {
        "silence": np.zeros(samples),
        "constant": np.full(samples, 0.5),
        "impulse": impulse,
        "clipped": np.sign(noise),
        "zero-padded": padded,
        "denormal": 1e-40 * noise,
    }
    return {name: y.astype(np.float32) for name, y in cases.items()}


def relative_error(found, expected):
    """Relative L2 error, after the shapes were compared."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)

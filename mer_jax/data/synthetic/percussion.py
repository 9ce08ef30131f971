"""Drums: four strokes made of a falling sine and filtered noise, stamped wherever the score asks for one."""

import numpy as np

from mer_jax.data.synthetic.score import Hit

# Length in seconds, then of the sine: start and end frequency in Hz and level; level of the noise; pass the noise through a
# first difference (bright) or not.
_DRUMS = {
    "kick": (0.22, 130.0, 48.0, 1.0, 0.05, False),
    "snare": (0.18, 240.0, 180.0, 0.5, 0.6, False),
    "hat": (0.06, 0.0, 0.0, 0.0, 0.5, True),
    "timpani": (0.60, 92.0, 84.0, 1.0, 0.10, False),
}


def play_drums(hits: list[Hit], num_samples: int, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Add up the strokes, (num_samples,) float32; each drum is drawn once and every stroke of it is alike but for level."""
    out = np.zeros(num_samples, dtype=np.float32)
    strokes = {drum: stroke(drum, sr, rng) for drum in sorted({hit.drum for hit in hits})}
    for hit in hits:
        start = int(hit.start_s * sr)
        wave = strokes[hit.drum][: num_samples - start]
        out[start : start + len(wave)] += np.float32(hit.level) * wave
    return out


def stroke(drum: str, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Render one stroke, (samples,) float32 below 1.5 in size."""
    length_s, high_hz, low_hz, tone, noise, bright = _DRUMS[drum]
    t = np.arange(int(length_s * sr)) / sr
    fall = np.exp(-5.0 * t / length_s)
    frequency = low_hz + (high_hz - low_hz) * fall
    wave = tone * np.sin(2 * np.pi * np.cumsum(frequency) / sr)
    hiss = rng.standard_normal(len(t))
    if bright:
        hiss = np.diff(hiss, prepend=0.0)
    return ((wave + 0.5 * noise * hiss) * fall).astype(np.float32)

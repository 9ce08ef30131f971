"""Chords: which kinds of chord a clip is made of, on which degrees of its scale, and how fast they change."""

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax._shapes import Array, Float
from mer_jax.features.key import CIRCLES, SHARPNESS, pitch_classes, tonic_of_scale
from mer_jax.features.notes import (
    Notes,
    centred_unit,
    entropy,
    frames_in,
    mean,
    mean_at_lag,
    root,
    std,
    windows,
)

#: Kinds of chord as semitones above the root.
QUALITIES = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "suspended": (0, 5, 7),
    "major_seventh": (0, 4, 7, 11),
    "minor_seventh": (0, 3, 7, 10),
    "dominant_seventh": (0, 4, 7, 10),
}
# A chord is looked for in every 0.37 s: about a beat, sixteen frames of 512 samples at 22,050 Hz.
WINDOW_S = 0.37
# Kinds compete more softly than major and minor triads do, since a seventh chord holds a triad.
QUALITY_SHARPNESS = 8.0
LAGS = (1, 2, 4, 8, 16)
HIGHEST = jax.lax.Precision.HIGHEST


def chord_correlations(chroma: Float[Array, "12 windows"]) -> Float[Array, "chords windows"]:
    """Pearson correlation of pitch-class weights with the tones of each chord: all roots of one kind after the other.

    Source:
        Fujishima, "Realtime chord recognition of musical sound" (ICMC 1999), with correlation as the measure.
    """
    tones = np.zeros((len(QUALITIES), 12, 12))
    for kind, intervals in zip(tones, QUALITIES.values(), strict=True):
        for root_note in range(12):
            kind[root_note, [(root_note + step) % 12 for step in intervals]] = 1
    chords = tones.reshape(-1, 12)
    chords = chords - chords.mean(axis=1, keepdims=True)
    shapes = jnp.asarray(chords / np.linalg.norm(chords, axis=1, keepdims=True), chroma.dtype)
    return jnp.matmul(shapes, centred_unit(chroma), precision=HIGHEST)


def chord_features(notes: Notes) -> dict[str, Array]:
    """Kinds of chord, their degrees, their certainty and their rate of change, from the pitch classes of every 0.37 s.

    * ``chord_<kind>``: mean share of each kind (softmax over all chords); ``chord_fit``, ``_fit_std``: correlation with the
      best chord; ``chord_major_minor``: the best major triad's correlation less the best minor triad's;
    * ``chord_degree_major``, ``_minor``: share of each triad by the degree of its root, in semitones above the scale's tonic;
    * ``chord_variety``: entropy of the triads of the clip; ``chord_ambiguity``: mean entropy of a window;
    * ``chord_change``: one less the probability that two successive windows have the same triad; ``harmonic_flux``: distance of
      successive windows; ``chroma_similarity_<n>``: correlation of the pitch classes ``n`` windows apart;
    * ``window_centroid_<circle>``: mean over windows of what :func:`mer_jax.features.key.key_features` gives for the clip.

    Returns:
        Name -> number, or 12 numbers for the degrees.

    Source:
        Harte, Sandler and Gasser, "Detecting harmonic change in musical audio" (2006), for the flux and the centroids.
    """
    frames = frames_in(WINDOW_S, notes.frame_rate_hz)
    chroma, valid = windows(pitch_classes(root(notes.level)), notes.valid, frames=frames)
    fit = chord_correlations(chroma)
    kinds = jax.nn.softmax(QUALITY_SHARPNESS * fit, axis=0).reshape(len(QUALITIES), 12, -1).sum(axis=1)
    out = {f"chord_{name}": share for name, share in zip(QUALITIES, mean(kinds, valid), strict=True)}

    best = fit.max(axis=0)
    out["chord_fit"], out["chord_fit_std"] = mean(best, valid), std(best, valid)
    out["chord_major_minor"] = mean(fit[:12].max(axis=0) - fit[12:24].max(axis=0), valid)

    triads = jax.nn.softmax(SHARPNESS * fit[:24], axis=0)
    overall = mean(triads, valid)
    tonic = tonic_of_scale(notes)
    out["chord_degree_major"] = jnp.roll(overall[:12], -tonic)
    out["chord_degree_minor"] = jnp.roll(overall[12:], -tonic)
    out["chord_variety"] = entropy(overall)
    out["chord_ambiguity"] = mean(entropy(triads), valid)

    out["chord_change"] = 1 - mean_at_lag(triads, valid, 1)
    shape = centred_unit(chroma)
    if shape.shape[1] > 1:
        distance = root(jnp.square(jnp.diff(shape, axis=1)).sum(axis=0))
        out["harmonic_flux"] = mean(distance, valid[1:] & valid[:-1])
    else:
        out["harmonic_flux"] = jnp.zeros((), shape.dtype)
    for lag in LAGS:
        out[f"chroma_similarity_{lag}"] = mean_at_lag(shape, valid, lag)

    share = chroma / (chroma.sum(axis=0) + 1e-6)[None]
    for name, step in CIRCLES.items():
        angle = 2 * np.pi * step * np.arange(12) / 12
        x, y = (_around(wave(angle), share) for wave in (np.cos, np.sin))
        out[f"window_centroid_{name}"] = mean(root(jnp.square(x) + jnp.square(y)), valid)
    return out


def _around(wave: np.ndarray, share: jax.Array) -> jax.Array:
    """Inner product of one coordinate on a circle with the pitch classes of each window."""
    return jnp.matmul(jnp.asarray(wave, share.dtype), share, precision=HIGHEST)

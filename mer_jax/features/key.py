"""Key and mode: how well the pitch classes of a clip fit each of the 24 keys, and what they are relative to the best one."""

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax._shapes import Array, Float
from mer_jax.features.notes import Notes, centred_unit, entropy, root

#: Perceived stability of the twelve pitch classes above the tonic: Krumhansl and Kessler's probe-tone ratings, and Temperley's
#: revision of them ("What's key for key?", Music Perception 17, 1999). Major, then minor.
PROFILES = {
    "krumhansl": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "temperley": (
        (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
        (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
    ),
}

# Correlations are turned into shares of the 24 keys by a softmax of this sharpness.
SHARPNESS = 10.0
# Notes below this pitch (G3 excluded, counted from A0) are the bass.
BASS_BELOW = 34
# Steps around the circles of fifths, minor thirds and major thirds, in semitones.
CIRCLES = {"fifths": 7, "minor_thirds": 3, "major_thirds": 4}


def pitch_classes(x: Float[Array, "pitches *frames"]) -> Float[Array, "12 *frames"]:
    """Sum of the piano's pitches, from A0 up, over octaves: C, C#, ..., B."""
    below_c = 9  # A0 is nine semitones above a C
    above = -(x.shape[0] + below_c) % 12
    octaves = jnp.pad(x, ((below_c, above), *((0, 0),) * (x.ndim - 1)))
    return octaves.reshape(-1, 12, *x.shape[1:]).sum(axis=0)


def key_correlations(
    profile: Float[Array, "12 *rest"], *, kind: str = "krumhansl"
) -> Float[Array, "24 *rest"]:
    """Pearson correlation of pitch-class weights with the profile of each key: C major to B major, C minor to B minor.

    Args:
        profile: weight of each pitch class, C first; further axes are separate profiles.
        kind: ``"krumhansl"`` or ``"temperley"`` (:data:`PROFILES`).

    Returns:
        (24, ...), -1 to 1; 0 where all weights are alike.

    Source:
        Krumhansl, "Cognitive Foundations of Musical Pitch" (1990), chapter 4.
    """
    keys = np.stack([np.roll(mode, tonic) for mode in PROFILES[kind] for tonic in range(12)])
    keys = keys - keys.mean(axis=1, keepdims=True)
    shapes = jnp.asarray(keys / np.linalg.norm(keys, axis=1, keepdims=True), profile.dtype)
    return jnp.tensordot(shapes, centred_unit(profile), axes=1, precision=jax.lax.Precision.HIGHEST)


def tonic_of_scale(notes: Notes) -> Array:
    """Major tonic (0 is C) of the scale that fits a clip best; a minor key counts as its relative major. No gradient.

    The correlations of what sounds and of what sets in with Krumhansl's profiles, and of what is active with Temperley's, are
    averaged first.
    """
    sustained, onset, active = _profiles(notes)
    fit = key_correlations(sustained) + key_correlations(onset) + key_correlations(active, kind="temperley")
    best = jnp.argmax(fit)
    return jnp.where(best < 12, best, (best + 3) % 12)


def key_features(notes: Notes) -> dict[str, Array]:
    """Fit of major and minor keys, clarity of the key, and the pitch classes relative to it.

    For each of three weights of the pitch classes (``sustained``, square root of the level summed over time; ``onset``, the
    strength of onsets; ``active``, time sounding) and each kind of profile:

    * ``major``, ``minor``: largest correlation with a major and with a minor key; ``mode``: their difference;
    * ``parallel``: the best major key against the minor key on the same tonic; ``relative``: against its relative minor;
    * ``clarity``: the best key against the second best; ``spread``: entropy of the shares of the keys.

    Further the entropy of the pitch classes; their share on each degree of the scale, in semitones above its major tonic
    (:func:`tonic_of_scale`), for ``sustained``, ``onset`` and the ``bass``; and the length of their vector sum around the
    circles of fifths and thirds (the tonal centroid of Harte, Sandler and Gasser, 2006), of the clip as a whole.

    Returns:
        Name -> number, or 12 numbers for the degrees.

    Source:
        Krumhansl (1990); Gómez, "Tonal description of music audio signals" (2006); mode as a cue of valence: Eerola, Friberg
        and Bresin, "Emotional expression in music" (Frontiers in Psychology 4, 2013).
    """
    weights = dict(zip(("sustained", "onset", "active"), _profiles(notes), strict=True))
    bass = pitch_classes(root(notes.level[:BASS_BELOW]).sum(axis=1))
    out: dict[str, Array] = {}
    for name, weight in weights.items():
        for kind in PROFILES:
            fit = key_correlations(weight, kind=kind)
            out |= {f"key_{name}_{kind}_{what}": value for what, value in _fit_features(fit).items()}
        out[f"key_{name}_entropy"] = entropy(weight)
    tonic = tonic_of_scale(notes)
    for name, weight in {"sustained": weights["sustained"], "onset": weights["onset"], "bass": bass}.items():
        out[f"degree_{name}"] = jnp.roll(weight / (weight.sum() + 1e-6), -tonic)
    share = weights["sustained"] / (weights["sustained"].sum() + 1e-6)
    for name, step in CIRCLES.items():
        angle = 2 * np.pi * step * np.arange(12) / 12
        out[f"centroid_{name}"] = root(
            jnp.square((share * np.cos(angle)).sum()) + jnp.square((share * np.sin(angle)).sum())
        )
    return out


def _profiles(notes: Notes) -> tuple[jax.Array, jax.Array, jax.Array]:
    return (
        pitch_classes(root(notes.level).sum(axis=1)),
        pitch_classes(notes.onsets.sum(axis=1)),
        pitch_classes(notes.active.sum(axis=1)),
    )


def _fit_features(fit: jax.Array) -> dict[str, jax.Array]:
    major, minor = fit[:12], fit[12:]
    tonic = jnp.argmax(major)
    best, second = jax.lax.top_k(fit, 2)[0]
    return {
        "major": major.max(),
        "minor": minor.max(),
        "mode": major.max() - minor.max(),
        "parallel": major[tonic] - minor[tonic],
        "relative": major[tonic] - minor[(tonic + 9) % 12],
        "clarity": best - second,
        "spread": entropy(jax.nn.softmax(SHARPNESS * fit)),
    }

"""The note features of one clip once more, in NumPy float64, frame by frame: what the compiled ones are tested against."""

import numpy as np

from mer_jax.features.chords import QUALITIES
from mer_jax.features.key import PROFILES

NAMES = "sustained", "onset", "active"


def compressed(salience):
    return np.log1p(100 * salience / max(salience.max(), 1e-300))


def rise_and_onsets(salience, lag=3):
    """Over ``lag`` frames; an onset is the largest rise within ``lag`` frames on either side, if above 0.5."""
    loudness = compressed(salience)
    rise = np.zeros_like(loudness)
    for t in range(loudness.shape[1]):
        rise[:, t] = np.maximum(loudness[:, t] - loudness[:, max(t - lag, 0)], 0)
    onsets = np.zeros_like(rise)
    for p, t in np.argwhere(rise > 0.5):
        if rise[p, t] == rise[p, max(t - lag, 0) : t + lag + 1].max():
            onsets[p, t] = rise[p, t]
    return rise, onsets


def onset_frames(rise, lag=3):
    total = rise.sum(axis=0)
    least = total.mean() + 0.3 * total.std()
    near = [total[max(t - lag, 0) : t + lag + 1].max() for t in range(len(total))]
    return [t for t in range(len(total)) if total[t] == near[t] and total[t] > least]


def activity(salience):
    decibel = 20 * np.log10(salience / salience.max() + 1e-5)
    return 1 / (1 + np.exp(-(decibel + 30) / 3))


def fold(weights):
    """Weights of the piano's keys by pitch class, C first; key 0 is an A."""
    out = np.zeros((12, *weights.shape[1:]))
    for key, weight in enumerate(weights):
        out[(key + 9) % 12] += weight
    return out


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def key_fit(profile, kind):
    """[mode][tonic]"""
    return np.array(
        [[correlation(profile, np.roll(keys, tonic)) for tonic in range(12)] for keys in PROFILES[kind]]
    )


def pitch_class_weights(salience):
    level = salience / salience.max()
    _, onsets = rise_and_onsets(salience)
    return {
        "sustained": fold(np.sqrt(level).sum(axis=1)),
        "onset": fold(onsets.sum(axis=1)),
        "active": fold(activity(salience).sum(axis=1)),
    }


def scale_tonic(weights):
    fit = (
        key_fit(weights["sustained"], "krumhansl")
        + key_fit(weights["onset"], "krumhansl")
        + key_fit(weights["active"], "temperley")
    )
    mode, tonic = np.unravel_index(fit.argmax(), fit.shape)
    return (tonic + 3 * mode) % 12


def entropy(p):
    p = p / p.sum()
    return -(p * np.log(p + 1e-12)).sum()


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def window_means(x, frames):
    return np.stack([x[:, t : t + frames].mean(axis=1) for t in range(0, x.shape[1], frames)], axis=1)


def chord_fit(chroma):
    """[kind][root]"""
    out = np.zeros((len(QUALITIES), 12))
    for kind, intervals in enumerate(QUALITIES.values()):
        for root in range(12):
            tones = np.zeros(12)
            for step in intervals:
                tones[(root + step) % 12] = 1
            out[kind, root] = correlation(chroma, tones)
    return out

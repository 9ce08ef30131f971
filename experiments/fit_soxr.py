"""Fit the constants of ``mer_jax/signal/decimation.py`` to the soxr resampler.

    python experiments/fit_soxr.py            # about half a minute

For each ratio the chain of half-band filters and one Kaiser-windowed sinc is fitted, by least squares, to what soxr makes of
short clips of noise: in these the first samples weigh enough to tell the stages apart. Prints, per ratio, cut-off, width and
beta of the sharp filter, the half-band taps (for ratios of 4 and 8 the last of them vanishes), and the relative error left.
"""

import numpy as np
import soxr
from scipy.optimize import least_squares
from scipy.special import i0e

NUM_CLIPS, LENGTH_AFTER = 60, 60


def half_band(one_side):
    """Taps from those at odd distances 1, 3, ...; the taps sum to 1."""
    one_side = np.concatenate([[0.25 - np.sum(one_side)], one_side])
    taps = np.zeros(4 * len(one_side) - 1)
    center = len(taps) // 2
    taps[center] = 0.5
    taps[center + 1 :: 2] = one_side
    taps[center - 1 :: -2] = one_side
    return taps


def sharp(cutoff, width, beta):
    """Kaiser-windowed sinc before 2:1 decimation; ``width`` in samples after it."""
    half = int(2 * width)
    n = np.arange(-half, half + 1)
    root = np.sqrt(1 - (n / (2 * width)) ** 2)
    return cutoff / 2 * np.sinc(cutoff / 2 * n) * i0e(beta * root) / i0e(beta) * np.exp(beta * (root - 1))


def halve(x, taps):
    """Filter and take every second sample, until the response has died away."""
    side = np.zeros(len(taps) // 2)
    return np.correlate(np.concatenate([side, x, side, side]), taps, "valid")[::2]


def chain(parameters, clips, ratio):
    """All clips through the chain, one after the other."""
    cutoff, width, beta, *one_side = parameters
    out = []
    for x in clips:
        length = int(len(x) / ratio + 0.5)
        for _ in range(ratio.bit_length() - 2):
            x = halve(x, half_band(one_side))
        out.append(halve(x, sharp(cutoff, width, beta))[:length])
    return np.concatenate(out)


def fit(ratio, start, clips):
    """Least squares for one ratio; returns the parameters and the relative error that remains."""
    # soxr computes in float32: a large signal keeps its rounding relative.
    target = np.concatenate([soxr.resample(1e3 * x, ratio, 1, quality="soxr_hq") / 1e3 for x in clips])
    scale = np.maximum(np.abs(start), 1e-3)
    result = least_squares(
        lambda p: chain(p * scale, clips, ratio) - target, start / scale, xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    return result.x * scale, np.linalg.norm(result.fun) / np.linalg.norm(target)


def main():
    """Fit ratios 2 to 512, each from the result of the one before."""
    rng = np.random.default_rng(0)
    sharp_start = [0.957, 97.25, 13.0]
    taps_start = [-0.088, 0.038, -0.016, 0.006, -0.002, 0.0005, -0.0001, 0.0]
    for ratio in 2 ** np.arange(1, 10):
        clips = [rng.standard_normal(LENGTH_AFTER * ratio + 200) for _ in range(NUM_CLIPS)]
        start = np.array(sharp_start + (taps_start if ratio > 2 else []))
        found, error = fit(int(ratio), start, clips)
        sharp_start = list(found[:3])
        print(
            f"{ratio}: cut-off {found[0]:.8f}, width {found[1]:.4f}, beta {found[2]:.5f}, error {error:.1e}"
        )
        if ratio > 2:
            taps_start = list(found[3:])
            print("   half-band", ", ".join(f"{x:.8e}" for x in [0.25 - np.sum(found[3:]), *found[3:]]))


if __name__ == "__main__":
    main()

"""All learnable front-ends at sizes that compile and run quickly, and the signals that they are tried on."""

import numpy as np
from flax import nnx

from mer_jax import frontends

SR = 8000
_STFT = {"n_fft": 256, "hop_length": 128}
_MEL = {**_STFT, "n_mels": 12}
_CQT = {"hop_length": 128, "n_bins": 24}
_BANK = {"n_filters": 6, "hop_length": 128}

# By what the tests call them: name in the registry, options.
MEMBERS = {
    "spectrogram": ("spectrogram", _STFT),
    "spectrogram kernels": ("spectrogram", {**_STFT, "trainable": "kernels,window", "power": 2.0}),
    "mel": ("mel", _MEL),
    "mel triangles": ("mel", {**_MEL, "mel_parameters": "triangles"}),
    "log_mel": ("log_mel", _MEL),
    "mfcc": ("mfcc", {**_MEL, "n_mfcc": 8}),
    "cqt": ("cqt", _CQT),
    "cqt exact": ("cqt", {**_CQT, "method": "exact"}),
    "log_cqt": ("log_cqt", _CQT),
    "pcen": ("pcen", _MEL),
    "multi_resolution": ("multi_resolution", {"hop_length": 128, "n_mels": 12, "resolutions": "128,256"}),
    "multi_resolution cqt": ("multi_resolution", {"hop_length": 128, "of": "cqt", "octaves": 1}),
    "dstft": ("dstft", _STFT),
    "leaf": ("leaf", _BANK),
    "efficient_leaf": ("efficient_leaf", {**_BANK, "groups": 2}),
    "sincnet": ("sincnet", _BANK),
    "td_filterbank": ("td_filterbank", _BANK),
}


def build(case, **changes):
    """One of the above, learning all that it sensibly can."""
    name, options = MEMBERS[case]
    return frontends.build(name, sr=SR, options={"trainable": True, **options, **changes}, rngs=nnx.Rngs(0))


def music(num_samples, seed=0):
    """Decaying harmonic notes over faint noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(num_samples) / SR
    hz = 110.0 * 2.0 ** (rng.integers(0, 24, 1 + int(t[-1] / 0.25)) / 12)
    phase = 2 * np.pi * np.cumsum(hz[(t / 0.25).astype(int)]) / SR
    notes = sum(np.sin(k * phase) / k for k in range(1, 8)) * np.exp(-6 * (t % 0.25))
    return (0.2 * notes + 0.005 * rng.standard_normal(num_samples)).astype(np.float32)


def hard_clips(num_samples):
    """Silence, a constant, one impulse, music that ends in zeros, and noise at full scale."""
    padded = music(num_samples)
    padded[num_samples // 2 :] = 0
    noise = np.random.default_rng(1).uniform(-1, 1, num_samples)
    clips = [np.zeros(num_samples), np.full(num_samples, 0.5), np.eye(1, num_samples, 1000)[0], padded, noise]
    return np.stack(clips).astype(np.float32)

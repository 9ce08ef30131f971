"""What the parity table compares: each transform, its float64 reference, and the error it is allowed.

References are computed by librosa in float64 (and, for the exact CQT, by the definition), never by this package. They are for
one synthetic clip whose samples are exact in bfloat16, so that one reference serves every dtype.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from mer_jax import signal
from mer_jax.benchmark.signals import render_clip

SR = 22050
CLIP_SAMPLES = 2 * SR
SEED = 20210125

Ours = Callable[[jax.Array], jax.Array]
Reference = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One transform of the table.

    Attributes:
        name: as in ``mer_jax.signal``.
        bound: relative L2 error that float32 may have; 0 asks for equality.
        ours: maps the input to the result.
        reference: the same in float64, by librosa; None where ``expected`` is the input itself (a round trip).
        source: what the input is: ``"y"`` (the clip), or the case whose reference is the input.
        stepwise: the result is piecewise constant, so its gradient is zero.
    """

    name: str
    bound: float
    ours: Ours
    reference: Reference | None
    source: str = "y"
    stepwise: bool = False


def clip() -> np.ndarray:
    """The clip: 2 s, seeded, rounded to bfloat16 and therefore exact in bfloat16, float32 and float64."""
    return exact_in_bfloat16(render_clip(CLIP_SAMPLES, sr=SR, seed=SEED))


def exact_in_bfloat16(x: np.ndarray) -> np.ndarray:
    """Round to the nearest bfloat16, as float64."""
    return x.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def digest(x: np.ndarray) -> str:
    """SHA-256 of an array's float32 bytes: tells whether the clip was regenerated as it was."""
    return hashlib.sha256(np.ascontiguousarray(x, np.float32).tobytes()).hexdigest()


def _librosa(path: str, *, first: str = "y", **fixed: Any) -> Reference:
    """``librosa.<path>(<first>=x, ...)`` in float64, filter banks included."""

    def compute(x: np.ndarray) -> np.ndarray:
        import librosa

        function: Any = librosa
        for part in path.split("."):
            function = getattr(function, part)
        return function(**{first: x}, **fixed)

    return compute


def _flux_reference(y: np.ndarray) -> np.ndarray:
    import librosa

    magnitude = np.abs(librosa.stft(y))
    rises = np.maximum(0.0, np.diff(magnitude, axis=-1)).sum(axis=-2, keepdims=True)
    return np.concatenate([np.zeros((1, 1)), rises], axis=-1)


def _envelope_reference(y: np.ndarray) -> np.ndarray:
    padded = np.pad(np.abs(y), 1024)
    return np.array([[padded[start : start + 2048].max() for start in range(0, len(y) + 1, 512)]])


def _onset_reference(y: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.onset.onset_strength(y=y, sr=SR, dtype=np.float64)


def _tempogram_reference(y: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.feature.tempogram(onset_envelope=_onset_reference(y), sr=SR)


def _exact_cqt_reference(y: np.ndarray) -> np.ndarray:
    """Inner products with librosa's kernels at their full length and rate, in float64."""
    import librosa

    hz = librosa.cqt_frequencies(84, fmin=librosa.note_to_hz("C1"))
    ratio = 2.0 ** (2 / 12)
    kernels, lengths = librosa.filters.wavelet(
        freqs=hz, sr=SR, pad_fft=False, norm=1, dtype=np.complex128, alpha=(ratio - 1) / (ratio + 1)
    )
    half = kernels.shape[1] // 2
    padded = np.pad(y, (half, kernels.shape[1] - half))
    starts = range(0, len(y) + 1, 512)
    frames = np.stack([padded[start : start + kernels.shape[1]] for start in starts], axis=1)
    return np.sqrt(lengths)[:, None] * (kernels.conj() @ frames)


F64 = {"dtype": np.float64}

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(
            "zero_crossing_rate",
            0.0,
            signal.zero_crossing_rate,
            _librosa("feature.zero_crossing_rate"),
            stepwise=True,
        ),
        Case("amplitude_envelope", 1e-5, signal.amplitude_envelope, _envelope_reference),
        Case("rms", 1e-5, signal.rms, _librosa("feature.rms", **F64)),
        Case("stft", 1e-5, signal.stft, _librosa("stft")),
        Case("istft", 1e-5, lambda y: signal.istft(signal.stft(y), length=y.shape[-1]), None),
        Case("spectral_flux", 1e-5, lambda y: signal.spectral_flux(y), _flux_reference),
        Case("melspectrogram", 1e-5, signal.melspectrogram, _librosa("feature.melspectrogram", **F64)),
        Case("power_to_db", 1e-5, signal.power_to_db, _librosa("power_to_db", first="S"), "melspectrogram"),
        Case(
            "amplitude_to_db",
            1e-5,
            signal.amplitude_to_db,
            _librosa("amplitude_to_db", first="S"),
            "melspectrogram",
        ),
        Case("db_to_power", 1e-5, signal.db_to_power, _librosa("db_to_power", first="S_db"), "power_to_db"),
        Case(
            "db_to_amplitude",
            1e-5,
            signal.db_to_amplitude,
            _librosa("db_to_amplitude", first="S_db"),
            "power_to_db",
        ),
        Case("pcen", 1e-5, signal.pcen, _librosa("pcen", first="S"), "melspectrogram"),
        Case("mfcc", 1e-4, signal.mfcc, _librosa("feature.mfcc", **F64)),
        Case("delta", 1e-5, signal.delta, _librosa("feature.delta", first="data"), "mfcc"),
        Case("chroma_stft", 1e-4, signal.chroma_stft, _librosa("feature.chroma_stft", tuning=0.0, **F64)),
        Case("spectral_centroid", 1e-4, signal.spectral_centroid, _librosa("feature.spectral_centroid")),
        Case("spectral_bandwidth", 1e-4, signal.spectral_bandwidth, _librosa("feature.spectral_bandwidth")),
        Case("spectral_flatness", 1e-4, signal.spectral_flatness, _librosa("feature.spectral_flatness")),
        Case("onset_strength", 1e-4, signal.onset_strength, _onset_reference),
        Case("poly_features", 1e-4, signal.poly_features, _librosa("feature.poly_features")),
        Case("spectral_contrast", 1e-3, signal.spectral_contrast, _librosa("feature.spectral_contrast")),
        Case(
            "spectral_rolloff",
            1e-3,
            signal.spectral_rolloff,
            _librosa("feature.spectral_rolloff"),
            stepwise=True,
        ),
        Case("tempogram", 1e-3, signal.tempogram, _tempogram_reference),
        Case("cqt", 1e-3, signal.cqt, _librosa("cqt", tuning=0.0)),
        Case("vqt", 1e-3, signal.vqt, _librosa("vqt", tuning=0.0)),
        Case("cqt_exact", 1e-5, lambda y: signal.cqt(y, method="exact"), _exact_cqt_reference),
        Case("chroma_cqt", 5e-3, signal.chroma_cqt, _librosa("feature.chroma_cqt", tuning=0.0)),
        Case(
            "chroma_cens",
            5e-3,
            signal.chroma_cens,
            _librosa("feature.chroma_cens", tuning=0.0),
            stepwise=True,
        ),
        Case(
            "tonnetz_of_chroma",
            1e-4,
            lambda chroma: signal.tonnetz(chroma=chroma),
            _librosa("feature.tonnetz", first="chroma", y=None),
            "chroma_stft",
        ),
        Case("tonnetz", 5e-3, signal.tonnetz, _librosa("feature.tonnetz", tuning=0.0)),
    )
}


def energy(case: Case) -> Callable[[jax.Array], jax.Array]:
    """The scalar whose gradient is compared: a weighted sum of squared magnitudes, in at least float32.

    The weights (seeded, 0.5 to 1.5) keep it from being a norm that the transform preserves, whose gradient says little.
    """

    def total(x: jax.Array) -> jax.Array:
        result = case.ours(x)
        weights = np.random.default_rng(SEED).uniform(0.5, 1.5, result.shape)
        wide = jnp.promote_types(result.dtype, jnp.float32)
        return jnp.sum(jnp.asarray(weights, jnp.finfo(wide).dtype) * jnp.abs(result.astype(wide)) ** 2)

    return total

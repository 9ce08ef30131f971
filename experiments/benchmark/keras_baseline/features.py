"""What each approach is fed, by librosa: one clip a call, all cores, arrays in memory."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import librosa
import matplotlib
import numpy as np
import scipy.stats
import soundfile
from PIL import Image

FRAME, HOP, BANDS, COEFFICIENTS = 2048, 512, 128, 20
TOP_DB = 80.0


def of_files(
    paths: list[Path], kinds: list[str], *, sr: int, clip_s: float, size: int
) -> dict[str, np.ndarray]:
    """Features of every file by kind: ``series`` (n, frames, 1), ``numbers`` (n, features), ``pictures`` (n, size, size, 3)."""
    jobs = [(path, tuple(kinds), sr, round(sr * clip_s), size) for path in paths]
    # One thread a process: with several, the libraries below librosa get in each other's way.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_of_file, jobs, chunksize=8))
    return {kind: np.stack([one[kind] for one in found]) for kind in kinds}


def _of_file(job: tuple[Path, tuple[str, ...], int, int, int]) -> dict[str, np.ndarray]:
    path, kinds, sr, num_samples, size = job
    y, rate = soundfile.read(path, dtype="float32", always_2d=True)
    y = librosa.to_mono(y.T)
    if rate != sr:
        y = librosa.resample(y, orig_sr=rate, target_sr=sr, res_type="soxr_hq")
    y = librosa.util.fix_length(y, size=num_samples)
    compute = {"series": _envelope, "numbers": _numbers, "pictures": _picture}
    return {kind: compute[kind](y, sr, size).astype(np.float32) for kind in kinds}


def _envelope(y: np.ndarray, sr: int, size: int) -> np.ndarray:
    """Amplitude envelope, (frames, 1)."""
    del sr, size
    padded = np.pad(y, FRAME // 2)
    return np.abs(librosa.util.frame(padded, frame_length=FRAME, hop_length=HOP)).max(axis=0)[:, None]


def _numbers(y: np.ndarray, sr: int, size: int) -> np.ndarray:
    """Eight statistics of 75 time and frequency features; one STFT for all."""
    del size
    magnitude = np.abs(librosa.stft(y, n_fft=FRAME, hop_length=HOP))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=sr, n_mels=BANDS)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=COEFFICIENTS)
    flux = np.sqrt((np.diff(magnitude, axis=1, prepend=magnitude[:, :1]) ** 2).sum(axis=0))
    feature = librosa.feature
    rows = np.concatenate(
        [
            _envelope(y, sr, 0).T,
            feature.rms(y=y, frame_length=FRAME, hop_length=HOP),
            feature.zero_crossing_rate(y, frame_length=FRAME, hop_length=HOP),
            flux[None],
            feature.spectral_rolloff(S=magnitude, sr=sr),
            feature.spectral_centroid(S=magnitude, sr=sr),
            feature.spectral_bandwidth(S=magnitude, sr=sr),
            feature.spectral_contrast(S=magnitude, sr=sr),
            feature.spectral_flatness(S=magnitude),
            mfcc,
            feature.delta(mfcc),
            feature.delta(mfcc, order=2),
        ]
    )
    t = np.arange(rows.shape[1]) - (rows.shape[1] - 1) / 2
    deviations = rows.std(axis=1)
    # A feature that does not change has no skewness and no kurtosis.
    varied = deviations > 1e-6 * np.abs(rows).max(axis=1)
    shape = [
        np.where(varied, moment(np.where(varied[:, None], rows, t), axis=1), 0)
        for moment in (scipy.stats.skew, scipy.stats.kurtosis)
    ]
    slope = rows @ t / (t @ t)
    whole = [rows.mean(axis=1), deviations, rows.min(axis=1), rows.max(axis=1), np.median(rows, axis=1)]
    return np.concatenate([*whole, *shape, slope])


def _picture(y: np.ndarray, sr: int, size: int) -> np.ndarray:
    """Log-CQT in colours, (size, size, 3) in 0..255, low notes at the bottom."""
    magnitude = np.abs(librosa.cqt(y, sr=sr, hop_length=HOP))
    db = librosa.amplitude_to_db(magnitude, ref=np.max, top_db=TOP_DB)
    colours = matplotlib.colormaps["coolwarm"](np.flipud(db / TOP_DB + 1), bytes=True)[..., :3]
    return np.asarray(Image.fromarray(colours).resize((size, size), Image.Resampling.BILINEAR))

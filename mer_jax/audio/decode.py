"""Audio files in: decode, down-mix, resample.

WAV, FLAC, Ogg Vorbis, Opus, MP3 and AIFF are decoded by libsndfile (``soundfile``) and resampled by ``soxr`` at high quality.
Whatever is wrong with a file is an :class:`~mer_jax.checks.AudioError` that names the file, the fault and the remedy: a file
that is cut short, damaged or of unknown length is refused, never padded or shortened in silence. (One exception: MP3 encoders
miscount by a frame or two, so up to three missing frames, 78 ms at 44.1 kHz, are zeros at the end.)
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer_jax._shapes import Float
from mer_jax.audio import containers, opening
from mer_jax.checks import AudioError

if TYPE_CHECKING:
    import soundfile

AUDIO_EXTENSIONS = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")

# soxr's high-quality filter reaches 128 samples (of the lower rate) to each side; twice that is on the safe side.
_FILTER_REACH = 256
# Of a long file, little more than its result is held in memory.
_BLOCK_FRAMES = 1 << 18
_MP3_FRAME_SAMPLES = 1152
# A frame's main data starts at most 511 bytes earlier; at the lowest usual bit rates that is some twenty frames.
_MP3_PREROLL_FRAMES = 24
# Twice the longest Vorbis block, 8192 samples.
_VORBIS_PREROLL = 16384


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says.

    Attributes:
        sr: sampling rate in Hz.
        channels: number of channels.
        frames: samples in each channel.
        duration_s: ``frames / sr``.
        format: container as libsndfile names it: "WAV", "FLAC", "OGG", "MP3", ...
        subtype: coding: "PCM_16", "VORBIS", "OPUS", "MPEG_LAYER_III", ...
    """

    sr: int
    channels: int
    frames: int
    duration_s: float
    format: str
    subtype: str


def info(path: str | Path) -> AudioInfo:
    """Read the header of an audio file without decoding it.

    Quick (about 0.2 ms; an MP3 without a length in its header must be walked, about 1 ms for 30 s): damage inside the file is
    left for :func:`load` to find.

    Raises:
        AudioError: the file cannot be opened as audio, or it ends before its container says so.
    """
    with opening.opened(Path(path), thorough=False) as file:
        return AudioInfo(
            sr=file.samplerate,
            channels=file.channels,
            frames=file.frames,
            duration_s=file.frames / file.samplerate,
            format=file.format,
            subtype=file.subtype,
        )


def load(
    path: str | Path,
    *,
    sr: int | None = 22050,
    offset_s: float | int = 0.0,
    duration_s: float | int | None = None,
    mono: bool = True,
) -> tuple[Float[np.ndarray, "*channels samples"], int]:
    """Decode an audio file, or a stretch of it, to floating-point samples at a given rate.

    A stretch is sought, not decoded up to, and equals that slice of the whole file's result: to float32 rounding (1e-6) for the
    usual pairs of rates, to 2e-4 where soxr has to interpolate its filter (rates without a common divisor).

    Args:
        path: the file.
        sr: sampling rate of the result in Hz; None keeps the file's.
        offset_s: where to start, in seconds.
        duration_s: how much to read, in seconds; None reads to the end. Less is returned where the file ends sooner.
        mono: average the channels (before resampling).

    Returns:
        Samples, float32, and their rate in Hz. Shape (samples,), or (channels, samples) with ``mono=False``. A whole file of n
        frames at rate r gives ceil(n sr / r) samples; a stretch gives round(duration_s sr). Full scale is 1; lossy decoders may
        overshoot it.

    Raises:
        AudioError: the file is missing, unreadable, empty, not audio, of a codec that is not supported, truncated or damaged in
            what was read, or holds NaN or infinite samples; or ``sr``, ``offset_s`` or ``duration_s`` make no sense for it.

    Source: the length and the order of the steps are those of ``librosa.load`` (librosa 0.11, ``res_type="soxr_hq"``).
    """
    path = Path(path)
    _check_request(path, sr, offset_s, duration_s)
    with opening.opened(path, thorough=True) as file:
        native = file.samplerate
        target = native if sr is None else sr
        total = -(-file.frames * target // native)
        start = round(offset_s * target)
        if start >= total:
            raise AudioError(
                path,
                f"the offset {offset_s:g} s is at or beyond its end ({file.frames / native:.3f} s)",
                remedy="choose an offset inside the file",
            )
        stop = total if duration_s is None else min(total, start + max(1, round(duration_s * target)))
        y = np.zeros((stop - start, 1 if mono else file.channels), np.float32)
        at = 0
        for piece in _read(file, path, start, stop, target=target, mono=mono):
            y[at : at + len(piece)] = piece
            at += len(piece)
    return (y[:, 0] if mono else np.ascontiguousarray(y.T)), target


def blocks(path: str | Path, *, sr: int) -> Iterator[Float[np.ndarray, "_"]]:
    """What :func:`load` gives for a whole file, mono, in pieces of a few seconds: a long file is never held as a whole.

    Raises:
        AudioError: as :func:`load`, some of it only when the damaged piece is reached.
    """
    path = Path(path)
    _check_request(path, sr, 0.0, None)
    with opening.opened(path, thorough=True) as file:
        total = -(-file.frames * sr // file.samplerate)
        for piece in _read(file, path, 0, total, target=sr, mono=True):
            yield piece[:, 0]


def _check_request(path: Path, sr: int | None, offset_s: float | int, duration_s: float | int | None) -> None:
    if sr is not None and (isinstance(sr, bool) or not isinstance(sr, int | np.integer) or sr <= 0):
        raise AudioError(path, f"cannot be delivered at {sr!r} Hz", expected="an integer above 0, or None")
    if not (math.isfinite(offset_s) and offset_s >= 0):
        raise AudioError(path, f"cannot start at {offset_s!r} s", expected="an offset of 0 s or more")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise AudioError(path, f"cannot read {duration_s!r} s", expected="a duration above 0 s, or None")


def _read(
    file: "soundfile.SoundFile", path: Path, start: int, stop: int, *, target: int, mono: bool
) -> Iterator[Float[np.ndarray, "_ channels"]]:
    """Samples ``start`` to ``stop``, counted at the rate ``target``; decoded and resampled piece by piece."""
    native = file.samplerate
    if native == target:
        return _decode(file, path, start, stop, mono=mono)
    # Resampling must start where the sample grids of the two rates meet, early enough for the filter to settle.
    step_in, step_out = native // math.gcd(native, target), target // math.gcd(native, target)
    reach = math.ceil(_FILTER_REACH * max(1.0, target / native))
    steps = max(0, start - reach) // step_out
    last = -(-(stop + reach) * native // target)
    decoded = _decode(file, path, steps * step_in, min(file.frames, last), mono=mono)
    channels = 1 if mono else file.channels
    # Silence behind the end is what soxr assumes as well; given to it, the last fractional sample comes out too.
    silence = np.zeros((max(0, last - file.frames), channels), np.float32)
    resampled = _resample(itertools.chain(decoded, [silence]), native, target, channels)
    return _between(resampled, start - steps * step_out, stop - steps * step_out)


def _resample(
    pieces: Iterable[Float[np.ndarray, "_ channels"]], native: int, target: int, channels: int
) -> Iterator[Float[np.ndarray, "_ channels"]]:
    """What ``soxr.resample`` gives for all pieces together, bit for bit."""
    import soxr

    stream = soxr.ResampleStream(native, target, channels, dtype="float32", quality="HQ")
    for piece in pieces:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def _between(
    pieces: Iterable[Float[np.ndarray, "_ channels"]], start: int, stop: int
) -> Iterator[Float[np.ndarray, "_ channels"]]:
    """What the pieces together hold from ``start`` to ``stop``."""
    at = 0
    for piece in pieces:
        yield piece[max(0, start - at) : max(0, stop - at)]
        at += len(piece)


def _seek_point(file: "soundfile.SoundFile", path: Path, start: int) -> int:
    """The frame to seek so that what is decoded from there on is right at ``start``.

    libsndfile's seeking is exact for WAV, FLAC, AIFF and Opus. An MP3 frame borrows bits from those before it. A Vorbis stream
    sought in its last page comes out shifted (libsndfile #885): start from the page before.
    """
    if file.format == "MP3":
        return max(0, start - _MP3_PREROLL_FRAMES * _MP3_FRAME_SAMPLES)
    if file.subtype == "VORBIS":
        begin = containers.last_ogg_page_start(path) - _VORBIS_PREROLL
        if start >= begin:
            return max(0, begin)
    return start


def _decode(
    file: "soundfile.SoundFile", path: Path, start: int, stop: int, *, mono: bool
) -> Iterator[Float[np.ndarray, "_ channels"]]:
    """Blocks of frames ``start`` to ``stop`` at the file's own rate; with ``mono`` their mean over the channels, as one."""
    import soundfile

    at = _seek_point(file, path, start)
    try:
        if at:
            file.seek(at)
        while at < stop:
            wanted = min(_BLOCK_FRAMES, stop - at)
            x = file.read(wanted, dtype="float32", always_2d=True)
            if len(x) < wanted:
                x = _completed(file, path, x, missing=stop - at - len(x), of=stop - start)
            x, at = x[max(0, start - at) :], at + len(x)
            _check_finite(file, path, x, at - len(x))
            yield x.mean(axis=1, keepdims=True) if mono and x.shape[1] > 1 else x
    except soundfile.LibsndfileError as error:
        raise AudioError(
            path, f"is truncated or damaged ({opening.words(error)})", remedy=opening.FETCH_AGAIN
        ) from error


def _completed(
    file: "soundfile.SoundFile", path: Path, x: Float[np.ndarray, "_ channels"], *, missing: int, of: int
) -> Float[np.ndarray, "_ channels"]:
    """The last block with zeros for the frames that an MP3 encoder counted and did not write; more than those are an error."""
    if missing > (_MP3_FRAME_SAMPLES * (opening.MP3_SLACK_FRAMES + 1) if file.format == "MP3" else 0):
        raise AudioError(
            path,
            f"is truncated or damaged: {missing} of {of} frames could not be decoded",
            remedy=opening.FETCH_AGAIN,
        )
    return np.pad(x, ((0, missing), (0, 0)))


def _check_finite(
    file: "soundfile.SoundFile", path: Path, x: Float[np.ndarray, "_ channels"], start: int
) -> None:
    if not np.isfinite(x).all():
        first = start + int(np.argmin(np.isfinite(x).all(axis=1)))
        raise AudioError(
            path,
            f"has NaN or infinite samples (the first at {first / file.samplerate:.3f} s)",
            remedy="export it again from its source",
        )

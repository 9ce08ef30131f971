"""Opening an audio file: every check of its container that needs no decoding."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from mer_jax.audio import containers, mpeg, ogg
from mer_jax.checks import AudioError

if TYPE_CHECKING:
    import soundfile

FETCH_AGAIN = "copy or download the file again"
# Encoders disagree about counting the header frame and the flushed last one.
MP3_SLACK_FRAMES = 2
# libmpg123 finds the next frame over at most this many bytes of rubbish.
_MP3_RESYNC_BYTES = 1024
_MP3_BEGINNING_BYTES = 8192
_UNKNOWN_LENGTH = 1 << 40
_CONTAINERS = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS")


@contextmanager
def opened(path: Path, *, thorough: bool) -> Iterator["soundfile.SoundFile"]:
    """Open a file that has passed every check of its container: all of it if ``thorough``, else its two ends."""
    import soundfile

    source = _checked_source(path, thorough)
    try:
        file = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        codec = containers.wav_codec(_head(path))
        raise AudioError(path, f"cannot be decoded ({words(error)}{codec})", remedy=_convert(path)) from error
    except TypeError as error:  # soundfile asks for the rate of headerless files
        raise AudioError(path, "is raw samples without a header", remedy=_convert(path)) from error
    with file:
        if file.format == "RAW":
            raise AudioError(path, "is raw samples without a header", remedy=_convert(path))
        if file.frames >= _UNKNOWN_LENGTH:
            raise AudioError(path, "its header does not say how long it is", remedy=_convert(path))
        if file.frames <= 0 or file.samplerate <= 0:
            raise AudioError(path, "holds no samples", remedy=FETCH_AGAIN)
        yield file


def _checked_source(path: Path, thorough: bool) -> str | io.BytesIO:
    """What to hand to libsndfile: the file's name, or its bytes where their header had to be put right."""
    head = _head(path)
    if what := containers.other_audio(head):
        raise AudioError(path, f"is {what}, which cannot be decoded here", remedy=_convert(path))
    if what := containers.not_audio(head):
        raise AudioError(path, f"is not audio but {what}", remedy=FETCH_AGAIN)
    problem = containers.missing_end(path, head)
    if not problem and thorough and head[:4] == b"OggS":
        problem = ogg.fault(path.read_bytes())
    if problem:
        raise AudioError(path, problem, remedy=FETCH_AGAIN)
    if head[:4] in _CONTAINERS or not (path.suffix.lower() == ".mp3" or head[:1] == b"\xff"):
        return str(path)
    return _checked_mp3(path, head, thorough)


def words(error: "soundfile.LibsndfileError") -> str:
    """What libsndfile says is wrong, without its decoration."""
    return str(error.error_string).strip().removeprefix("Error : ").rstrip(".")


def _convert(path: Path) -> str:
    return f"convert it, for instance: ffmpeg -i {path.name} {path.stem}.flac"


def _head(path: Path) -> bytes:
    """The first bytes of a file that is there, readable and not empty."""
    if path.is_dir():
        raise AudioError(path, "is a folder", expected="an audio file", remedy="name a file in it")
    if path.exists() and not path.is_file():
        raise AudioError(path, "is not a regular file", expected="an audio file")
    try:
        with open(path, "rb") as file:
            head = file.read(containers.HEAD_BYTES)
    except FileNotFoundError as error:
        raise AudioError(path, "there is no such file", remedy=_nearest(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(
            path, f"cannot be read ({reason})", remedy="check the name and its permissions"
        ) from error
    if not head:
        raise AudioError(path, "is empty (0 bytes)", remedy=FETCH_AGAIN)
    return head


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either"
    near = get_close_matches(path.name, os.listdir(path.parent), n=1)
    return f"did you mean {near[0]!r}?" if near else "check the name"


def _checked_mp3(path: Path, head: bytes, thorough: bool) -> str | io.BytesIO:
    with open(path, "rb") as file:
        file.seek(mpeg.skip_id3(head))
        beginning = file.read(_MP3_BEGINNING_BYTES)
    if beginning[:4] in _CONTAINERS or (not thorough and mpeg.declares_length(beginning)):
        # libsndfile goes by the content, not by the tag or the name.
        return str(path)
    data = path.read_bytes()
    stream = mpeg.scan(data)
    if stream is None:
        raise AudioError(path, "holds no MP3 frames (MPEG audio, layer III)", remedy=_convert(path))
    if stream.declared is not None and stream.frames < stream.declared - MP3_SLACK_FRAMES:
        seconds = stream.samples_per_frame / stream.sr
        raise AudioError(
            path,
            f"is truncated: {stream.frames * seconds:.2f} s of the {stream.declared * seconds:.2f} s its header announces",
            remedy=FETCH_AGAIN,
        )
    offset, size = stream.gap
    if size > _MP3_RESYNC_BYTES:
        raise AudioError(
            path, f"is damaged: {size} bytes from byte {offset} are not MPEG audio", remedy=FETCH_AGAIN
        )
    return str(path) if stream.trusted else io.BytesIO(mpeg.with_length(data, stream))

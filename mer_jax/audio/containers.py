"""What the first and last bytes of an audio file say, before a decoder is asked.

libsndfile reads what is left of a cut WAV, AIFF or Ogg file without a word, and calls everything it does not know "Format not
recognised". The few bytes looked at here tell a cut file from a short one and name what the file really is.
"""

import os
import struct
from pathlib import Path

from mer_jax.audio import ogg

HEAD_BYTES = 64
# Offset, magic number, what it is: only formats that end up among music files.
_OTHER_AUDIO = (
    (4, b"ftyp", "an MP4/M4A container (AAC or ALAC)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (ASF)"),
    (0, b"\x1aE\xdf\xa3", "a Matroska/WebM container"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"DSD ", "DSD audio"),
    (0, b".RMF", "RealAudio"),
)
_NOT_AUDIO = (
    (0, b"MThd", "MIDI: notes, not sound"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"version https://git-lfs", "a Git LFS pointer"),
)
_TEXT = (b"<!doctype", b"<html", b"<?xml")
# Writers that cannot seek back leave these instead of a length.
_UNKNOWN_SIZES = range(0x7FFFF000, 0x1_0000_0000)
# Some writers put the size of the whole file, header included, where the size of the samples belongs.
_HEADER_SLACK_BYTES = 64


def other_audio(head: bytes) -> str | None:
    """The audio format that the first bytes of a file belong to, if it is one that libsndfile cannot decode."""
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "an AAC (ADTS) stream"
    return next((what for offset, magic, what in _OTHER_AUDIO if head.startswith(magic, offset)), None)


def not_audio(head: bytes) -> str | None:
    """What the first bytes of a file belong to, if that is known not to be audio."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_TEXT):
        return "a web page"
    return next((what for offset, magic, what in _NOT_AUDIO if head.startswith(magic, offset)), None)


def wav_codec(head: bytes) -> str:
    """The codec number of a WAV file in words, for a message; empty if ``head`` is not the start of one."""
    if head[:4] == b"RIFF" and head[12:16] == b"fmt ":
        return f", WAV codec 0x{struct.unpack_from('<H', head, 20)[0]:04x}"
    return ""


def missing_end(path: Path, head: bytes) -> str | None:
    """How the file contradicts its own container's length, in words; None if it does not (or the container has none)."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _short_chunk(path, b"data", "<4sI")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _short_chunk(path, b"SSND", ">4sI")
    if head[:4] == b"OggS":
        return ogg.tail_fault(_ogg_tail(path))
    return None


def _short_chunk(path: Path, wanted: bytes, layout: str) -> str | None:
    """Walk the chunks of a RIFF or IFF file to the one with the samples and compare its size with what is there."""
    size_on_disk = os.path.getsize(path)
    with open(path, "rb") as file:
        position = 12
        while position + 8 <= size_on_disk:
            file.seek(position)
            name, size = struct.unpack(layout, file.read(8))
            if name == wanted:
                present = size_on_disk - position - 8
                if size in _UNKNOWN_SIZES or size <= present + _HEADER_SLACK_BYTES:
                    return None
                return f"is truncated: {present} of the {size} bytes of samples that its header announces"
            position += 8 + size + size % 2
    return "is truncated: it ends before its samples begin"


def last_ogg_page_start(path: Path) -> int:
    """The frame at which the audio of the last page of an Ogg file begins."""
    return ogg.last_page_start(_ogg_tail(path))


def _ogg_tail(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 2 * ogg.MAX_PAGE_BYTES))
        return file.read()

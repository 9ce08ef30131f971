"""MP3 streams frame by frame: how much audio is really there.

An MP3 file has no length field. Encoders may put one into a first, silent frame (Xing/Info, or VBRI); decoders otherwise guess
from the file size and the first bit rate. libsndfile stops decoding at that guess, so a variable-bit-rate file without a header
loses its end (of one clip, 27 of 134 thousand samples were kept), and a truncated file with one claims audio that is not
there. Walking the frame headers (about 0.5 ms for 30 s) answers both.

Frame layout: ISO/IEC 11172-3 and 13818-3, layer III. Header frame: the Xing VBR specification and LAME's ``Info`` variant.
"""

import struct
from dataclasses import dataclass

_BIT_RATES_KBPS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES_HZ = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}
_VERSION_MPEG1 = 3
# What may follow the last frame: ID3v1, APEv2, Lyrics3 and padding.
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", bytes(16))
_CONFIRMING_FRAMES = 3
# What the synthesis filter bank adds to an encoder's delay, in samples.
_DECODER_DELAY = 529
# Enough of a frame to hold a length field wherever it may stand.
_HEADER_BYTES = 64


def _frame_sizes() -> list[int]:
    """Bytes in a layer III frame, indexed by the second and third header byte; 0 where they are not such a header."""
    sizes = [0] * 65536
    for second in range(0xE0, 0x100):
        version, layer = second >> 3 & 3, second >> 1 & 3
        if version == 1 or layer != 1:
            continue
        first_version = version == _VERSION_MPEG1
        for third in range(256):
            bit_rate, rate, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
            if bit_rate in (0, 15) or rate == 3:
                continue
            bits = _BIT_RATES_KBPS[1 if first_version else 2][bit_rate] * 1000
            slots = 144 if first_version else 72
            sizes[second << 8 | third] = slots * bits // _SAMPLE_RATES_HZ[version][rate] + padding
    return sizes


_SIZES = _frame_sizes()


@dataclass(frozen=True)
class Mpeg:
    """What walking the frames of an MP3 stream found.

    Attributes:
        start: offset of the first audio frame (past tags and the header frame), in bytes.
        frames: whole audio frames in the file.
        declared: audio frames that its header frame announces; None where there is no such frame.
        gap: (offset, bytes) of the largest stretch that is not MPEG audio, between frames; (0, 0) if there is none.
        samples_per_frame: 1152 (MPEG-1) or 576 (MPEG-2, 2.5).
        sr: in Hz.
        trusted: whether a decoder that believes the header frame (or its own guess) decodes everything.
    """

    start: int
    frames: int
    declared: int | None
    gap: tuple[int, int]
    samples_per_frame: int
    sr: int
    trusted: bool


def skip_id3(data: bytes) -> int:
    """Offset behind the ID3v2 tags at the start of ``data``."""
    position = 0
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        flags, size = data[position + 5], data[position + 6 : position + 10]
        position += (
            10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]) + (10 if flags & 0x10 else 0)
        )
    return position


def _size_at(data: bytes, position: int) -> int:
    """Size of the frame whose header stands at ``position``; 0 if none does."""
    if position + 4 > len(data) or data[position] != 0xFF:
        return 0
    return _SIZES[data[position + 1] << 8 | data[position + 2]]


def _next_frame(data: bytes, position: int) -> int:
    """Offset of the next frame that more frames of its kind follow (a lone header pattern is chance); -1 if there is none."""
    while (position := data.find(b"\xff", position)) >= 0:
        cursor, kind = position, data[position + 1 : position + 3]
        for _ in range(_CONFIRMING_FRAMES):
            size = _size_at(data, cursor)
            # Version and rate must agree; whether a frame carries a CRC (the lowest bit) may differ.
            same = (
                size and (data[cursor + 1] ^ kind[0]) & 0xFE == 0 and (data[cursor + 2] ^ kind[1]) & 0x0C == 0
            )
            if not same:
                break
            cursor += size
            if cursor >= len(data):
                return position
        else:
            return position
        position += 1
    return -1


def _side_info_bytes(data: bytes, position: int) -> int:
    mono = data[position + 3] >> 6 == 3
    if data[position + 1] >> 3 & 3 == _VERSION_MPEG1:
        return 17 if mono else 32
    return 9 if mono else 17


def _declared_frames(data: bytes, position: int) -> tuple[str, int | None] | None:
    """(tag, frames) of a header frame at ``position``; None if that frame is audio."""
    tag_at = position + 4 + _side_info_bytes(data, position)
    for at in (tag_at, tag_at + 2):  # two bytes further where the frame carries a CRC
        if data[at : at + 4] in (b"Xing", b"Info"):
            (flags,) = struct.unpack_from(">I", data, at + 4)
            return "Xing", struct.unpack_from(">I", data, at + 8)[0] if flags & 1 else None
    if data[position + 36 : position + 40] == b"VBRI":
        return "VBRI", struct.unpack_from(">I", data, position + 50)[0]
    return None


def declares_length(beginning: bytes) -> bool:
    """Whether the first frame in ``beginning`` (a few kB from behind the tags) is a header frame that decoders believe."""
    start = _next_frame(beginning, 0)
    header = _declared_frames(beginning, start) if 0 <= start <= len(beginning) - _HEADER_BYTES else None
    return header is not None and header[0] == "Xing" and bool(header[1])


def scan(data: bytes) -> Mpeg | None:
    """Walk the layer III frames of a whole file; None if there are none."""
    start = _next_frame(data, skip_id3(data))
    if start < 0:
        return None
    second, third = data[start + 1], data[start + 2]
    header = _declared_frames(data, start) if start <= len(data) - _HEADER_BYTES else None
    if header:
        start += _size_at(data, start)
    position, frames, gap = start, 0, (0, 0)
    while position + 4 <= len(data):
        size = _size_at(data, position)
        if size:
            if position + size > len(data):
                break
            frames += 1
            position += size
        elif data.startswith(_TRAILERS, position):
            break
        else:
            found = _next_frame(data, position + 1)
            if found < 0:
                break
            gap = max(gap, (position, found - position), key=lambda g: g[1])
            position = found
    declared = header[1] if header else None
    return Mpeg(
        start=start,
        frames=frames,
        declared=declared,
        gap=gap,
        samples_per_frame=1152 if second >> 3 & 3 == _VERSION_MPEG1 else 576,
        sr=_SAMPLE_RATES_HZ[second >> 3 & 3][third >> 2 & 3],
        trusted=header is not None
        and header[0] == "Xing"
        and declared is not None
        and frames <= declared + 2,
    )


def with_length(data: bytes, mpeg: Mpeg) -> bytes:
    """The audio frames of ``data`` behind a new header frame that states how many there are.

    Decoders drop the encoder's delay, which the header frame gives as well, and their own 529 samples; so that nothing of the
    audio goes, a silent frame is put before it, and just that is declared to be delay.
    """
    # The header of the first audio frame, without CRC and padding, at the bit rate of index 9 (128 or 80 kb/s): large enough
    # for the tag at every sampling rate.
    first = data[mpeg.start : mpeg.start + 4]
    header = bytes([0xFF, first[1] | 1, 0x90 | first[2] & 0x0C, first[3]])
    silence = header + bytes(_size_at(header, 0) - 4)
    frame = bytearray(silence)
    tag_at = 4 + _side_info_bytes(header, 0)
    struct.pack_into(">4sII9s", frame, tag_at, b"Xing", 1, mpeg.frames + 1, b"LAME3.100")
    delay, padding = mpeg.samples_per_frame - _DECODER_DELAY, _DECODER_DELAY
    frame[tag_at + 33 : tag_at + 36] = (delay << 12 | padding).to_bytes(3, "big")
    return bytes(frame) + silence + data[mpeg.start :]

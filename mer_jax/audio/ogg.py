"""Ogg streams page by page: whether all of them are there and whole.

A decoder drops a page whose checksum is wrong and takes the rest for the whole; libsndfile then even counts the frames anew.
The checksums are cheap to verify here (about 1 ms per MB), so a damaged file is refused rather than shortened.

Page layout and checksum: RFC 3533, section 6. The checksum is CRC-32 with the polynomial of zlib's, most significant bit first
and starting from 0; on bytes with their bits reversed it is zlib's, so zlib computes it.
"""

import struct
import zlib

MAX_PAGE_BYTES = 27 + 255 + 255 * 255
_MAGIC = b"OggS"
_END_OF_STREAM = 0x04
_NO_GRANULE = -1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(page: bytes) -> int:
    """CRC-32 of a page, its own checksum field taken as zero."""
    blank = page[:22] + bytes(4) + page[26:]
    reversed_crc = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_crc:032b}"[::-1], 2)


def _page_size(data: bytes, position: int) -> int | None:
    """Bytes of the page at ``position``; None if it is cut, 0 if there is no page."""
    if not data.startswith(_MAGIC, position):
        return 0
    if position + 27 > len(data):
        return None
    segments = data[position + 27 : position + 27 + data[position + 26]]
    size = 27 + data[position + 26] + sum(segments)
    return size if position + size <= len(data) else None


def fault(data: bytes) -> str | None:
    """What is wrong with a whole file, in words; None if every page is there and intact."""
    position = last = 0
    while position < len(data):
        size = _page_size(data, position)
        if size is None:
            return "is truncated: its last Ogg page is cut"
        if size == 0:
            if data.startswith(b"TAG", position):
                break  # an ID3v1 tag, which some programs append to anything
            return f"is damaged: no Ogg page where one should begin (byte {position})"
        page = data[position : position + size]
        if checksum(page) != struct.unpack_from("<I", page, 22)[0]:
            return f"is damaged: the checksum of the Ogg page at byte {position} is wrong"
        last, position = position, position + size
    if not data[last + 5] & _END_OF_STREAM:
        return "is truncated: its last Ogg page is not marked as the end"
    return None


def tail_fault(tail: bytes) -> str | None:
    """Like :func:`fault` from the last ``2 * MAX_PAGE_BYTES`` bytes alone: whether the file ends where the stream does."""
    last = tail.rfind(_MAGIC)
    size = _page_size(tail, last) if last >= 0 else None
    if not size:
        return "is truncated: its last Ogg page is cut"
    return (
        None
        if tail[last + 5] & _END_OF_STREAM
        else "is truncated: its last Ogg page is not marked as the end"
    )


def last_page_start(data: bytes) -> int:
    """The frame at which the last page's audio begins: the end position that the page before it states."""
    cursor = data.rfind(_MAGIC)
    while (cursor := data.rfind(_MAGIC, 0, cursor)) >= 0:
        (granule,) = struct.unpack_from("<q", data, cursor + 6)
        if granule != _NO_GRANULE:
            return max(0, granule)
    return 0

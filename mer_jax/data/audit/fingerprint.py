"""What a recording sounds like, in 129 bytes a second: 32 bits each 46 ms that survive re-encoding.

Each bit says whether the difference between two neighbouring bands grew or shrank since the frame before:

    bit m of frame n = [ (E(n, m) - E(n, m+1)) - (E(n-1, m) - E(n-1, m+1)) > 0 ]

with E the energy in 33 bands, equally wide in log frequency from 300 to 2000 Hz, under a Hann window of 0.37 s. Gain cancels,
and any encoder or sampling rate that is fit for music keeps these bands.

Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002. They take a frame every 11.6 ms; here one
in four of those is kept. Two copies are then out of step by up to 23 ms, which costs about 0.09 of the bits (measured), and the
store is a quarter as large.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft

from mer_jax._shapes import Bool, Float, Int, Num

RATE_HZ = 5512.5
"""Rate of the audio that is fingerprinted: an eighth of 44.1 kHz."""
WINDOW = 2048
HOP = 256
FRAMES_PER_S = RATE_HZ / HOP
NUM_BITS = 32
_LOW_HZ, _HIGH_HZ = 300.0, 2000.0
# A frame 60 dB below the loudest of its clip says nothing that a re-encoding would keep; nor does one below -100 dB full scale.
_QUIET = 1e-6
_SILENT = (10 ** (-100 / 20) * WINDOW / 4) ** 2
_BLOCK = 1024  # frames that are transformed at a time: 16 MiB

_EDGES = np.rint(np.geomspace(_LOW_HZ, _HIGH_HZ, NUM_BITS + 2) * WINDOW / RATE_HZ).astype(int)
_HANN = np.hanning(WINDOW).astype(np.float32)


@dataclass(frozen=True)
class Fingerprint:
    """A clip's bits.

    Attributes:
        bits: shape (frames,), uint32: bit 31 is the lowest pair of bands. Frame n is the change between the windows that start
            at samples ``n * HOP`` and ``(n + 1) * HOP``.
        sounding: shape (frames,): False where the clip is too quiet for the bits to mean anything.
        weakest: shape (frames,), uint8: the bit that was decided by least, 0..31; the first that an encoder would turn over.
    """

    bits: Num[np.ndarray, "frames"]
    sounding: Bool[np.ndarray, "frames"]
    weakest: Num[np.ndarray, "frames"]

    def __len__(self) -> int:
        return len(self.bits)


def fingerprint(y: Float[np.ndarray, "samples"]) -> Fingerprint:
    """Fingerprint a clip.

    Args:
        y: float32 samples at :data:`RATE_HZ`.

    Returns:
        ``(samples - WINDOW) // HOP`` frames; none for a clip under 0.42 s.
    """
    energies = band_energies(y)
    if len(energies) < 2:
        return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, bool), np.zeros(0, np.uint8))
    between_bands = energies[:, :-1] - energies[:, 1:]
    change = between_bands[1:] - between_bands[:-1]
    bits = np.packbits(change > 0, axis=1).view(">u4").astype(np.uint32).ravel()
    loudness = energies.sum(axis=1)
    loud = loudness > max(_SILENT, _QUIET * float(loudness.max()))
    weakest = (NUM_BITS - 1 - np.abs(change).argmin(axis=1)).astype(np.uint8)
    return Fingerprint(bits, loud[1:] & loud[:-1], weakest)


def band_energies(y: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "windows bands"]:
    """Energy in each of the 33 bands, for each window that fits into ``y`` whole."""
    if len(y) < WINDOW:
        return np.zeros((0, NUM_BITS + 1), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(y, WINDOW)[::HOP]
    found = []
    for begin in range(0, len(windows), _BLOCK):
        spectrum = scipy.fft.rfft(windows[begin : begin + _BLOCK] * _HANN, axis=1)[:, : _EDGES[-1]]
        power = spectrum.real**2 + spectrum.imag**2
        found.append(np.add.reduceat(power, _EDGES[:-1], axis=1))
    return np.concatenate(found)


class Store:
    """The fingerprints of many clips, one after another in one array.

    Attributes:
        bits: shape (positions,), uint32.
        sounding: shape (positions,).
        weakest: shape (positions,), uint8.
        starts: shape (clips + 1,): where each clip begins; the last entry is the number of positions.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self.starts = np.cumsum([0, *(len(f) for f in fingerprints)], dtype=np.int64)
        self.bits = np.concatenate([np.zeros(0, np.uint32), *(f.bits for f in fingerprints)])
        self.sounding = np.concatenate([np.zeros(0, bool), *(f.sounding for f in fingerprints)])
        self.weakest = np.concatenate([np.zeros(0, np.uint8), *(f.weakest for f in fingerprints)])

    def clips(self, positions: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
        """The clip that each position belongs to."""
        return np.searchsorted(self.starts, positions, side="right") - 1


def bit_error_rate(
    store: Store, first: Int[np.ndarray, "n"], second: Int[np.ndarray, "n"], length: int
) -> Float[np.ndarray, "n"]:
    """Share of differing bits in the ``length`` frames from each position of ``first`` and of ``second``.

    Frames count where both clips sound; the rate is 1 where those are fewer than half.
    """
    steps = np.arange(length)
    rates = []
    for begin in range(0, len(first), _BLOCK):
        a = first[begin : begin + _BLOCK, None] + steps
        b = second[begin : begin + _BLOCK, None] + steps
        counted = store.sounding[a] & store.sounding[b]
        differing = (np.bitwise_count(store.bits[a] ^ store.bits[b]) * counted).sum(axis=1, dtype=np.int64)
        frames = counted.sum(axis=1)
        rates.append(np.where(2 * frames >= length, differing / (NUM_BITS * np.maximum(frames, 1)), 1.0))
    return np.concatenate([np.zeros(0), *rates])

"""Which clips of a large set share a passage, without comparing every pair.

Two copies of a recording have some frames whose 32 bits are all equal, at one distance in time; more of them if the bit that
was decided by least may have turned over in either. So each frame is entered twice, as it is and with that bit turned over, and
the entries are sorted by their bits; neighbours with equal bits are candidates; each is decided by the bit error rate of the
three seconds around it. The cost grows with the number of frames, not of pairs of clips.

Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002, who look up equal bits in a table, turn
over those that are least reliable, and then compare a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mer_jax._shapes import Int, Num
from mer_jax.data.audit.fingerprint import FRAMES_PER_S, NUM_BITS, Store, bit_error_rate

SHORTEST_S = 3.0
"""What two clips must have in common to be found: the block that Haitsma and Kalker decide by."""
SHORTEST = round(SHORTEST_S * FRAMES_PER_S)
MAX_BIT_ERROR_RATE = 0.3
"""Over the shortest passage; unrelated music has 0.50 +- 0.02. See docs/audit.md."""
# An entry meets this many of the next ones with the same bits. That is all of them but for digital silence and drones, whose
# cost it bounds; a recording that is there more often is linked from copy to next copy.
_NEIGHBOURS = 16
_ENTRIES_AT_ONCE = 1 << 22
# Bits may be equal one frame beside the best alignment. There the error rate is higher by up to 0.15: five standard deviations
# below chance still.
_NEARLY = 0.4


@dataclass(frozen=True)
class Passage:
    """A stretch that two clips have in common.

    Attributes:
        first, second: the clips, ``first < second``.
        first_frame, second_frame: where it begins in each.
        frames: how long it is.
        bit_error_rate: share of differing bits in it.
    """

    first: int
    second: int
    first_frame: int
    second_frame: int
    frames: int
    bit_error_rate: float


def common_passages(store: Store) -> list[Passage]:
    """The best passage of each two clips that have one of at least :data:`SHORTEST_S` in common, in order of the clips."""
    hits = np.concatenate(
        [np.zeros((0, 3), np.int64), *(_close(store, *pair) for pair in _equal_bits(store))]
    )
    alignments = np.unique(np.concatenate([hits + np.array([0, 0, step]) for step in (-1, 0, 1)]), axis=0)

    def score(passage: Passage) -> float:
        return passage.frames * (MAX_BIT_ERROR_RATE - passage.bit_error_rate)

    best_of: dict[tuple[int, int], Passage] = {}
    for first, second, shift in alignments.tolist():
        found = passage_at(store, first, second, shift)
        best = best_of.get((first, second))
        if found and (best is None or score(found) > score(best)):
            best_of[first, second] = found
    return list(best_of.values())


def passage_at(store: Store, first: int, second: int, shift: int) -> Passage | None:
    """The passage in common when frame t of ``first`` lies on frame ``t + shift`` of ``second``.

    It is the stretch with the largest sum of (:data:`MAX_BIT_ERROR_RATE` - bit error rate of the frame) over the frames in
    which both sound: frames of a copy add to it, those of other music take away. None if it is shorter than
    :data:`SHORTEST_S`.
    """
    begin = max(0, -shift)
    lengths = np.diff(store.starts)[[first, second]]
    overlap = int(min(lengths[0], lengths[1] - shift)) - begin
    if overlap < SHORTEST:
        return None
    a = int(store.starts[first]) + begin
    b = int(store.starts[second]) + begin + shift
    counted = store.sounding[a : a + overlap] & store.sounding[b : b + overlap]
    differing = np.bitwise_count(store.bits[a : a + overlap] ^ store.bits[b : b + overlap]) * counted
    scores = np.cumsum(np.concatenate([[0.0], MAX_BIT_ERROR_RATE * counted - differing / NUM_BITS]))
    lowest = np.minimum.accumulate(scores)
    stop = int((scores - lowest).argmax())
    start = int(scores[: stop + 1].argmin())
    frames = int(counted[start:stop].sum())
    if frames < SHORTEST:
        return None
    rate = float(differing[start:stop].sum()) / (NUM_BITS * frames)
    return Passage(first, second, begin + start, begin + start + shift, stop - start, rate)


def _equal_bits(store: Store) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of frames with equal bits in different clips, the earlier clip first, some at a time."""
    parts = max(1, -(-2 * len(store.bits) // _ENTRIES_AT_ONCE))
    for part in range(parts):
        positions, bits = _entries(store, part, parts)
        clips = store.clips(positions)
        for step in range(1, min(_NEIGHBOURS, len(bits) - 1) + 1):
            met = np.flatnonzero((bits[step:] == bits[:-step]) & (clips[step:] != clips[:-step]))
            if len(met):
                yield positions[met], positions[met + step]


def _entries(
    store: Store, part: int, parts: int
) -> tuple[Int[np.ndarray, "entries"], Num[np.ndarray, "entries"]]:
    """Positions and bits of the entries that belong to one part, in order of bits, then positions; equal bits belong to one."""
    positions, entered = [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)]
    for begin in range(0, len(store.bits), _ENTRIES_AT_ONCE):
        block = slice(begin, begin + _ENTRIES_AT_ONCE)
        turned = store.bits[block] ^ (np.uint32(1) << store.weakest[block].astype(np.uint32))
        for bits in (store.bits[block], turned):
            # Fibonacci hashing spreads the bits over the parts evenly, however they are distributed.
            hashed = (bits * np.uint32(2654435769)) >> np.uint32(8)
            chosen = np.flatnonzero(store.sounding[block] & (hashed % np.uint32(parts) == part))
            positions.append(begin + chosen)
            entered.append(bits[chosen])
    where, what = np.concatenate(positions), np.concatenate(entered)
    order = np.lexsort((where, what))
    return where[order], what[order]


def _close(store: Store, first: np.ndarray, second: np.ndarray) -> Int[np.ndarray, "hits 3"]:
    """Of pairs of positions, those with three seconds around them alike: (clip, clip, shift) of each."""
    a, b = store.clips(first), store.clips(second)
    # The window is centred on the hit, but moved to lie inside both clips.
    back = np.minimum(first - store.starts[a], second - store.starts[b])
    forth = np.minimum(store.starts[a + 1] - first, store.starts[b + 1] - second)
    fits = back + forth >= SHORTEST
    first, second, a, b, back, forth = (x[fits] for x in (first, second, a, b, back, forth))
    before = np.clip(SHORTEST // 2, SHORTEST - forth, back)
    rates = bit_error_rate(store, first - before, second - before, SHORTEST)
    shift = (second - store.starts[b]) - (first - store.starts[a])
    return np.stack([a, b, shift], axis=1)[rates <= _NEARLY]

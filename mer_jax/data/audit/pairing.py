"""From passages in common to recordings: the waveforms decide whether it is the same recording or the same music again.

Two encodings of one recording have nearly equal waveforms once aligned. A repeated chorus, a loop, another performance of the
same notes or another transcription has equal bits, but not an equal waveform.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft

from mer_jax._shapes import Float
from mer_jax.data import files
from mer_jax.data.audit.fingerprint import FRAMES_PER_S, HOP, RATE_HZ, WINDOW, Store
from mer_jax.data.audit.index import SHORTEST, Passage, common_passages
from mer_jax.data.audit.listening import Heard, at_fingerprint_rate
from mer_jax.data.catalog import Catalog

MIN_CORRELATION = 0.9
"""Of the waveforms of one recording; see docs/audit.md for what re-encodings and repeats reach."""
_LONGEST_S = (
    30  # of the waveforms that are compared; enough, and two clocks that differ by 10 ppm stay together
)
_FINER = 4  # lags are looked for at this multiple of the rate


@dataclass(frozen=True)
class Match:
    """Two clips that share a passage.

    Attributes:
        first, second: clips, numbered through all data sets of the audit.
        first_s, second_s: where the passage begins in each, in seconds.
        duration_s: its length.
        bit_error_rate: share of differing fingerprint bits in it.
        correlation: of the aligned waveforms, -1..1; negative where one is inverted.
    """

    first: int
    second: int
    first_s: float
    second_s: float
    duration_s: float
    bit_error_rate: float
    correlation: float

    @property
    def same_recording(self) -> bool:
        """Whether the waveforms are one recording's."""
        return abs(self.correlation) >= MIN_CORRELATION


def is_comparable(item: Heard | str) -> bool:
    """Whether a clip could be decoded, and sounds for long enough to be found in another."""
    return isinstance(item, Heard) and int(item.fingerprint.sounding.sum()) >= SHORTEST


def matches(
    catalogs: Sequence[Catalog],
    heard: Sequence[Sequence[Heard | str]],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Match]:
    """All pairs of clips that share a passage of at least :data:`.index.SHORTEST_S`, inside and across data sets.

    Args:
        catalogs: one data set or more; their rows are numbered on.
        heard: what :func:`.listening.listen` returned for each.
        progress: called with (pairs compared, pairs in all).
    """
    places = [(catalog, row) for catalog in catalogs for row in range(len(catalog))]
    everything = [item for of_one in heard for item in of_one]
    audible = [number for number, item in enumerate(everything) if isinstance(item, Heard)]
    store = Store([item.fingerprint for item in everything if isinstance(item, Heard)])
    passages = common_passages(store)

    def compare(passage: Passage) -> Match:
        numbers = audible[passage.first], audible[passage.second]
        pieces = []
        for number, frame in zip(numbers, (passage.first_frame, passage.second_frame), strict=True):
            begin, length = frame * HOP, passage.frames * HOP + WINDOW
            pieces.append(at_fingerprint_rate(*places[number])[begin : begin + length])
        correlation, lag = correlate(*(_middle(piece) for piece in pieces))
        return Match(
            first=numbers[0],
            second=numbers[1],
            first_s=passage.first_frame / FRAMES_PER_S,
            second_s=passage.second_frame / FRAMES_PER_S + lag / RATE_HZ,
            duration_s=passage.frames / FRAMES_PER_S,
            bit_error_rate=passage.bit_error_rate,
            correlation=correlation,
        )

    found = []
    for match in files.ordered_map(compare, passages, threads=files.num_threads()):
        found.append(match)
        if progress:
            progress(len(found), len(passages))
    return found


def correlate(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "m"]) -> tuple[float, float]:
    """Normalised correlation of two waveforms at the lag, within 93 ms, where its magnitude is largest.

    Returns:
        The correlation, -1..1, and the lag in samples: ``y[t + lag]`` lies on ``x[t]``. Lags are quarters of a sample: half a
        sample beside, 2 kHz are out of phase already.
    """
    length = min(len(x), len(y))
    x, y = x[:length] - x[:length].mean(), y[:length] - y[:length].mean()
    reach = 2 * HOP
    size = scipy.fft.next_fast_len(length + reach, real=True)
    cross = np.conj(scipy.fft.rfft(x, size)) * scipy.fft.rfft(y, size)
    product = scipy.fft.irfft(cross, _FINER * size) * _FINER
    lags = np.arange(-_FINER * reach, _FINER * reach + 1)
    best = lags[np.abs(product[lags]).argmax()]
    whole = round(best / _FINER)
    overlapping_x = x[max(0, -whole) : length - max(0, whole)]
    overlapping_y = y[max(0, whole) : length - max(0, -whole)]
    energy = float(np.sqrt((overlapping_x @ overlapping_x) * (overlapping_y @ overlapping_y)))
    return (float(np.clip(product[best] / energy, -1, 1)) if energy else 0.0), float(best) / _FINER


def groups_of_copies(found: Sequence[Match]) -> list[tuple[int, ...]]:
    """Clips that are one recording: what same-recording matches link, directly or through others; sorted."""
    parent: dict[int, int] = {}

    def root(clip: int) -> int:
        while parent.setdefault(clip, clip) != clip:
            parent[clip] = clip = parent[parent[clip]]
        return clip

    for match in found:
        if match.same_recording:
            parent[root(match.second)] = root(match.first)
    members: dict[int, list[int]] = {}
    for clip in sorted(parent):
        members.setdefault(root(clip), []).append(clip)
    return sorted(tuple(clips) for clips in members.values())


def _middle(piece: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "longest"]:
    longest = int(_LONGEST_S * RATE_HZ)
    begin = max(0, (len(piece) - longest) // 2)
    return piece[begin : begin + longest]

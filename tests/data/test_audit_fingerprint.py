"""Fingerprints against their definition, and the index against comparing everything with everything."""

from itertools import pairwise

import numpy as np
import pytest
from audit_sets import SR, music

from mer_jax.data.audit.fingerprint import HOP, RATE_HZ, WINDOW, Fingerprint, Store, fingerprint
from mer_jax.data.audit.index import MAX_BIT_ERROR_RATE, SHORTEST, common_passages
from mer_jax.data.audit.pairing import correlate


def defined(y: np.ndarray, frame: int) -> tuple[list[bool], np.ndarray]:
    """The bits of one frame as Haitsma and Kalker define them, in float64 and loops; and how clear each is."""
    energies = []
    for start in (frame * HOP, (frame + 1) * HOP):
        windowed = y[start : start + WINDOW].astype(np.float64) * np.hanning(WINDOW)
        power = np.abs(np.fft.fft(windowed)) ** 2
        edges = [round(300 * (2000 / 300) ** (band / 33) * WINDOW / RATE_HZ) for band in range(34)]
        energies.append([power[low:high].sum() for low, high in pairwise(edges)])
    before, after = energies
    changes = [(after[m] - after[m + 1]) - (before[m] - before[m + 1]) for m in range(32)]
    return [change > 0 for change in changes], np.abs(changes) / max(after)


def test_bits_are_those_of_the_definition(rng):
    y = np.cumsum(rng.normal(size=12000)).astype(np.float32) * 0.01
    found = fingerprint(y)
    assert len(found) == (12000 - WINDOW) // HOP
    for frame in range(len(found)):
        bits, clear = defined(y, frame)
        ours = [bool(found.bits[frame] >> np.uint32(31 - m) & np.uint32(1)) for m in range(32)]
        # Float32 spectra are right to about 1e-6 of the strongest band; a sign nearer to 0 than that may differ.
        assert all(a == b for a, b, c in zip(ours, bits, clear, strict=True) if c > 1e-5)
        assert (clear > 1e-5).mean() > 0.5
        assert clear[31 - found.weakest[frame]] <= clear.min() + 1e-5


def test_gain_and_polarity_leave_the_bits(rng):
    y = rng.normal(size=8192).astype(np.float32) * 0.1
    for gain in (0.25, 2.0, -1.0):  # powers of two, exact in float32
        np.testing.assert_array_equal(fingerprint(gain * y).bits, fingerprint(y).bits)


def test_silence_counts_for_nothing():
    y = np.zeros(16384, np.float32)
    assert not fingerprint(y).sounding.any()
    y[12000:] = 0.1 * np.sin(np.arange(4384))
    sounding = fingerprint(y).sounding
    assert not sounding[: (12000 - WINDOW) // HOP - 1].any()
    assert sounding[-5:].all()
    silent = Store([fingerprint(np.zeros(40000, np.float32))] * 3)
    assert common_passages(silent) == []


@pytest.mark.parametrize("samples", [0, 100, WINDOW, WINDOW + HOP - 1])
def test_a_clip_that_is_too_short_has_no_frames(samples):
    assert len(fingerprint(np.ones(samples, np.float32))) == 0


def of_bits(bits: np.ndarray) -> Fingerprint:
    """A fingerprint that sounds throughout, with bit 7 the weakest."""
    return Fingerprint(bits, np.ones(len(bits), bool), np.full(len(bits), 7, np.uint8))


def noisy(bits: np.ndarray, share: float, rng) -> np.ndarray:
    flipped = np.packbits(rng.random((len(bits), 32)) < share, axis=1).view(">u4").ravel().astype(np.uint32)
    return bits ^ flipped


def unpacked(fingerprint: Fingerprint) -> np.ndarray:
    return np.unpackbits(fingerprint.bits.astype(">u4").view(np.uint8)).reshape(-1, 32)


def everything_with_everything(prints: list[Fingerprint]) -> dict[tuple[int, int], int]:
    """Pairs with a passage of 65 frames that differs in at most 0.3 of the bits, and at which shift it fits best."""
    found = {}
    for a in range(len(prints)):
        for b in range(a + 1, len(prints)):
            x, y = unpacked(prints[a]), unpacked(prints[b])
            best = (1.0, 0)
            for shift in range(SHORTEST - len(x), len(y) - SHORTEST + 1):
                begin = max(0, -shift)
                stop = min(len(x), len(y) - shift)
                errors = (x[begin:stop] != y[begin + shift : stop + shift]).mean(axis=1)
                rates = np.convolve(errors, np.ones(SHORTEST) / SHORTEST, mode="valid")
                best = min(best, (rates.min(), shift))
            if best[0] <= MAX_BIT_ERROR_RATE:
                found[a, b] = best[1]
    return found


def test_the_index_finds_what_comparing_everything_finds(rng):
    """Random bits, planted copies: whole, shifted, excerpts, with 4 % of the bits wrong."""
    prints = [rng.integers(0, 2**32, 150, dtype=np.uint32) for _ in range(8)]
    planted = [(0, 0, 150), (1, 30, 150), (2, 0, 100), (3, 60, 140), (0, 20, 110)]
    prints += [noisy(prints[clip][begin:stop], 0.04, rng) for clip, begin, stop in planted]
    prints.append(np.concatenate([prints[4][:80], prints[5][70:]]))  # one half of each of two clips
    fingerprints = [of_bits(bits) for bits in prints]
    reference = everything_with_everything(fingerprints)
    found = {(p.first, p.second): p for p in common_passages(Store(fingerprints))}
    # Clip 8 and clip 12 are copies of one clip, too.
    assert set(reference) == {(0, 8), (1, 9), (2, 10), (3, 11), (0, 12), (8, 12), (4, 13), (5, 13)}
    assert set(found) == set(reference)
    for pair, passage in found.items():
        assert passage.second_frame - passage.first_frame == reference[pair]
        assert 0.0 <= passage.bit_error_rate < 0.1
    assert found[4, 13].frames == pytest.approx(80, abs=2)
    assert (found[1, 9].first_frame, found[1, 9].second_frame, found[1, 9].frames) == (30, 0, 120)


def test_frames_that_differ_in_their_weakest_bit_meet(rng):
    """Copies without one frame in common: bit 7 is turned over in all frames of one; and bit 8, which is not weak."""
    bits = rng.integers(0, 2**32, 150, dtype=np.uint32)
    for turned, found in ((7, 1), (8, 0)):
        other = bits ^ np.uint32(1 << turned)
        assert len(common_passages(Store([of_bits(bits), of_bits(other)]))) == found


def test_parts_of_the_index_together_are_the_whole(rng, monkeypatch):
    from mer_jax.data.audit import index

    prints = [rng.integers(0, 2**32, 150, dtype=np.uint32) for _ in range(6)]
    prints += [noisy(bits, 0.1, rng) for bits in prints]
    store = Store([of_bits(bits) for bits in prints])
    whole = common_passages(store)
    monkeypatch.setattr(index, "_ENTRIES_AT_ONCE", 300)
    assert len(whole) == 6
    assert common_passages(store) == whole


def test_a_recording_that_is_there_many_times_is_linked(rng):
    """More copies than an entry meets: neighbours link them all."""
    one = rng.integers(0, 2**32, 100, dtype=np.uint32)
    store = Store([of_bits(noisy(one, 0.02, rng)) for _ in range(40)])
    linked = {0}
    for passage in common_passages(store):
        if passage.first in linked:
            linked.add(passage.second)
    assert linked == set(range(40))


def delayed(y: np.ndarray, samples: float) -> np.ndarray:
    """A circular delay by any number of samples."""
    spectrum = np.fft.rfft(y) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(y)) * samples)
    return np.fft.irfft(spectrum, len(y)).astype(np.float32)


@pytest.mark.parametrize("samples", [0.0, 3.25, -200.5])
@pytest.mark.parametrize("gain", [0.5, -2.0])
def test_correlation_finds_delay_and_sign(samples, gain, rng):
    y = np.convolve(rng.normal(size=6000), np.hanning(8), mode="same").astype(np.float32)  # low-pass
    y[:600] = y[-600:] = 0  # so that a circular delay is a delay
    correlation, lag = correlate(y, gain * delayed(y, samples))
    assert lag == samples
    assert correlation == pytest.approx(np.sign(gain), abs=0.01)


def test_correlation_of_different_music_is_low():
    import soxr

    one, other = (soxr.resample(music(number), SR, RATE_HZ) for number in (0, 1))
    assert abs(correlate(one, other)[0]) < 0.5
    assert correlate(one, np.zeros_like(one))[0] == 0

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_sets import SeekableTones, Tones, tones_catalog

from mer_jax.checks import ArgumentError
from mer_jax.data import memory, pages


def test_16_bits_and_back():
    y = np.array([0, 1 / 32768, -1, 32767 / 32768, 0.4 / 32768], np.float32)
    np.testing.assert_array_equal(memory.to_float32(memory.to_int16(y)), [0, 1 / 32768, -1, 32767 / 32768, 0])
    np.testing.assert_array_equal(memory.to_int16(np.array([1.5, -1.5], np.float32)), [32767, -32768])
    every = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(memory.to_int16(memory.to_float32(every)), every)


@pytest.mark.parametrize("durations", [True, False])
def test_decodes_each_clip_once(durations):
    source = Tones([100, 200, 300])
    catalog = memory.in_memory(tones_catalog(source, durations=durations))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(catalog.source.clip, [0, 1, 2]))
    for row in (2, 0, 1):
        np.testing.assert_allclose(catalog.source[row], Tones([100, 200, 300])[row], atol=2**-16)
        assert catalog.source.length(row) == source.lengths[row]
        np.testing.assert_array_equal(catalog.source.stretch(row, 50, 60), catalog.source.clip(row)[50:110])
    assert source.renderings == [1, 1, 1]
    assert catalog.source.used_bytes == 2 * 600


def test_nothing_is_kept_where_all_does_not_fit():
    source = SeekableTones([100, 200, 300])
    kept = memory.in_memory(tones_catalog(source), budget_bytes=1199).source
    np.testing.assert_allclose(kept[1], source[1], atol=2**-16)
    np.testing.assert_array_equal(kept.stretch(2, 250, 100), kept.clip(2)[250:])
    assert (kept.used_bytes, source.excerpts) == (0, 1)


def test_stretches_of_what_cannot_be_sought():
    source = Tones([100, 200])
    kept = memory.in_memory(tones_catalog(source), budget_bytes=0).source
    np.testing.assert_array_equal(kept.stretch(1, 20, 30), memory.to_int16(source[1])[20:50])


def test_budget_is_kept_where_durations_are_unknown():
    source = Tones([100, 200, 300])
    kept = memory.in_memory(tones_catalog(source, durations=False), budget_bytes=700).source
    for _ in range(2):
        for row in range(3):
            assert kept.clip(row).size == source.lengths[row]
    assert kept.used_bytes == 600
    assert source.renderings == [1, 1, 2]


def test_memory_is_shared_not_nested():
    catalog = memory.in_memory(tones_catalog(Tones([100])))
    assert memory.in_memory(catalog, budget_bytes=1) is catalog
    with pytest.raises(ArgumentError):
        memory.in_memory(catalog, budget_bytes=-1)


def test_kept_clips_cannot_be_written_to():
    clip = memory.in_memory(tones_catalog(Tones([100]))).source.clip(0)
    with pytest.raises(ValueError, match="read-only"):
        clip[0] = 1


def test_a_length_is_counted_where_the_clip_is_decoded():
    source = Tones([100])
    catalog = tones_catalog(source)
    source.lengths[0] = 90  # shorter than the header said
    assert memory.in_memory(catalog).source.length(0) == 90


@pytest.mark.parametrize("budget", [1 << 20, 100])
def test_all_clips_in_pages(budget):
    source = Tones([100, pages.PAGE, pages.PAGE + 1, 300])
    kept = memory.in_memory(tones_catalog(source), budget_bytes=budget).source
    kept.clip(1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kept.in_pages(5000, threads=2), range(4)))
    values, firsts, lengths = found[0]
    assert all(one is found[0] for one in found), "it is made once"
    assert (values.dtype, values.shape) == (np.int16, (5 + pages.touched(5000), pages.PAGE))
    assert (firsts.tolist(), lengths.tolist()) == ([0, 1, 2, 4], source.lengths)
    assert pages.bytes_needed(source.lengths, 5000) == values.nbytes == kept.used_bytes
    assert values.ctypes.data % 64 == 0, "a CPU device takes it over as it is"
    samples = values.reshape(-1)
    for row, (first, length) in enumerate(zip(firsts, lengths, strict=True)):
        clip = samples[first * pages.PAGE :][:length]
        np.testing.assert_array_equal(clip, memory.to_int16(Tones(source.lengths)[row]))
        np.testing.assert_array_equal(kept.stretch(row, 50, 60), clip[50:110])
        assert np.shares_memory(kept.clip(row), values), "and held once"
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0] = 1
    assert source.renderings[0] == source.renderings[2] == 1
    assert len(kept.in_pages(10_000).values) == 5 + pages.touched(10_000)
    assert source.renderings[0] == 1

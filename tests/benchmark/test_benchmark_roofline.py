import jax
import numpy as np
import pytest

from mer_jax.benchmark.roofline import Ceilings, bound, measure_ceilings, rfft_flops
from mer_jax.benchmark.signals import render_batch, render_clip
from mer_jax.checks import ArgumentError

CPU = Ceilings(bandwidth_gb_s=10.0, fft_gflop_s=5.0, matmul_gflop_s=None)


def test_without_ffts_the_bytes_bind():
    limit = bound(2_000_000_000, (), CPU)
    assert (limit.seconds, limit.kind) == (0.2, "bytes")


def test_the_larger_time_binds():
    # 2.5 * 2048 * 11 = 56,320 operations; 1e6 of them at 5 GFLOP/s take 11.264 s.
    limit = bound(2_000_000_000, ((2048, 1_000_000),), CPU)
    assert limit.kind == "fft"
    assert limit.seconds == pytest.approx(11.264)


def test_an_accelerator_is_held_to_its_arithmetic_not_to_its_fft():
    gpu = Ceilings(bandwidth_gb_s=1000.0, fft_gflop_s=1.0, matmul_gflop_s=50_000.0)
    limit = bound(2_000_000_000, ((2048, 1_000_000),), gpu)
    assert (limit.seconds, limit.kind) == (0.002, "bytes")


def test_operation_count_of_a_small_fft():
    assert rfft_flops(8) == 60.0


def test_measured_ceilings_are_possible_rates():
    ceilings = measure_ceilings(mebibytes=16)
    assert 0.5 < ceilings.bandwidth_gb_s < 20_000
    assert 0.1 < ceilings.fft_gflop_s < 100_000
    assert (ceilings.matmul_gflop_s is None) == (jax.default_backend() == "cpu")


def test_clips_are_loud_seeded_and_different():
    batch = render_batch(10, 4000)
    assert batch.shape == (10, 4000)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, render_batch(10, 4000))
    assert len({clip.tobytes() for clip in batch}) == 10
    assert np.abs(batch).max() == pytest.approx(0.9)
    assert np.all(np.sqrt(np.mean(batch**2, axis=1)) > 0.05), "no clip is near silence"


def test_a_clip_is_tonal_with_a_noise_floor():
    power = np.abs(np.fft.rfft(render_clip(44100, seed=3))) ** 2
    assert power.max() > 1e3 * np.median(power)
    assert power.min() > 0


def test_an_empty_batch_is_refused():
    with pytest.raises(ArgumentError):
        render_batch(0, 100)

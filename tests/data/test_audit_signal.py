"""Levels of single clips, and what is reported of them."""

import numpy as np
import pytest
import soundfile
from audit_sets import Arrays, catalog, files_catalog

from mer_jax import audio
from mer_jax.data.audit import listening
from mer_jax.data.audit.findings import Log
from mer_jax.data.audit.fingerprint import RATE_HZ
from mer_jax.data.audit.levels import LevelMeter, Levels
from mer_jax.data.audit.signal_checks import check_signal

SR = 8000


def levels(y: np.ndarray, *, block: int | None = None) -> Levels:
    meter = LevelMeter(SR)
    y = np.atleast_2d(y).astype(np.float32)
    for begin in range(0, y.shape[1], block or y.shape[1]):
        meter.add(y[:, begin : begin + (block or y.shape[1])])
    return meter.result()


def sine(seconds: float, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SR)) / SR)


def test_silence_at_both_ends():
    y = np.concatenate([np.zeros(SR), sine(1.0), 5e-4 * np.ones(2 * SR)])  # -66 dB is silence
    for block in (None, 1200, 4000):  # whole frames of 50 ms: 400 samples
        found = levels(y, block=block)
        assert (found.silent_start_s, found.silent_end_s) == (1.0, 2.0)
        assert not found.silent
    assert found.duration_s == 4.0


def test_a_silent_clip():
    found = levels(np.zeros(SR))
    assert found.silent
    assert found.silent_start_s == found.silent_end_s == found.duration_s == 1.0


def test_clipping_counts_runs_only():
    y = sine(1.0)
    y[100] = 1.0  # a peak
    y[200:202] = -1.0  # two
    y[300:310] = 1.0
    y[400:405] = -32768 / 32768
    assert levels(y).clipped_share == 15 / SR
    assert levels(np.stack([y, 0 * y])).clipped_share == 15 / (2 * SR)
    assert levels(0.99 * y).clipped_share == 0
    # Overdriven by 12 dB, a sine is at full scale while |sin| > 1/4.
    assert levels(np.clip(4 * sine(1.0, 1.0), -1, 1)).clipped_share == pytest.approx(
        1 - 2 / np.pi * np.arcsin(0.25), abs=0.01
    )


def test_a_full_scale_sine_is_not_clipped():
    assert levels(sine(1.0, 1.0)).clipped_share == 0


def test_offset_is_that_of_the_worst_channel():
    y = np.stack([sine(1.0), sine(1.0) - 0.05])
    for block in (None, 1000):
        assert levels(y, block=block).offset == pytest.approx(-0.05, abs=1e-6)


def planted():
    """Forty good clips of 2 s, and one of each fault."""
    clips = {f"good {i}": sine(2.0) for i in range(40)}
    clips["silent"] = np.zeros(2 * SR)
    clips["late"] = np.concatenate([np.zeros(5 * SR // 2), sine(0.1)])
    clips["stops"] = np.concatenate([sine(0.1), np.zeros(5 * SR // 2)])
    clips["clipped"] = np.clip(8 * sine(2.0), -1, 1)
    clips["offset"] = sine(2.0) + 0.1
    clips["short"] = sine(0.4)
    clips["long"] = sine(9.0)
    return clips


def test_planted_faults_are_found_and_nothing_else():
    clips = planted()
    data = catalog(Arrays(list(clips.values())), ids=tuple(clips), sr=SR)
    log = Log()
    check_signal(data, listening.listen(data), log)
    found = {f.what.split(" clips ")[1]: (f.severity, f.ids) for f in log.findings}
    assert found == {
        "are silent throughout": ("error", ("silent",)),
        "begin with a long silence": ("note", ("late",)),
        "end with a long silence": ("note", ("stops",)),
        "are clipped": ("warning", ("clipped",)),
        "have a DC offset": ("warning", ("offset",)),
        "are shorter than 1 s": ("warning", ("short",)),
        "are much shorter or longer than the rest": ("note", ("long", "short", "late", "stops")),
    }
    offset = next(f for f in log.findings if "offset" in f.what)
    assert offset.each["offset"] == pytest.approx(0.1, abs=1e-3)


def test_files_that_cannot_be_decoded_are_named(tmp_path):
    paths = [tmp_path / name for name in ("good.wav", "cut.flac", "text.mp3", "gone.ogg")]
    soundfile.write(paths[0], sine(1.0), SR)
    soundfile.write(paths[1], sine(1.0), SR)
    paths[1].write_bytes(paths[1].read_bytes()[:3000])
    paths[2].write_text("no audio")
    data = files_catalog(paths)
    log = Log()
    heard = listening.listen(data)
    check_signal(data, heard, log)
    (finding,) = log.findings
    assert (finding.check, finding.severity) == ("files", "error")
    assert set(finding.ids) == {"cut.flac", "text.mp3", "gone.ogg"}
    assert all(name in finding.each[name] for name in finding.ids)
    assert heard[0].levels.duration_s == 1.0


def test_files_are_heard_at_their_own_rate_with_all_channels(tmp_path):
    """Clipping in one channel, which mixing down and resampling would hide."""
    y = np.stack([np.clip(8 * sine(1.0), -1, 1), 0 * sine(1.0)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", y, SR)
    (heard,) = listening.listen(files_catalog([tmp_path / "stereo.flac"]))
    assert heard.levels.clipped_share > 0.3
    assert audio.load(tmp_path / "stereo.flac", sr=22050)[0].max() < 0.9


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".ogg"])
def test_a_long_file_read_in_pieces_is_heard_alike(tmp_path, suffix, monkeypatch, rng):
    path = tmp_path / f"long{suffix}"
    soundfile.write(path, 0.1 * rng.normal(size=7 * 16000 + 123), 16000)
    data = files_catalog([path])
    whole, y = listening.listen(data)[0], listening.at_fingerprint_rate(data, 0)
    monkeypatch.setattr(listening, "_BLOCK_S", 2)
    pieces, z = listening.listen(data)[0], listening.at_fingerprint_rate(data, 0)
    np.testing.assert_allclose(z, y, atol=2e-5)
    assert len(y) == pytest.approx((7 + 123 / 16000) * RATE_HZ, abs=100)
    assert pieces.levels.duration_s == whole.levels.duration_s
    assert pieces.levels.offset == pytest.approx(whole.levels.offset, abs=1e-7)
    agreeing = (pieces.fingerprint.bits == whole.fingerprint.bits).mean()
    assert agreeing > 0.98  # a sign next to 0 may differ

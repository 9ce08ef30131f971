"""Tempo and pulse clarity of onset envelopes whose pulse is known, and against librosa."""

import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mer_jax import checks
from mer_jax.features.rhythm import RHYTHM_NAMES, pulse_lags, rhythm_features

SR, HOP = 22050, 512
RATE_HZ = SR / HOP
FRAMES = 520  # 12 s


def pulses(period):
    """An onset every ``period`` frames, of three frames each."""
    envelope = np.zeros(FRAMES, np.float32)
    for k, height in enumerate((0.5, 1.0, 0.5)):
        envelope[k::period] = height
    return envelope


@pytest.fixture(scope="module")
def found():
    envelopes = {
        "fast": pulses(22),
        "slow": pulses(43),
        "even": np.ones(FRAMES, np.float32),
        "random": np.random.default_rng(0).random(FRAMES).astype(np.float32) ** 4,
        "silent": np.zeros(FRAMES, np.float32),
    }
    rows = rhythm_features(jnp.asarray(np.stack(list(envelopes.values()))), sr=SR, hop_length=HOP)
    assert rows.shape == (len(envelopes), len(RHYTHM_NAMES), FRAMES)
    return {
        name: dict(zip(RHYTHM_NAMES, np.asarray(clip), strict=True)) | {"envelope": envelope}
        for (name, envelope), clip in zip(envelopes.items(), rows, strict=True)
    }


def test_tempo_and_clarity_are_librosas(found):
    first, last = pulse_lags(sr=SR, hop_length=HOP)
    for name, rows in found.items():
        envelope = rows["envelope"]
        np.testing.assert_array_equal(rows["onset_strength"], envelope)
        options = {"onset_envelope": envelope.astype(np.float64), "sr": SR, "hop_length": HOP}
        tempogram = librosa.feature.tempogram(win_length=int(8 * SR) // HOP, **options)[first : last + 1]
        np.testing.assert_allclose(rows["pulse_clarity_max"], tempogram.max(axis=0), atol=1e-5)
        np.testing.assert_allclose(rows["pulse_clarity_min"], tempogram.min(axis=0), atol=1e-5)
        if name != "random":  # there two lags are often as good as one another
            tempo = librosa.feature.tempo(aggregate=None, **options)
            np.testing.assert_allclose(rows["local_tempo_bpm"], tempo, rtol=1e-6)


def test_a_known_pulse_is_found(found):
    middle = slice(FRAMES // 3, 2 * FRAMES // 3)
    for name, period in (("fast", 22), ("slow", 43)):
        np.testing.assert_allclose(found[name]["local_tempo_bpm"][middle], 60 * RATE_HZ / period, rtol=1e-6)


def test_clarity_is_the_distance_of_the_two(found):
    middle = slice(FRAMES // 3, 2 * FRAMES // 3)
    clarity = {
        name: (rows["pulse_clarity_max"] - rows["pulse_clarity_min"])[middle].mean()
        for name, rows in found.items()
    }
    assert clarity["slow"] > 0.8
    assert clarity["random"] < 0.5
    assert clarity["even"] < 0.4
    assert clarity["silent"] == 0


def test_silence_has_the_tempo_of_the_prior_and_no_pulse(found):
    silent = found["silent"]
    # The lag nearest to 120 beats a minute.
    np.testing.assert_allclose(silent["local_tempo_bpm"], 60 * RATE_HZ / np.round(RATE_HZ / 2), rtol=1e-6)
    assert not silent["pulse_clarity_max"].any()


def test_a_hop_beyond_every_beat_is_refused():
    with pytest.raises(checks.ArgumentError, match="hop_length: is 40000"):
        pulse_lags(sr=SR, hop_length=40_000)

"""The numerical sets: rows, what they share, what they refuse (the contract of all front-ends: tests/frontends)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import checks, features, signal
from mer_jax.features import NumericalFeatures
from mer_jax.features.numerical import GROUPS, groups_of

SR = 22050


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    t = np.arange(SR // 2) / SR
    tones = [sum(np.sin(2 * np.pi * hz * k * t) / k for k in (1, 2, 3)) for hz in (220, 330)]
    noise = 0.01 * rng.standard_normal((2, len(t)))
    return (0.2 * np.stack(tones) * np.exp(-6 * (t % 0.2)) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def extended(clips):
    return np.asarray(NumericalFeatures(sr=SR, sets="extended")(clips))


def test_extended_starts_with_the_rows_of_the_study(clips, extended):
    expected = np.swapaxes(signal.numerical_features(clips, sr=SR), 1, 2)
    np.testing.assert_allclose(extended[..., :75], expected, rtol=1e-5, atol=1e-5)
    assert NumericalFeatures(sr=SR).feature_names == signal.numerical_names()


def test_extended_goes_on_with_harmony_and_rhythm(clips, extended):
    names = NumericalFeatures(sr=SR, sets="extended").feature_names
    assert len(names) == len(set(names)) == extended.shape[-1] == 97
    chroma = signal.chroma_cqt(clips, sr=SR)
    expected = {
        "chroma_": chroma,
        "tonnetz_": signal.tonnetz(chroma=chroma),
        "onset_strength": signal.onset_strength(clips, sr=SR)[:, None],
        "local_tempo_bpm": signal.tempo(clips, sr=SR, aggregate=None)[:, None],
    }
    for prefix, rows in expected.items():
        columns = [k for k, name in enumerate(names) if name.startswith(prefix)]
        np.testing.assert_allclose(np.swapaxes(extended[..., columns], 1, 2), rows, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sets", ["time", "frequency", "tonal", "rhythm", ("rhythm", "time")])
def test_sets_are_parts_of_the_extended_one(sets, clips, extended):
    frontend = NumericalFeatures(sr=SR, sets=sets)
    names = NumericalFeatures(sr=SR, sets="extended").feature_names
    columns = [names.index(name) for name in frontend.feature_names]
    assert columns == sorted(columns)
    np.testing.assert_allclose(frontend(clips), extended[..., columns], rtol=1e-4, atol=1e-4)


def test_one_transform_serves_all(clips):
    def transforms(sets):
        program = str(jax.make_jaxpr(NumericalFeatures(sr=SR, sets=sets))(clips))
        return program.count("fft_lengths=(2048,)")

    assert transforms(("time_frequency", "rhythm")) == transforms("frequency") > 0
    assert transforms("time") == 0


def test_options_reach_the_features(clips):
    frontend = NumericalFeatures(
        sr=SR, sets="time_frequency", n_fft=1024, hop_length=300, n_mels=40, n_mfcc=13
    )
    expected = signal.numerical_features(clips, sr=SR, n_fft=1024, hop_length=300, n_mels=40, n_mfcc=13)
    np.testing.assert_allclose(frontend(clips), np.swapaxes(expected, 1, 2), rtol=1e-5, atol=1e-5)
    assert frontend.num_features == 15 + 3 * 13
    assert frontend.num_frames(clips.shape[1]) == expected.shape[-1]


def test_half_precision_is_computed_in_single(clips):
    half = jnp.asarray(clips, jnp.bfloat16)
    frontend = NumericalFeatures(sr=SR, sets="rhythm")
    found = frontend(half)
    assert found.dtype == jnp.bfloat16
    whole = frontend(half.astype(jnp.float32))
    np.testing.assert_allclose(found.astype(jnp.float32), whole, rtol=2**-8, atol=1e-6)


def test_every_set_is_made_of_groups():
    assert set(groups_of(list(features.SETS))) == set(GROUPS)
    assert groups_of("extended") == GROUPS
    assert groups_of(("rhythm", "time_frequency", "time")) == ("time", "frequency", "rhythm")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sets": "time_freqency"}, "did you mean 'time_frequency'"),
        ({"sets": ()}, "at least one of time_frequency"),
        ({"n_fft": 0}, "n_fft: is 0"),
        ({"n_mels": 0}, "n_mels: is 0"),
        ({"n_mfcc": 200}, "at most the 128 mel bands"),
        ({"sr": 8000}, "bands of the contrast"),
        ({"sets": "rhythm", "hop_length": 40_000}, "the beats sought"),
    ],
)
def test_what_cannot_be_used_is_named(options, words):
    with pytest.raises(checks.ArgumentError, match=words):
        NumericalFeatures(**options)


def test_low_sampling_rates_leave_the_other_sets():
    assert NumericalFeatures(sr=8000, sets=("time", "rhythm")).num_features == 7

import librosa
import numpy as np
import pytest
from signal_contract import assert_gradient_matches_differences, assert_same_in_every_mode, music, rel_l2

from mer_jax import checks
from mer_jax.signal import delta, mfcc


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": 2},
        {"width": 5, "order": 1, "polyorder": 3},
        {"width": 21, "order": 2, "delta": 0.5},
        {"axis": 0, "width": 3},
        {"axis": -2, "width": 5, "mode": "mirror"},
        {"mode": "nearest"},
        {"mode": "wrap", "width": 3},
        {"mode": "constant"},
        {"mode": "constant", "cval": -80.0},
        {"mode": "nearest", "width": 51},
        {"order": 2, "polyorder": 1},
    ],
)
def test_delta_matches_librosa(options):
    data = np.asarray(mfcc(music(16000)))
    expected = librosa.feature.delta(data.astype(np.float64), **options)
    assert rel_l2(delta(data, **options), expected) < 1e-6


def test_delta_of_any_rank(rng):
    for shape in ((40,), (2, 3, 12, 30)):
        x = rng.standard_normal(shape).astype(np.float32)
        assert rel_l2(delta(x), librosa.feature.delta(x.astype(np.float64))) < 1e-6
    assert_same_in_every_mode(delta, rng.standard_normal((2, 3, 50)).astype(np.float32), tolerance=1e-6)
    assert_gradient_matches_differences(delta, rng.standard_normal((3, 20)))


def test_delta_of_a_large_constant_keeps_its_digits(rng):
    x = (rng.standard_normal((4, 60)) * 0.01 - 1000).astype(np.float32)
    assert rel_l2(delta(x), librosa.feature.delta(x.astype(np.float64))) < 1e-6


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"width": 4}, "odd"),
        ({"width": 1}, "width"),
        ({"width": 11}, "10 values along axis"),
        ({"order": 0}, "order"),
        ({"polyorder": 9}, "below width"),
        ({"mode": "inter"}, "did you mean 'interp'"),
        ({"axis": 2}, "axis"),
    ],
)
def test_delta_options_that_cannot_be_used(options, problem):
    with pytest.raises(checks.ArgumentError, match=problem):
        delta(np.zeros((3, 10), np.float32), **options)

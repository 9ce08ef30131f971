import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from signal_contract import assert_compiles_once, assert_gradient_matches_differences, energy, music, rel_l2

from mer_jax import checks
from mer_jax.signal import amplitude_to_db, db_to_amplitude, db_to_power, power_to_db

CONVERSIONS = [(power_to_db, librosa.power_to_db), (amplitude_to_db, librosa.amplitude_to_db)]
INVERSES = [(db_to_power, librosa.db_to_power), (db_to_amplitude, librosa.db_to_amplitude)]


@pytest.fixture(scope="module")
def magnitude():
    return np.abs(librosa.stft(music(12000)))


@pytest.mark.parametrize(("function", "reference"), CONVERSIONS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ref": 3.0},
        {"ref": -3.0, "top_db": 40},
        {"ref": np.max},
        {"ref": np.median, "top_db": None},
        {"amin": 1e-2, "top_db": None},
        {"top_db": 0.0},
    ],
)
def test_decibels_match_librosa(magnitude, function, reference, options):
    assert rel_l2(function(magnitude, **options), reference(magnitude.astype(np.float64), **options)) < 1e-6


@pytest.mark.parametrize(("function", "reference"), INVERSES)
@pytest.mark.parametrize("ref", [1.0, 4.0])
def test_inverses_match_librosa(magnitude, function, reference, ref):
    db = librosa.amplitude_to_db(magnitude)
    assert rel_l2(function(db, ref=ref), reference(db.astype(np.float64), ref=ref)) < 1e-6


@pytest.mark.parametrize(("function", "reference"), CONVERSIONS)
def test_magnitudes_are_taken_of_complex_values(function, reference):
    D = librosa.stft(music(9000))
    assert rel_l2(function(D), reference(np.abs(D).astype(np.float64))) < 1e-6


@pytest.mark.parametrize(("function", "reference"), CONVERSIONS)
@pytest.mark.parametrize("ref", [1.0, jnp.max, np.max])
def test_every_clip_has_its_own_maximum(magnitude, function, reference, ref):
    batch = np.stack([magnitude, 1e-4 * magnitude, 10 * magnitude**2])
    numpy_ref = np.max if callable(ref) else ref
    expected = np.stack([reference(clip.astype(np.float64), ref=numpy_ref) for clip in batch])
    assert rel_l2(function(batch, ref=ref), expected) < 1e-6
    assert rel_l2(function(batch[:, None], ref=ref), expected[:, None]) < 1e-6
    assert rel_l2(jax.jit(jax.vmap(lambda S: function(S, ref=ref)))(batch), expected) < 1e-6


def test_a_reference_may_differ_by_clip(magnitude):
    batch = np.stack([magnitude, magnitude])
    refs = jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    found = power_to_db(batch, ref=refs, top_db=None)
    np.testing.assert_allclose(found[0] - found[1], 10.0, atol=1e-4)


@pytest.mark.parametrize("function", [power_to_db, amplitude_to_db])
@pytest.mark.parametrize("value", [0.0, 1e-42, 1e-20, 1.0])
def test_gradients_are_finite(function, value):
    for dtype in (jnp.float32, jnp.bfloat16):
        S = jnp.full((5, 7), value, dtype).at[0, 0].multiply(2)
        for ref in (1.0, jnp.max):
            gradient = jax.grad(energy(lambda S, ref=ref: function(S, ref=ref)))(S)
            assert gradient.dtype == dtype
            assert np.isfinite(np.asarray(gradient, np.float32)).all()


def test_gradients_are_those_of_the_values(rng):
    S = 0.1 + rng.random((4, 6))
    for function in (power_to_db, amplitude_to_db):
        assert_gradient_matches_differences(lambda S, f=function: f(S, ref=jnp.max, top_db=5.0), S)
    for function in (db_to_power, db_to_amplitude):
        assert_gradient_matches_differences(function, S)


@pytest.mark.parametrize("function", [power_to_db, amplitude_to_db, db_to_power, db_to_amplitude])
def test_precision_and_compilation(function, magnitude):
    assert function(jnp.asarray(magnitude, jnp.bfloat16)).dtype == jnp.bfloat16
    assert_compiles_once(function, magnitude, 2 * magnitude)
    with jax.enable_x64(True):
        assert function(magnitude.astype(np.float64)).dtype == jnp.float64


@pytest.mark.parametrize("function", [power_to_db, amplitude_to_db])
def test_what_cannot_be_used_is_refused(function):
    S = np.ones((2, 2), np.float32)
    with pytest.raises(checks.ArgumentError, match="amin"):
        function(S, amin=0.0)
    with pytest.raises(checks.ArgumentError, match="top_db"):
        function(S, top_db=-1.0)

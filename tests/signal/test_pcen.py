import sys

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from signal_contract import (
    assert_compiles_once,
    assert_gradient_matches_differences,
    energy,
    hard_clips,
    music,
    rel_l2,
)

from mer_jax import checks
from mer_jax.signal import melspectrogram, pcen


@pytest.fixture(scope="module")
def mel():
    return librosa.feature.melspectrogram(y=music(12000) * 2**31, power=1, n_mels=40)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gain": 0.5, "bias": 10.0, "power": 0.25, "time_constant": 0.06},
        {"sr": 44100, "hop_length": 300},
        {"eps": 1e-2, "b": 0.2},
        {"b": 1.0},
        {"power": 0},
        {"bias": 0},
        {"gain": 0},
        {"max_size": 3},
        {"max_size": 4},
        {"max_size": 3, "max_axis": 0},
        {"axis": 0, "max_size": 2},
    ],
)
def test_values_match_librosa(mel, options):
    expected, state = librosa.pcen(mel.astype(np.float64), return_zf=True, **options)
    found, found_state = pcen(mel, return_zf=True, **options)
    assert rel_l2(found, expected) < 1e-5
    assert rel_l2(found_state, state) < 1e-5


def test_a_quiet_spectrogram_keeps_its_digits(mel):
    quiet = (mel * 2.0**-40).astype(np.float32)
    assert rel_l2(pcen(quiet), librosa.pcen(quiet.astype(np.float64))) < 1e-5


def test_a_reference_may_be_given(mel):
    ref = np.sqrt(mel)
    expected = librosa.pcen(mel.astype(np.float64), ref=ref.astype(np.float64))
    assert rel_l2(pcen(mel, ref=ref), expected) < 1e-5


def test_a_stream_goes_on_where_it_stopped(mel):
    first, state = pcen(mel[:, :9], return_zf=True)
    second = pcen(mel[:, 9:], zi=state)
    assert rel_l2(np.concatenate([first, second], axis=1), pcen(mel)) < 1e-6


def test_one_band_needs_no_axis_of_bands(mel):
    assert rel_l2(pcen(mel[3]), librosa.pcen(mel[3].astype(np.float64))) < 1e-5
    with pytest.raises(checks.ArgumentError, match="max_axis"):
        pcen(mel[3], max_size=3)


@pytest.mark.parametrize("options", [{}, {"max_size": 3}, {"power": 0}])
def test_modes_agree(mel, options):
    batch = np.stack([mel, mel[::-1], 0.1 * mel, 3 * mel]).reshape(2, 2, *mel.shape)
    expected = np.stack(
        [librosa.pcen(clip, **options) for clip in batch.reshape(-1, *mel.shape).astype(np.float64)]
    )
    expected = expected.reshape(batch.shape)
    for run in (
        lambda S: pcen(S, **options),
        jax.jit(lambda S: pcen(S, **options)),
        jax.vmap(lambda S: pcen(S, **options)),
    ):
        assert rel_l2(run(batch), expected) < 1e-5


def test_bands_may_have_their_own_parameters(mel):
    bands = mel.shape[0]
    gain = np.linspace(0.3, 0.98, bands).astype(np.float32)[:, None]
    b = np.linspace(0.02, 0.9, bands).astype(np.float32)[:, None]
    found = pcen(np.stack([mel, mel]), gain=gain, b=b)
    expected = np.concatenate(
        [
            librosa.pcen(mel[k : k + 1].astype(np.float64), gain=float(gain[k, 0]), b=float(b[k, 0]))
            for k in range(bands)
        ]
    )
    assert rel_l2(found, np.stack([expected, expected])) < 1e-5


def test_an_accelerator_computes_the_same(mel, monkeypatch):
    module = sys.modules["mer_jax.signal.pcen"]  # the attribute of the package is the function
    x, b = jnp.asarray(mel), jnp.full((mel.shape[0], 1), 0.05)
    in_turn = module.smooth(x, b, 1 - b)
    monkeypatch.setattr(module, "platform", lambda: "gpu")
    at_once = module.smooth(x, b, 1 - b)
    assert rel_l2(at_once[0], in_turn[0]) < 1e-6
    assert rel_l2(at_once[1], in_turn[1]) < 1e-6


def test_gradients_in_every_parameter():
    S = np.random.default_rng(3).random((3, 12)) * 50
    assert_gradient_matches_differences(lambda S: pcen(S, max_size=2), S, step=1e-5)
    start = {"gain": 0.9, "bias": 2.0, "power": 0.5, "eps": 1e-3, "b": 0.1}
    for name, value in start.items():
        per_band = np.full((3, 1), value)
        assert_gradient_matches_differences(
            lambda p, name=name: pcen(jnp.asarray(S), **{name: p}), per_band, step=1e-6, tolerance=1e-4
        )


@pytest.mark.parametrize("options", [{}, {"bias": 0}, {"power": 0}, {"max_size": 3}])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_gradients_are_finite(options, dtype):
    def loss(S, parameters):
        return energy(lambda S: pcen(S, **{**parameters, **options}))(S)

    parameters = {"gain": jnp.full((8, 1), 0.9), "power": 0.5, "eps": 1e-6, "b": jnp.float32(0.1)}
    for name, clip in hard_clips(5000).items():
        S = melspectrogram(clip, n_mels=8).astype(dtype)
        found = jax.grad(loss, argnums=(0, 1))(S, parameters)
        for leaf in jax.tree.leaves(found):
            assert np.isfinite(np.asarray(leaf, np.float32)).all(), name


def test_a_second_batch_costs_no_compilation(mel):
    assert_compiles_once(pcen, mel, 2 * mel)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"gain": -0.1}, "gain"),
        ({"bias": -1.0}, "bias"),
        ({"power": -1.0}, "power"),
        ({"eps": 0.0}, "eps"),
        ({"b": 1.5}, "b:"),
        ({"time_constant": 0.0}, "time_constant"),
        ({"max_size": 0}, "max_size"),
        ({"hop_length": 0}, "hop_length"),
        ({"axis": 2}, "axis"),
    ],
)
def test_what_cannot_be_used_is_refused(mel, options, problem):
    with pytest.raises(checks.ArgumentError, match=problem):
        pcen(mel, **options)

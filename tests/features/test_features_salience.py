"""Pitch salience: the tones' spectra against librosa's transform of real ones, the fit against another optimiser."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from scipy import optimize

from mer_jax import checks
from mer_jax.features import salience

SR = 22050


def tone(midi, seconds=1.0, decay=0.7, partials=12):
    t = np.arange(int(seconds * SR)) / SR
    hz = 440 * 2 ** ((midi - 69) / 12)
    return sum(
        decay ** (h - 1) * np.sin(2 * np.pi * h * hz * t + h * h)
        for h in range(1, partials + 1)
        if h * hz < 0.45 * SR
    )


@pytest.mark.parametrize("midi", [45, 69, 93])
def test_spectra_are_those_of_real_tones(midi):
    spectrum = np.abs(
        librosa.cqt(
            tone(midi, 3.0),
            sr=SR,
            fmin=27.5 * 2 ** (-1 / 36),
            n_bins=264,
            bins_per_octave=36,
            tuning=0.0,
        )
    )
    real = np.sqrt(np.square(spectrum[:, 50:80]).mean(axis=1))
    ours = salience.tone_spectra()[:, midi - 21]
    # librosa's kernels are cut to the FFT's length and thinned: 1 to 2 % of the maximum, a cosine of 0.9997.
    assert real @ ours / np.linalg.norm(real) > 0.9995


def objective(spectra, x, h):
    return 0.5 * np.square(x - spectra @ h).sum() + salience.SPARSITY * h.sum()


def test_the_fit_is_that_of_another_optimiser(rng):
    spectra = salience.tone_spectra()
    x = spectra[:, [24, 40, 43, 60]] @ np.array([1.0, 0.3, 0.5, 0.1]) + 0.01 * rng.random(264)
    x /= x.max()
    best = optimize.minimize(
        lambda h: objective(spectra, x, h),
        np.full(88, 0.1),
        jac=lambda h: spectra.T @ (spectra @ h - x) + salience.SPARSITY,
        bounds=[(0, None)] * 88,
        method="L-BFGS-B",
    )
    few, many = (
        np.asarray(salience.explain_by_tones(jnp.asarray(x[:, None], jnp.float32), iterations=n))[:, 0]
        for n in (30, 3000)
    )
    start = objective(spectra, x, spectra.T @ x)
    assert objective(spectra, x, many) < best.fun * 1.01
    # Thirty steps do not end the fit; they close most of the distance, and name the notes.
    assert objective(spectra, x, few) - best.fun < 0.01 * (start - best.fun)
    assert set(np.argsort(few)[-4:]) == {24, 40, 43, 60}


def test_notes_are_told_from_their_overtones():
    frame = 20
    for chord in ([48], [48, 63, 68]):
        y = sum(tone(midi) for midi in chord).astype(np.float32)
        notes = np.array(chord) - 21
        found = np.asarray(salience.pitch_salience(y))[:, frame]
        assert set(np.argsort(found)[-len(chord) :]) == set(notes)
        assert np.delete(found, notes).max() < 0.2 * found[notes].min()
    spectrum = np.abs(librosa.cqt(tone(48), sr=SR, fmin=27.5, n_bins=88))[:, frame]
    # The same tone in a constant-Q spectrum: its first overtone has half the fundamental's magnitude.
    assert spectrum[48 - 21 + 12] > 0.4 * spectrum[48 - 21]


def test_batched_equals_one_by_one_and_level_does_not_matter():
    clips = np.stack([tone(60), 0.01 * tone(76)]).astype(np.float32)[:, :4096]
    batched = salience.pitch_salience(clips)
    for clip, found in zip(clips, batched, strict=True):
        np.testing.assert_allclose(salience.pitch_salience(clip), found, atol=1e-6)
    np.testing.assert_allclose(salience.pitch_salience(100 * clips), batched, atol=1e-4)


@pytest.mark.parametrize("clip", ["silence", "tone", "impulse", "padded"])
def test_value_and_gradient_are_finite(clip):
    y = {
        "silence": np.zeros(8192),
        "tone": tone(60)[:8192],
        "impulse": np.eye(1, 8192, 4000)[0],
        "padded": np.pad(tone(60)[:4096], (0, 4096)),
    }[clip].astype(np.float32)
    value, grad = jax.value_and_grad(lambda y: jnp.square(salience.pitch_salience(y)).sum())(y)
    assert np.isfinite(value)
    assert np.isfinite(grad).all()
    assert (float(value) == 0) == (clip == "silence")


def test_front_end():
    frontend = salience.PitchSalience(sr=SR)
    assert frontend.feature_names[:4] == ("A0", "A#0", "B0", "C1")
    assert (frontend.feature_names[39], frontend.feature_names[-1]) == ("C4", "C8")
    y = tone(60).astype(np.float32)[None]
    found = frontend(y)
    assert found.shape == (1, frontend.num_frames(y.shape[1]), 88)
    np.testing.assert_allclose(found[0].T, salience.pitch_salience(y[0]), atol=1e-6)
    assert frontend.feature_names[int(found[0, 20].argmax())] == "C4"


def test_what_cannot_be_used_is_refused():
    with pytest.raises(checks.ArgumentError, match="sr: is 8000; expected at least 8700 Hz"):
        salience.PitchSalience(sr=8000)
    salience.pitch_salience(np.zeros(8192, np.float32), sr=salience.LOWEST_SR)
    with pytest.raises(checks.ArgumentError, match="iterations: is 0"):
        salience.PitchSalience(sr=SR, iterations=0)

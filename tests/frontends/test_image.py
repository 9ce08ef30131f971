"""Pictures of features, each step against NumPy, librosa's decibels, matplotlib's colours and Pillow's resize."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import PIL.Image
import pytest
from flax import nnx
from matplotlib import colormaps

from mer_jax import checks, frontends
from mer_jax.frontends import Image, pictures
from mer_jax.frontends.backends.handover import Precomputed

SR = 22050
STUDY = ("spectrogram", "mel", "cqt", "log_cqt", "chroma", "tempogram", "mfcc")


def build(name):
    return frontends.build(name, sr=SR, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def clips():
    """A decaying chord over noise, and the same 40 dB lower: half a second."""
    rng = np.random.default_rng(1)
    t = np.arange(SR // 2) / SR
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (220, 277.2, 329.6, 1500)) * np.exp(-4 * t)
    y = 0.2 * chord + 0.005 * rng.standard_normal(len(t))
    return np.stack([y, 0.01 * y]).astype(np.float32)


def to_unit(name, values):
    """One clip (frames, features) as (features, frames) in 0..1, as the protocol says it, in float64."""
    S = values.T.astype(np.float64)
    if name in ("chroma", "tempogram"):
        return np.clip(S, 0, 1)
    if name == "mfcc":
        return (S - S.min()) / (S.max() - S.min())
    if name == "mel":
        return 1 + librosa.power_to_db(S, ref=np.max, top_db=80) / 80
    if name == "log_cqt":
        return np.maximum(0, 1 + (S - S.max()) / 80)
    return 1 + librosa.amplitude_to_db(S, ref=np.max, top_db=80) / 80


def paint(unit, colour_map):
    """matplotlib's table of 256 colours, read between its entries."""
    if colour_map == "gray":
        return np.stack([unit] * 3, axis=-1)
    table = colormaps[colour_map](np.arange(256))[:, :3]
    return np.stack([np.interp(255 * unit, np.arange(256), table[:, k]) for k in range(3)], axis=-1)


def resize(rgb, size):
    """Pillow's triangle filter, which grows with the factor of reduction, on floating-point planes."""
    planes = [PIL.Image.fromarray(np.ascontiguousarray(rgb[..., k], np.float32), "F") for k in range(3)]
    return np.stack([p.resize((size, size), PIL.Image.Resampling.BILINEAR) for p in planes], axis=-1)


# Pillow warns of the mode argument from its version 12 on; it is what says that values are floating-point.
@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("name", STUDY)
def test_picture_is_that_of_the_protocol(name, clips):
    frontend = build(name)
    image = Image(frontend, size=50)
    found = np.asarray(image(clips))
    assert found.shape == (2, *image.image_shape) == (2, 50, 50, 3)
    assert found.dtype == np.float32
    colour_map = "inferno" if name == "spectrogram" else "coolwarm"
    gray = np.asarray(Image(frontend, size=50, colour_map="gray")(clips))
    for k, values in enumerate(np.asarray(frontend(clips))):
        unit = np.flipud(to_unit(name, values))
        # float32 against float64: decibels to some 1e-6 of their range, the resize to 1e-6 of 255.
        np.testing.assert_allclose(gray[k], 255 * resize(paint(unit, "gray"), 50), rtol=0, atol=0.01)
        # Half a level more: the tables of colours hold 8 bits.
        np.testing.assert_allclose(found[k], 255 * resize(paint(unit, colour_map), 50), rtol=0, atol=0.51)


def test_colour_tables_are_matplotlibs():
    entries = jnp.linspace(0, 1, 256, dtype=jnp.float32)[None, :, None]
    for name in ("inferno", "coolwarm"):
        found = pictures.render(entries, scale="unit", colour_map=name, size=None)[0, 0]
        np.testing.assert_allclose(found, 255 * colormaps[name](np.arange(256))[:, :3], rtol=0, atol=0.51)


def test_default_colours_follow_the_study_whatever_computes_the_feature():
    for name in frontends.NAMES:
        frontend = build(name)
        expected = "inferno" if name in ("spectrogram", "dstft") else "coolwarm"  # both linear spectrograms
        assert Image(frontend).colour_map == Image(Precomputed(frontend)).colour_map == expected
        assert Image(Precomputed(frontend)).frontend.picture_scale == frontend.picture_scale


def test_level_and_scale_of_the_values_do_not_show(clips):
    mel, log_mel = Image(build("mel"), size=32)(clips), Image(build("log_mel"), size=32)(clips)
    np.testing.assert_allclose(log_mel, mel, rtol=0, atol=0.01)
    # The quiet clip's faintest bins fall below the floor of decibels, 1e-10.
    assert np.abs(mel[0] - mel[1]).mean() < 5


def test_another_scale_can_be_chosen(clips):
    frontend = build("cqt")
    found = Image(frontend, scale="range", colour_map="gray", size=20)(clips)
    values = np.asarray(frontend(clips))
    low, high = values.min(axis=(1, 2), keepdims=True), values.max(axis=(1, 2), keepdims=True)
    rows = np.flip(((values - low) / (high - low)).transpose(0, 2, 1), axis=1)
    expected = np.stack([resize(paint(clip, "gray"), 20) for clip in rows])
    np.testing.assert_allclose(found, 255 * expected, rtol=0, atol=0.01)


def test_separate_series_fill_their_rows():
    ramp = np.linspace(0, 1, 8, dtype=np.float32)
    values = np.stack([ramp, 1000 - 20 * ramp, np.full(8, 3)], axis=-1)[None].astype(np.float32)
    found = np.asarray(pictures.render(values, scale="series", colour_map="gray", size=None))[0, ::-1, :, 0]
    np.testing.assert_allclose(found, 255 * np.stack([ramp, 1 - ramp, 0 * ramp]), atol=0.01)


def test_padding_and_silent_clips_look_silent(clips):
    y = np.zeros((2, SR), np.float32)
    y[0, : SR // 2] = clips[0]
    found = np.asarray(Image(build("spectrogram"), size=40)(y))
    silence = 255 * np.array(colormaps["inferno"](0)[:3])
    # A frame of 2048 samples reaches 1024 past the end, 2 of 44 frames.
    assert np.abs(found[0, :, 24:] - silence).max() < 0.51
    assert found[0, :, :18].max() > 200
    np.testing.assert_allclose(found[1], np.broadcast_to(silence, (40, 40, 3)), atol=0.51)


@pytest.mark.parametrize("name", STUDY)
def test_gradient_is_finite_on_silence(name):
    image = Image(build(name), size=16)
    slope = jax.grad(lambda y: (image(y) ** 2).sum())(jnp.zeros((1, 6000)))
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize("scale", pictures.SCALES)
def test_gradient_is_that_of_differences(scale, rng):
    with jax.enable_x64(True):
        x = jnp.asarray(rng.uniform(0.05, 0.95, (1, 6, 5)))
        direction = jnp.asarray(rng.standard_normal(x.shape))

        def energy(v):
            return (pictures.render(v, scale=scale, colour_map="coolwarm", size=(4, 7)) ** 2).sum()

        slope = (jax.grad(energy)(x) * direction).sum()
        # So small a step stays between two entries of the table of colours.
        step = 1e-7
        difference = (energy(x + step * direction) - energy(x - step * direction)) / (2 * step)
        np.testing.assert_allclose(slope, difference, rtol=1e-5)


def test_works_as_part_of_a_compiled_program(clips):
    image = Image(build("mel"), size=24)
    graph, state = nnx.split(image)
    compiled = jax.jit(lambda state, y: nnx.merge(graph, state)(y))(state, clips)
    np.testing.assert_allclose(compiled, image(clips), rtol=0, atol=0.01)
    alone = np.concatenate([image(clip[None]) for clip in clips])
    np.testing.assert_allclose(compiled, alone, rtol=0, atol=0.01)


def test_half_precision_pictures_are_drawn_in_single():
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    whole = pictures.render(values, scale="unit", colour_map="inferno", size=(8, 8))
    half = pictures.render(jnp.asarray(values, jnp.bfloat16), scale="unit", colour_map="inferno", size=(8, 8))
    assert half.dtype == jnp.bfloat16
    # bfloat16 holds 8 bits: steps of 1 below 255, and of 1/256 in the values, which is one step of the colours.
    np.testing.assert_allclose(half.astype(jnp.float32), whole, atol=4)


def test_what_a_picture_stands_for():
    frontend = build("log_cqt")
    image = Image(frontend)
    assert image.sr == SR
    assert image.image_shape == (224, 224, 3)
    assert image.feature_names == frontend.feature_names
    assert image.num_frames(SR) == frontend.num_frames(SR)
    assert image.bins()[0] == "Frequency (Hz)"
    lengths = jnp.array([SR // 2, SR])
    np.testing.assert_array_equal(image.frame_mask(lengths, SR), frontend.frame_mask(lengths, SR))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour_map": "infernal"}, "did you mean 'inferno'"),
        ({"size": 0}, "size: is 0"),
        ({"scale": "decibels"}, "did you mean 'decibel'"),
    ],
)
def test_what_cannot_be_used_is_named(options, words):
    with pytest.raises(checks.ArgumentError, match=words):
        Image(build("mel"), **options)

"""Features by name and kind: what is built, and what a wrong word is told."""

import numpy as np
import pytest
from flax import nnx

from mer_jax import checks, features, frontends
from mer_jax.features import registry
from mer_jax.features.statistics import STATISTICS
from mer_jax.frontends.registry import options_of

SR = 22050


def build(name, **options):
    return features.build(name, sr=SR, rngs=nnx.Rngs(0), **options)


def test_names_are_those_of_the_front_ends_and_the_sets():
    assert set(features.NAMES) == {*frontends.NAMES, *features.SETS, "pitch_salience", "musical"}
    assert len(features.NAMES) == len(frontends.NAMES) + len(features.SETS) + 2


@pytest.mark.parametrize("name", features.NAMES)
def test_every_name_has_every_kind(name):
    series, vector, image = (build(name, kind=kind) for kind in features.KINDS)
    assert series.summary is None
    assert series.feature_names == series.frontend.feature_names == vector.frontend.feature_names
    if name == "musical":  # 75 features of each frame by eight statistics, and the notes
        assert vector.num_features == len(STATISTICS) * 75 + 270
    else:
        assert vector.num_features == len(STATISTICS) * series.num_features
    assert vector.feature_names[0] == f"mean {series.feature_names[0]}"
    assert image.summary is None
    assert image.frontend.image_shape == (224, 224, 3)


@pytest.mark.parametrize("name", features.NAMES)
def test_options_of_a_kind_are_not_those_of_a_front_end(name):
    own = {option for options in registry._OPTIONS.values() for option in options}
    assert not own & options_of(registry._ENTRIES[name])


def test_options_go_where_they_belong():
    vector = build(
        "log_mel", kind="vector", options={"n_mels": 8, "hop_length": 1024, "statistics": ("slope", "max")}
    )
    assert vector.frontend.n_mels == 8
    assert vector.summary.statistics == ("slope", "max")
    assert vector.summary.frame_rate_hz == SR / 1024
    image = build(
        "mel", kind="image", options={"n_mels": 8, "size": 32, "colour_map": "gray", "scale": "range"}
    )
    assert image.frontend.frontend.n_mels == 8
    assert image.frontend.image_shape == (32, 32, 3)
    assert (image.frontend.colour_map, image.frontend.picture_scale) == ("gray", "range")
    assert build("time").num_features == 3


def test_a_vector_is_what_the_summary_gives():
    clips = np.random.default_rng(0).standard_normal((2, 4096)).astype(np.float32)
    vector = build("time", kind="vector")
    found = vector.summary(vector.frontend(clips))
    assert found.shape == (2, vector.num_features)
    k = vector.feature_names.index("max zero_crossing_rate")
    np.testing.assert_allclose(found[:, k], vector.frontend(clips)[..., 2].max(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("time_freqency", {}, "frontend.name: .*did you mean 'time_frequency'"),
        ("mel", {"kind": "vectors"}, "frontend.kind: .*did you mean 'vector'"),
        ("mel", {"kind": "image", "options": {"sise": 64}}, "did you mean 'size'"),
        ("mel", {"kind": "vector", "options": {"statistic": ("mean",)}}, "did you mean 'statistics'"),
        ("mel", {"options": {"size": 64}}, "frontend.options of mel: is 'size'"),
        ("time", {"options": {"sets": "frequency"}}, "options of time: is 'sets'"),
        ("time", {"options": {"n_ftt": 1}}, "did you mean 'n_fft'"),
        ("mel", {"kind": "image", "options": {"size": 0}}, "frontend.size: is 0"),
    ],
)
def test_a_wrong_word_is_told_the_nearest(name, options, words):
    with pytest.raises(checks.ConfigError, match=words):
        build(name, **options)

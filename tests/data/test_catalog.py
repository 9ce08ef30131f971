import re
from dataclasses import replace

import numpy as np
import pytest
from small_sets import SeekableTones, Tones, tones_catalog

from mer_jax.checks import ArgumentError, DataError
from mer_jax.data import AudioSource, Dynamic, ExcerptSource


@pytest.fixture
def catalog():
    return tones_catalog(Tones([100, 200, 300, 400]))


def test_counts(catalog):
    assert len(catalog) == 4
    assert catalog.counts() == {"Happy": 2, "Sad": 2}
    assert catalog.counts([0, 2, 3]) == {"Happy": 2, "Sad": 1}
    partly = replace(catalog, labels=np.array([0, -1, -1, 1], np.int32))
    assert partly.counts() == {"Happy": 1, "Sad": 1, "": 2}


def test_protocols_tell_the_sources_apart():
    assert isinstance(Tones([1]), AudioSource)
    assert not isinstance(Tones([1]), ExcerptSource)
    assert isinstance(SeekableTones([1]), ExcerptSource)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("groups", ("a", "b", "c"), "has 4 ids but 3 groups"),
        ("source", Tones([1, 2]), "has 4 ids but 2 source"),
        ("ids", ("a", "b", "b", "c"), "the id 'b' stands for several clips"),
        ("groups", ("a", "b", "", "c"), "one of its groups is empty"),
        ("classes", ("Sad", "Sad"), "two of its classes have the same name"),
        ("labels", np.array([0, 1, 2, 0], np.int32), "has labels outside its classes"),
        ("valence_arousal", np.full((4, 2), 1.5, np.float32), "outside [-1, 1]"),
        ("valence_arousal", np.full((4, 2), np.nan, np.float32), "outside [-1, 1], or NaN"),
        ("durations_s", np.array([1.0, 0.0, 1.0, 1.0]), "clips without a duration"),
        ("official", {"tvt": ("train", "test")}, "has 4 ids but 2 'tvt' (official)"),
        ("official", {"tvt": ("train", "validate", "", "test")}, "its split 'tvt' has a part 'validate'"),
        ("extra", {"artist": ("Bill Withers",)}, "has 4 ids but 1 'artist' (extra)"),
        ("dynamic", Dynamic(2.0, np.zeros(1), (np.zeros((3, 2), np.float32),)), "has 4 ids but 1 dynamic"),
        ("dynamic", Dynamic(2.0, np.zeros(4), (np.full((3, 2), 2, np.float32),) * 4), "outside [-1, 1]"),
    ],
)
def test_columns_that_cannot_be(catalog, column, value, words):
    with pytest.raises(DataError, match=re.escape(words)):
        replace(catalog, **{column: value})


def test_rate_must_be_positive(catalog):
    with pytest.raises(ArgumentError, match="sr: is 0"):
        replace(catalog, sr=0)


def test_ratings_on_the_scale_of_the_listeners(catalog):
    nine = replace(catalog, rating_range=(1, 9))
    np.testing.assert_allclose(nine.native(np.array([-1.0, 0.0, 0.5, 1.0])), [1, 5, 7, 9])
    np.testing.assert_allclose(catalog.native(np.array([-0.5])), [-0.5])


def test_times_of_ratings():
    dynamic = Dynamic(
        2.0, np.array([15.0, 0.0]), (np.zeros((3, 2), np.float32), np.zeros((0, 2), np.float32))
    )
    np.testing.assert_allclose(dynamic.times_s(0), [15, 15.5, 16])
    assert dynamic.times_s(1).shape == (0,)

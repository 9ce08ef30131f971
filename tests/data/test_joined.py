"""Several data sets as one."""

import dataclasses
import json

import numpy as np
import pytest
from rated_songs import rated_songs
from small_sets import SR, SeekableTones, Tones, tones_catalog

from mer_jax import checks, data
from mer_jax.data import joined, splits
from mer_jax.data.catalog import ExcerptSource
from mer_jax.data.prepare import prepare


def small(count: int, *, stride: int = 1400, **changes):
    source = SeekableTones([500 + 10 * i for i in range(count)], stride)
    return dataclasses.replace(tones_catalog(source), **changes)


def test_clips_keep_their_audio_and_nothing_collides():
    first, second = small(6), small(4, stride=900, classes=("Sad", "Happy"))
    both = joined.join({"a": first, "b": second})
    assert (both.ids[0], both.ids[6]) == ("a/clip 0", "b/clip 0")
    assert len(set(both.ids)) == 10
    assert set(both.groups) == {f"a/song {i}" for i in range(3)} | {f"b/song {i}" for i in range(2)}
    for row in range(10):
        source, inner = (first.source, row) if row < 6 else (second.source, row - 6)
        np.testing.assert_array_equal(both.source[row], source[inner])
        np.testing.assert_array_equal(both.source.excerpt(row, 100, 50), source[inner][100:150])
        np.testing.assert_array_equal(both.source.clip(row), source[inner])
    assert isinstance(both.source, ExcerptSource)
    with pytest.raises(IndexError):
        both.source[10]
    # Labels follow the names of the classes, whatever their order was.
    assert both.classes == ("Happy", "Sad")
    assert both.labels.tolist() == [0, 1] * 3 + [1, 0] * 2
    np.testing.assert_array_equal(both.valence_arousal[6:], second.valence_arousal)
    np.testing.assert_array_equal(both.durations_s[:6], first.durations_s)
    assert both.extra["data_set"] == ("a",) * 6 + ("b",) * 4


def test_excerpts_of_a_source_that_cannot_seek():
    both = joined.join({"a": small(2), "b": tones_catalog(Tones([500, 600]))})
    np.testing.assert_array_equal(both.source.excerpt(3, 550, 100), both.source[3][550:650])


def test_each_set_is_the_test_part_of_a_split_that_cuts_nothing():
    both = joined.join({"a": small(60), "b": small(64)})
    split = splits.split_of(both, "without_b")
    assert split.test.tolist() == list(range(60, 124))
    assert sorted([*split.train, *split.validation]) == list(range(60))
    assert len(split.validation) > 0
    splits.check_no_group_cut(split, both.groups)
    assert joined.join({"a": small(2)}).official == {}


def test_ratings_are_kept_where_every_set_has_them():
    rated = rated_songs(4, rating_range=(0.0, 1.0))
    later = rated_songs(3, start_s=2.0)
    both = joined.join({"a": rated, "b": later})
    assert both.dynamic.rating_range is None  # each had a scale of its own; in common they have -1 to 1
    np.testing.assert_array_equal(both.dynamic.start_s, [1.5] * 4 + [2.0] * 3)
    np.testing.assert_array_equal(both.dynamic.valence_arousal[5], later.dynamic.valence_arousal[1])
    slower = dataclasses.replace(later, dynamic=dataclasses.replace(later.dynamic, rate_hz=1.0))
    assert joined.join({"a": rated, "b": slower}).dynamic is None
    assert (
        joined.join({"a": small(2), "b": tones_catalog(Tones([500]), ratings=False)}).valence_arousal is None
    )
    native = joined.join({"a": small(2, rating_range=(1.0, 9.0)), "b": small(3)})
    assert native.rating_range is None
    assert np.abs(native.valence_arousal).max() <= 1


def test_sets_whose_classes_differ_are_named_with_their_classes():
    other = small(4, classes=("Angry", "Calm"))
    with pytest.raises(checks.DataError) as error:
        joined.join({"one": small(2), "other": other})
    assert "one has Happy, Sad; other has Angry, Calm" in str(error.value)
    assert "--quadrants" in str(error.value)
    assert joined.join({"one": small(2), "other": other}, classes="none").classes == ()


def test_quadrants_are_those_of_the_ratings_or_the_set_s_own():
    rated = small(4, valence_arousal=np.array([[0.5, 0.5], [-0.5, 0.1], [-0.2, 0], [0.3, -1]], np.float32))
    own = tones_catalog(Tones([500] * 4), ratings=False)
    own = dataclasses.replace(own, classes=("Q4", "Q3", "Q2", "Q1"), labels=np.arange(4, dtype=np.int32))
    both = joined.join({"rated": rated, "own": own}, classes="quadrants")
    assert both.classes == ("Q1", "Q2", "Q3", "Q4")
    assert both.labels.tolist() == [0, 1, 2, 3, 3, 2, 1, 0]
    bare = tones_catalog(Tones([500] * 4), ratings=False)
    with pytest.raises(checks.DataError, match="moods has Happy, Sad"):
        joined.join({"rated": rated, "moods": bare}, classes="quadrants")


@pytest.mark.parametrize(
    ("titles", "refused"),
    [
        (("DEAM", "DEAM"), True),
        (("DEAM", "emoMusic (1000 songs)"), True),
        (("DEAM", "PMEmo2019"), False),
        (("", ""), False),
    ],
)
def test_sets_that_hold_the_same_recordings_are_refused(titles, refused):
    sets = {name: small(3, facts={"title": title}) for name, title in zip("ab", titles, strict=True)}
    if not refused:
        assert len(joined.join(sets)) == 6
        return
    with pytest.raises(checks.DataError, match="hold the same recordings"):
        joined.join(sets)


def test_a_file_stands_for_the_sets(tmp_path):
    places = {}
    for name, count in (("a", 3), ("b", 4)):
        places[name] = str(prepare(small(count), tmp_path / name, sr=SR).path)
    joined.write(tmp_path / "both.json", places)
    both = data.load(tmp_path / "both.json", sr=SR)
    assert (both.name, len(both)) == ("a + b", 7)
    assert both.ids[3] == "b/clip 0"
    np.testing.assert_array_equal(both.source.clip(4), data.load(places["b"], sr=SR).source.clip(1))
    # And can be prepared like any other data set.
    again = data.load(prepare(str(tmp_path / "both.json"), tmp_path / "joined", sr=SR).path, sr=SR)
    assert again.ids == both.ids
    assert again.official == both.official


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"sets": {}}', '{"sets": ["a"]}', '{"sets": {"a": "b"}, "classes": "moods"}']
)
def test_a_file_that_names_no_sets(tmp_path, content):
    path = tmp_path / "sets.json"
    path.write_text(content)
    with pytest.raises(checks.DataError, match="names no data sets"):
        data.load(path, sr=SR)


def test_what_was_joined_is_written_down(tmp_path):
    joined.write(tmp_path / "x.json", {"é": "place"}, classes="none")
    assert joined.read(tmp_path / "x.json") == ({"é": "place"}, "none")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["sets"] == {"é": "place"}


def test_what_is_synthetic_makes_the_whole_so():
    both = joined.join({"a": small(2, facts={"synthetic": "yes", "licence": "CC0"}), "b": small(2)})
    assert both.facts["synthetic"] == "yes"
    assert both.facts["licence"] == "a: CC0"

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold
from small_sets import Tones, tones_catalog

from mer_jax.checks import ArgumentError, DataError
from mer_jax.data import splits


@pytest.fixture
def labels_and_groups(rng):
    """Five classes of 60 songs, one to four clips each, in no order."""
    songs = [(label, f"song {label}-{i}") for label in range(5) for i in range(60)]
    clips = [song for song in songs for _ in range(rng.integers(1, 5))]
    clips = [clips[i] for i in rng.permutation(len(clips))]
    return np.array([label for label, _ in clips], np.int32), tuple(group for _, group in clips)


def test_follows_the_protocol(labels_and_groups):
    """The same rows as the protocol's own words, spelt out with scikit-learn."""
    labels, groups = labels_and_groups
    groups = np.asarray(groups)
    for seed, fold in ((0, 0), (0, 7), (1, 3)):
        outer = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        rest, test = list(outer.split(labels, labels, groups))[fold]
        inner = StratifiedGroupKFold(8, shuffle=True, random_state=seed)
        train, validation = next(iter(inner.split(rest, labels[rest], groups[rest])))
        split = splits.grouped_split(labels, tuple(groups.tolist()), fold=fold, seed=seed)
        np.testing.assert_array_equal(split.test, test)
        np.testing.assert_array_equal(split.validation, rest[validation])
        np.testing.assert_array_equal(split.train, rest[train])


def test_parts_are_whole_disjoint_and_uncut(labels_and_groups):
    labels, groups = labels_and_groups
    tested = []
    for fold in range(10):
        split = splits.grouped_split(labels, groups, fold=fold)
        splits.check_no_group_cut(split, groups)
        everything = np.concatenate([split.train, split.validation, split.test])
        np.testing.assert_array_equal(np.sort(everything), np.arange(len(labels)))
        for part in (split.train, split.validation, split.test):
            shares = np.bincount(labels[part], minlength=5) / len(part)
            np.testing.assert_allclose(shares, np.bincount(labels) / len(labels), atol=0.08)
        tested.append(split.test)
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(len(labels)))


def test_deterministic_and_seeded(labels_and_groups):
    first, again = (splits.grouped_split(*labels_and_groups, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(first.test, splits.grouped_split(*labels_and_groups, seed=4).test)


def test_rows_without_labels():
    groups = tuple(f"song {i // 3}" for i in range(120))
    split = splits.grouped_split(np.full(120, -1, np.int32), groups)
    splits.check_no_group_cut(split, groups)
    assert 9 <= len(split.test) <= 15


@pytest.mark.parametrize(
    ("labels", "groups", "arguments", "words"),
    [
        ([0] * 5 + [1] * 100, range(105), {}, "class 0 has 5 clips to divide into 10 folds"),
        (
            [0] * 50 + [1] * 50,
            [f"{i // 10}" for i in range(100)],
            {},
            r"class 0 has 5 groups \(50 clips\) to divide into 10 folds",
        ),
        (
            [0] * 50 + [1] * 50,
            [f"{i // 10}" for i in range(100)],
            {"folds": 5},
            "class 0 has 4 groups .* into 8 validation folds",
        ),
        ([0] * 5 + [1] * 100, range(105), {"classes": ("Sad", "Happy")}, "class 'Sad' has 5 clips"),
        ([-1] * 5, range(5), {}, "the part without labels has 5 clips"),
        ([0, 1], range(3), {}, "2 labels but 3 groups"),
    ],
)
def test_too_little_data(labels, groups, arguments, words):
    with pytest.raises(DataError, match=words):
        splits.grouped_split(np.asarray(labels), [str(g) for g in groups], **arguments)


@pytest.mark.parametrize("arguments", [{"fold": 10}, {"fold": -1}, {"folds": 1}, {"seed": -1}])
def test_arguments_out_of_range(labels_and_groups, arguments):
    with pytest.raises(ArgumentError):
        splits.grouped_split(*labels_and_groups, **arguments)


def test_cut_groups_are_found():
    groups = ("a", "a", "b", "c")
    cut = splits.Split(train=np.array([0, 2]), validation=np.array([3]), test=np.array([1]))
    with pytest.raises(DataError, match="group 'a' is in train and in test"):
        splits.check_no_group_cut(cut, groups)
    twice = splits.Split(train=np.array([0, 1]), validation=np.array([1]), test=np.array([2]))
    with pytest.raises(DataError, match="row 1 is in train and in validation"):
        splits.check_no_group_cut(twice, groups)


def published(parts, **changes):
    catalog = tones_catalog(Tones([4000] * len(parts)))
    return replace(catalog, official={"tvt": tuple(parts)}, **changes)


def test_a_published_split_is_taken_as_it_is():
    catalog = published(["train", "test", "", "validation", "train"])
    split = splits.official_split(catalog, "tvt")
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[0, 4], [3], [1]]


@pytest.mark.parametrize(
    ("parts", "name", "words"),
    [
        (["train", "test"], "tvtt", r"no published split 'tvtt'; expected one of 'grouped', 'hash', 'tvt'"),
        (["train", "validation"], "tvt", "'tvt' has no clips in the test part"),
        (["", "test"], "tvt", "'tvt' has no clips in the train part"),
        (["train"] * 14 + ["test"], "tvt", "class 'Happy' has 7 clips to divide into 8 validation folds"),
    ],
)
def test_published_splits_that_cannot_be(parts, name, words):
    with pytest.raises(DataError, match=words):
        splits.official_split(published(parts), name)


def test_a_published_split_without_validation():
    """Development and evaluation: an eighth of the development groups, by the protocol."""
    catalog = published(["train"] * 80 + ["test"] * 20)
    split = splits.official_split(catalog, "tvt", seed=3)
    splits.check_no_group_cut(split, catalog.groups)
    assert split.test.tolist() == list(range(80, 100))
    inner = StratifiedGroupKFold(8, shuffle=True, random_state=3)
    train, validation = next(iter(inner.split(np.zeros(80), catalog.labels[:80], catalog.groups[:80])))
    np.testing.assert_array_equal(split.train, train)
    np.testing.assert_array_equal(split.validation, validation)


def test_hash_split_goes_by_the_names_of_groups():
    catalog = tones_catalog(Tones([10] * 600))
    split = splits.hash_split(catalog)
    splits.check_no_group_cut(split, catalog.groups)
    everything = np.concatenate([split.train, split.validation, split.test])
    np.testing.assert_array_equal(np.sort(everything), np.arange(600))
    # In its own words.
    for part, numbers in ((split.train, range(8)), (split.validation, [8]), (split.test, [9])):
        for row in part:
            digest = hashlib.sha1(catalog.groups[row].lower().encode()).hexdigest()
            assert int(digest, 16) % 10 in numbers
    assert len(split.test) == pytest.approx(60, abs=25)
    # The same whatever else there is, and however the artist is spelt.
    few = replace(catalog, groups=tuple(f" {g.upper()} " for g in catalog.groups))
    np.testing.assert_array_equal(splits.hash_split(few).test, split.test)
    with pytest.raises(DataError, match=r"its 2 groups leave the .* part of the hash split empty"):
        splits.hash_split(tones_catalog(Tones([10] * 4)))


def test_split_of_a_name():
    catalog = published((["train"] * 6 + ["validation"] * 2 + ["test"] * 2) * 60)
    for name, expected in (
        ("grouped", splits.grouped_split(catalog.labels, catalog.groups, fold=3, folds=5, seed=1)),
        ("hash", splits.hash_split(catalog)),
        ("tvt", splits.official_split(catalog, "tvt")),
    ):
        found = splits.split_of(catalog, name, fold=3, folds=5, seed=1)
        np.testing.assert_array_equal(found.test, expected.test)
        np.testing.assert_array_equal(found.validation, expected.validation)


def test_emopia_songs(emopia_dir):
    with open(emopia_dir / "label.csv", encoding="utf-8") as file:
        names = [row["ID"] for row in csv.DictReader(file)]
    labels = np.array([int(name[1]) - 1 for name in names], np.int32)
    groups = [name[3:].rsplit("_", 1)[0] for name in names]
    assert len(set(groups)) == 387
    split = splits.grouped_split(labels, groups)
    splits.check_no_group_cut(split, groups)
    assert len(split.test) == pytest.approx(len(names) / 10, abs=5)

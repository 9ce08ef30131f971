"""What is odd about each published data set, on the small copies."""

import hashlib
from dataclasses import replace

import miniatures
import numpy as np
import pytest
from miniatures import SR, builder

from mer_jax.checks import DataError
from mer_jax.data import splits
from mer_jax.data.audit.agreement import agreement
from mer_jax.data.builders import turkish
from mer_jax.data.builders.emomusic import marble_part


@pytest.fixture
def read(tmp_path):
    """Writes a small copy and reads its catalog."""

    def reading(name, *, variant=None, **options):
        folder = tmp_path / name
        folder.mkdir()
        miniatures.ALL[name][0](folder, **options)
        return builder(name, folder, variant=variant).catalog(folder)

    return reading


def test_taffc(read):
    catalog = read("taffc")
    assert [catalog.classes[label] for label in catalog.labels] == ["Q3", "Q2", "Q1", "Q4", "Q1"]
    # Equal artists however they are spelt; two without one are two groups.
    assert catalog.groups[0] == catalog.groups[4] == "charlie poole"
    assert len(set(catalog.groups)) == 4
    assert catalog.extra["artist"][1] == "Bjørk, the Band"  # latin-1, and a comma
    assert catalog.extra["title"][1] == "A title, with commas"
    # Mixed rates, mono and stereo, all at the rate that was asked for; the short one is short.
    lengths = [len(catalog.source[row]) / SR for row in range(5)]
    np.testing.assert_allclose(lengths, [0.2, 0.2, 0.2, 0.2, 0.1], atol=0.08)  # whole MP3 frames
    for row in range(5):
        spectrum = np.abs(np.fft.rfft(catalog.source[row]))
        assert np.argmax(spectrum) / len(catalog.source[row]) * SR == pytest.approx(200 + 10 * row, abs=12)


def test_merge(read):
    complete = read("merge")
    assert complete.ids[:4] == ("A001", "A061-66", "A062-170", "MT0000004637")
    np.testing.assert_allclose(complete.valence_arousal[0], [0.6, 0.8], atol=1e-6)  # 2x - 1, valence first
    assert complete.groups[2] == "clip A062-170"
    assert complete.extra["year"][0] == "1970-??-??"
    assert set(complete.official) == {"tvt_70_15_15", "tvt_40_30_30"}
    in_order = ("train", "train", "validation", "validation", "test", "train")
    assert complete.official["tvt_70_15_15"] == in_order


def test_merge_beside_its_other_variant(read):
    """Both variants in one folder, with the same ids in both."""
    balanced = read("merge", variant="balanced")
    assert (balanced.name, len(balanced)) == ("merge_balanced", 5)
    assert all("Balanced" in str(path) for path in balanced.source.paths)
    split = splits.official_split(balanced, "tvt_40_30_30")
    assert [balanced.ids[row] for row in split.train] == ["A001"]


def test_deam_static_ratings_are_put_right(read):
    fixed = read("deam")
    assert fixed.ids == ("2", "3", "4", "10", "1000", "1001", "1024", "2000", "2001", "2058")
    native = fixed.native(fixed.valence_arousal)
    # As shipped: valence 3.1, arousal 3.0 for song 2; 6.0 and 2.0 for song 1001.
    np.testing.assert_allclose(native[0], [3.0, 3.1], atol=1e-5)
    np.testing.assert_allclose(native[5], [6.0, 2.0], atol=1e-5)
    assert fixed.extra["shipped_valence"][0] == 3.1
    assert fixed.extra["shipped_arousal"][0] == 3.0
    assert fixed.classes[fixed.labels[4]] == "Q2"  # valence 2, arousal 6
    assert fixed.classes[fixed.labels[9]] == "Q3"  # the centre counts as low
    np.testing.assert_allclose(native[8], [3.2, 6.6], atol=1e-5)  # the second schema
    found = with_dynamic(fixed, slice(0, 5))
    assert (found.valence, found.arousal) == pytest.approx((1, 1), abs=1e-3)


def test_deam_as_shipped_shows_the_exchange(read):
    shipped = read("deam", variant="as_shipped")
    np.testing.assert_allclose(shipped.native(shipped.valence_arousal)[0], [3.1, 3.0], atol=1e-5)
    exchanged, right = (
        with_dynamic(shipped, slice(0, 5)),
        with_dynamic(shipped, slice(5, 10)),
    )  # ids to 1000, and above
    assert (exchanged.valence_arousal, exchanged.arousal_valence) == pytest.approx((1, 1), abs=1e-3)
    assert (right.valence, right.arousal) == pytest.approx((1, 1), abs=1e-3)


def with_dynamic(catalog, rows):
    """How static ratings of some clips agree with the means of those over time, as the audit measures it."""
    means = np.array([series.mean(axis=0) for series in catalog.dynamic.valence_arousal[rows]], float)
    return agreement(catalog.valence_arousal[rows].astype(float), means)


def test_deam_ratings_over_time(read):
    catalog = read("deam")
    dynamic = catalog.dynamic
    assert (dynamic.rate_hz, dynamic.start_s[0]) == (2, 15)
    assert [len(series) for series in dynamic.valence_arousal] == [4] * 8 + [6, 6]
    np.testing.assert_allclose(dynamic.valence_arousal[3].mean(axis=0), [-0.25, 0.5], atol=1e-4)
    np.testing.assert_allclose(dynamic.times_s(8), 15 + 0.5 * np.arange(6))


def test_deam_artists(read):
    catalog = read("deam")
    assert catalog.groups[:2] == ("artist 2", "artist 0")
    assert catalog.groups[5] == catalog.groups[6] == "someone"  # a row with tags behind it
    assert catalog.groups[7] == "clip 2000"  # a row that ends early, without an artist
    assert catalog.extra["genre"][8:] == ("Hip-Hop", "Rock")
    split = splits.official_split(read_twice(catalog), "mediaeval_2014")
    assert {catalog.ids[row] for row in split.test} == {"1001", "1024", "2000"}


def read_twice(catalog):
    """The catalog, with a part moved to validation so that a small split has one."""
    parts = ("validation", *catalog.official["mediaeval_2014"][1:])
    return replace(catalog, official={"mediaeval_2014": parts})


def test_emomusic(read):
    catalog = read("emomusic")
    assert catalog.ids == ("2", "3", "4", "10", "1000")  # not 7, whose file is there
    np.testing.assert_allclose(catalog.native(catalog.valence_arousal)[0], [3.0, 3.1], atol=1e-5)
    assert catalog.extra["artist"][0] == "The New Mystikal Troubadours"
    assert catalog.official["mediaeval_2013"] == ("train", "test", "train", "train", "train")
    assert catalog.official["marble"][:2] == ("validation", "test")
    assert len(catalog.dynamic.valence_arousal[0]) == 4
    assert catalog.groups[1] == catalog.groups[3]


def jukemir(artist):
    """Its own words, letter by letter (jukemir/datasets/__init__.py)."""
    kept = [c for c in artist.lower() if ord(c) < 128 and (c.isalpha() or c.isspace())]
    name = " ".join("".join(kept).split())
    return (["train"] * 8 + ["validation"] * 2)[int(hashlib.sha1(name.encode()).hexdigest(), 16) % 10]


def test_marble_split_is_that_of_jukemir(rng):
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ   \t0123456789.,'&éøñßİΩ\xa0\u2009"))
    artists = ["The New Mystikal Troubadours", "Øystein Sévåg 1\xa02", "", "123"]
    artists += ["".join(letters[rng.integers(len(letters), size=rng.integers(1, 20))]) for _ in range(500)]
    assert [marble_part(name) for name in artists] == [jukemir(name) for name in artists]


def test_pmemo(read):
    catalog = read("pmemo")
    assert catalog.ids == ("1", "4", "5", "866")  # 11 has no ratings
    np.testing.assert_allclose(catalog.valence_arousal[0], [0.15, -0.2], atol=1e-6)
    assert catalog.extra["artist"][1] == "周杰伦"
    assert catalog.extra["album"][0] == "Def Jam Presents: Direct Deposit, Vol. 2"
    assert catalog.groups[2] == catalog.groups[3] == "drake"
    assert [len(series) for series in catalog.dynamic.valence_arousal] == [3, 2, 0, 1]
    assert catalog.dynamic.start_s[0] == 15.5
    np.testing.assert_allclose(catalog.dynamic.valence_arousal[0][1], [0.15, 2 * 0.41 - 1], atol=1e-6)


def test_pmemo_of_2018_is_refused(tmp_path):
    miniatures.audio(tmp_path / "PMEmo" / "Chorus" / "1.mp3")
    miniatures.text(tmp_path / "PMEmo" / "Annotations" / "Arousal" / "1-A.csv", "a,b", "1,2")
    with pytest.raises(DataError, match="the release of 2018"):
        builder("pmemo", tmp_path).catalog(tmp_path)


def test_jamendo(read):
    catalog = read("jamendo")
    assert len(catalog.target_names) == 56
    assert list(catalog.target_names) == sorted(catalog.target_names)
    row = catalog.ids.index("track_0003346")
    tags = {name for name, value in zip(catalog.target_names, catalog.targets[row], strict=True) if value}
    assert tags == {"film", "happy"}  # ambiental is none of the 56
    assert catalog.source.paths[row].parts[-2:] == ("46", "3346.mp3")
    assert catalog.groups[catalog.ids.index("track_0000948")] == "artist_000087"
    assert list(catalog.official) == [f"split-{i}" for i in range(5)]
    split = splits.official_split(catalog, "split-0")
    splits.check_no_group_cut(split, catalog.groups)
    assert [catalog.ids[row] for row in split.test] == ["track_1009600"]


def test_jamendo_low_and_missing_audio(read, tmp_path):
    low = read("jamendo", variant="low", low=True)
    assert all(path.name.endswith(".low.mp3") for path in low.source.paths)
    (tmp_path / "other").mkdir()
    miniatures.jamendo(tmp_path / "other", low=True, missing=True)
    normal = builder("jamendo", tmp_path / "other").catalog(tmp_path / "other")
    assert "track_0000948" not in normal.ids
    assert "1 of 5 clips" in normal.facts["left_out"]
    with pytest.raises(DataError, match=r"lacks the audio of 1 of 5 clips \(track_0000948\)"):
        builder("jamendo", tmp_path / "other", partial=False).catalog(tmp_path / "other")


def test_emotify(read):
    catalog = read("emotify")
    assert catalog.ids == ("1", "2", "100", "101", "400")
    assert [f"{p.parent.name}/{p.stem}" for p in catalog.source.paths] == [
        "classical/1",
        "classical/2",
        "classical/100",
        "rock/1",
        "pop/100",
    ]
    assert catalog.target_names[1] == "solemnity"
    np.testing.assert_allclose(catalog.targets[0], [0, 0.5, 0, 0.5, 0, 0, 0.5, 0.5, 0])
    assert catalog.extra["votes"] == (2, 1, 1, 1, 1)


def test_emotify_in_one_folder(read, tmp_path):
    """As in ``classical_1.ogg``: the genre in the name."""
    folder = tmp_path / "flat"
    folder.mkdir()
    miniatures.emotify(folder)
    for path in list((folder / "emotifymusic").rglob("*.mp3")):
        path.rename(folder / f"{path.parent.name}_{path.name}")
    assert len(builder("emotify", folder).catalog(folder)) == 5


def test_emotify_holds_recordings_twice(tmp_path):
    """Tracks 54 and 80 are one recording, so one group."""
    miniatures.emotify(tmp_path)
    table, music = tmp_path / "data.csv", tmp_path / "emotifymusic" / "classical"
    votes = table.read_text(encoding="utf-8").replace("\n1,", "\n54,").replace("\n2,", "\n80,")
    table.write_text(votes, encoding="utf-8")
    for before, after in ((1, 54), (2, 80)):
        (music / f"{before}.mp3").rename(music / f"{after}.mp3")
    catalog = builder("emotify", tmp_path).catalog(tmp_path)
    groups = dict(zip(catalog.ids, catalog.groups, strict=True))
    assert groups["54"] == groups["80"] == "track 54"
    assert len(set(catalog.groups)) == 4


def test_emopia(read):
    catalog = read("emopia")
    by_id = dict(zip(catalog.ids, catalog.groups, strict=True))
    assert by_id["Q2_L3_TadjSQQ0_0"] == by_id["Q3_L3_TadjSQQ0_1"] == "L3_TadjSQQ0"  # a song in two quadrants
    assert by_id["Q1_-fPxw_v-GsY_0"] == "-fPxw_v-GsY"
    assert list(catalog.official) == ["archive", "classifier"]
    archive = dict(zip(catalog.ids, catalog.official["archive"], strict=True))
    assert archive["Q2_L3_TadjSQQ0_0"] == "validation"
    classifier = dict(zip(catalog.ids, catalog.official["classifier"], strict=True))
    assert classifier["Q1_0vLPYiPN7qY_1"] == ""
    assert classifier["Q2_L3_TadjSQQ0_0"] == "train"


def test_emopia_without_the_classifier_or_some_audio(read):
    catalog = read("emopia", missing=True, classifier=False)
    assert list(catalog.official) == ["archive"]
    assert "Q1_0vLPYiPN7qY_0" not in catalog.ids


def test_emopia_label_against_name(tmp_path):
    miniatures.emopia(tmp_path)
    path = next(tmp_path.rglob("label.csv"))
    path.write_text(path.read_text().replace("Q1_0vLPYiPN7qY_0,1", "Q1_0vLPYiPN7qY_0,2"))
    with pytest.raises(DataError, match="labels 'Q1_0vLPYiPN7qY_0' as quadrant 2"):
        builder("emopia", tmp_path).catalog(tmp_path)


def test_turkish(read):
    catalog = read("turkish")
    assert catalog.counts() == {"angry": 1, "happy": 2, "relax": 1, "sad": 1}
    assert "happy/şık ağaç.mp3" in catalog.ids
    assert len(set(catalog.groups)) == 5


def test_turkish_acoustic_features(tmp_path):
    miniatures.turkish_features(tmp_path)
    found = turkish.acoustic_features(tmp_path, partial=True)
    assert found.names == ("_rmsenergy_mean", "_tempo_mean")
    np.testing.assert_array_equal(found.values, [[0.052, 130.043], [0.1, 120], [0.052, 130.043], [0.3, 99.5]])
    assert [found.classes[label] for label in found.labels] == ["relax", "happy", "relax", "angry"]
    assert found.groups[0] == found.groups[2]
    assert len(set(found.groups.tolist())) == 3
    with pytest.raises(DataError, match="has 4 rows of 2 features"):
        turkish.acoustic_features(tmp_path)


def test_soundtracks(read):
    catalog = read("soundtracks")
    assert catalog.name == "soundtracks_set1"
    assert catalog.target_names == ("tension", "anger", "fear", "happy", "sad", "tender")
    np.testing.assert_allclose(catalog.valence_arousal[0], [(2.56 - 5) / 4, (7.73 - 5) / 4], atol=1e-6)
    np.testing.assert_allclose(catalog.targets[0], [8.38, 6.39, 4.40, 1.21, 1.75, 1.01], atol=1e-5)
    assert catalog.extra["emotion"] == ("anger", "", "")
    assert catalog.groups == ("lethal weapon 3", "big fish", "big fish")
    assert catalog.classes[catalog.labels[2]] == "Q3"


def test_soundtracks_of_set_2_that_are_the_same(read):
    catalog = read("soundtracks", variant="set2")
    assert catalog.ids == ("010", "084", "088", "095")
    assert catalog.groups[0] == catalog.groups[3]
    assert catalog.groups[1] == catalog.groups[2]
    assert len(set(catalog.groups)) == 2


def test_ravdess_song(read):
    catalog = read("ravdess_song")
    assert catalog.counts() == {"neutral": 1, "calm": 1, "happy": 1, "sad": 0, "angry": 0, "fearful": 1}
    assert catalog.groups == ("actor 01", "actor 01", "actor 02", "actor 24")
    assert catalog.extra["intensity"] == ("normal", "normal", "strong", "normal")
    assert catalog.source[3].ndim == 1  # the stereo file

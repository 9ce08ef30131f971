"""The builders of published data sets on small copies of their archives: what all of them promise, then each one's traps."""

import re

import miniatures
import numpy as np
import pytest
import soundfile

from mer_jax import data
from mer_jax.checks import ConfigError, DataError
from mer_jax.data import splits
from mer_jax.data.builders import agreement, registry, turkish
from mer_jax.data.builders.emomusic import marble_part
from mer_jax.data.prepare import prepare

SR = 8000
EACH = [(name, variant) for name, (_, counts) in miniatures.ALL.items() for variant in counts]


def builder(name, folder, *, variant=None, partial=True, **arguments):
    made = registry.builder_class(name)
    return made(
        variant=variant,
        partial=partial,
        manual_dir=folder,
        sr=SR,
        data_dir=folder.parent / "tfds",
        **arguments,
    )


@pytest.fixture
def read(tmp_path):
    """Writes a small copy and reads its catalog."""

    def reading(name, *, variant=None, partial=True, **options):
        folder = tmp_path / name
        folder.mkdir()
        miniatures.ALL[name][0](folder, **options)
        return builder(name, folder, variant=variant, partial=partial).catalog(folder)

    return reading


@pytest.mark.parametrize(("name", "variant"), EACH)
def test_what_all_promise(name, variant, tmp_path):
    """From the archive to TFDS and back: nothing is lost on the way."""
    import tensorflow_datasets as tfds

    folder = tmp_path / name
    folder.mkdir()
    miniatures.ALL[name][0](folder, **({"low": True} if variant == "low" else {}))
    about = registry.builder_class(name).about
    catalog = builder(name, folder, variant=variant).catalog(folder)
    assert len(catalog) == miniatures.ALL[name][1][variant]
    assert catalog.name.startswith(name)
    assert catalog.facts["licence"] == about.licence
    assert (catalog.valence_arousal is None) == (catalog.rating_range is None)
    assert set(catalog.official) <= set(about.splits)
    written = prepare(f"{name}:{variant}", tmp_path / "out", manual_dir=folder, partial=True, sr=SR)
    assert written.refused == ()
    again = data.load(written.path, sr=SR)
    for column in ("name", "classes", "ids", "groups", "official", "extra", "rating_range", "facts"):
        assert getattr(again, column) == getattr(catalog, column), column
    np.testing.assert_array_equal(again.labels, catalog.labels)
    np.testing.assert_allclose(again.source[1], catalog.source[1], atol=0.51 / 32768)
    item = tfds.builder_from_directory(written.path).as_data_source(split="train")[1]
    assert item["id"].decode() == catalog.ids[1]
    if catalog.rating_range:
        native = catalog.native(catalog.valence_arousal[1])
        np.testing.assert_allclose([item["valence_native"], item["arousal_native"]], native, rtol=1e-6)
    if catalog.targets is not None:
        np.testing.assert_array_equal(item["targets"], catalog.targets[1])
    if catalog.dynamic is not None:
        np.testing.assert_array_equal(item["dynamic"], catalog.dynamic.valence_arousal[1])
        assert item["dynamic_start_s"] == catalog.dynamic.start_s[1]


@pytest.mark.parametrize(("name", "variant"), EACH)
def test_a_full_archive_is_counted(name, variant, tmp_path):
    """A small copy is refused as the full data set; with as many clips as published it is taken."""
    folder = tmp_path / name
    folder.mkdir()
    miniatures.ALL[name][0](folder, **({"low": True} if variant == "low" else {}))
    full = builder(name, folder, variant=variant, partial=False)
    with pytest.raises(DataError, match=r"\d") as caught:
        full.catalog(folder)
    assert full.about.homepage in str(caught.value)
    clips = [
        clip for clip in builder(name, folder, variant=variant).clips(archive_of(full, folder)) if clip.path
    ]
    many = [
        # Ids that no two share; everything else as in the small copy.
        type(clip)(**(vars(clip) | {"id": f"{clip.id}{copy}"}))
        for copy in range(full.about.items[full.variant])
        for clip in clips[:1]
    ]
    full.clips = lambda archive: many
    assert len(full.catalog(folder)) == len(many) == full.about.items[full.variant]
    full.clips = lambda archive: many[1:]
    with pytest.raises(DataError, match=f"lists {len(many) - 1} clips where .* has {len(many)}"):
        full.catalog(folder)


def archive_of(made, folder):
    from mer_jax.data.builders.archive import Archive

    return Archive(folder, page=made.about.homepage, layout=made.about.layout)


@pytest.mark.parametrize("name", registry.NAMES)
def test_an_archive_that_is_not_there(name, tmp_path):
    about = registry.builder_class(name).about
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("nothing of use")
    for folder in ("missing", "empty", "other"):
        with pytest.raises(DataError) as caught:
            builder(name, tmp_path / folder).catalog(tmp_path / folder)
        message = str(caught.value)
        assert about.homepage in message
        assert about.layout in message
        assert folder in message


@pytest.mark.parametrize(("name", "variant"), EACH)
def test_every_table_is_needed_and_checked(name, variant, tmp_path):
    """Each table in turn: missing, empty, or without its columns. An error names it, whatever happens; never a traceback."""
    folder = tmp_path / name
    folder.mkdir()
    miniatures.ALL[name][0](folder)
    tables = [p for p in folder.rglob("*.*") if p.suffix in (".csv", ".tsv")]
    # What a data set can do without, or does not use.
    spare = re.compile(r"_std|/features/|tracklist|EMOPIA_cls|split/.*_clip")
    for path in tables:
        other = re.search(r"set[12]|complete|balanced", path.name.lower())
        if spare.search(path.as_posix()) or (other and other[0] not in variant):
            continue
        content = path.read_bytes()
        for damaged in (None, b"", b"a,b\n1,2\n"):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            with pytest.raises(DataError) as caught:
                builder(name, folder, variant=variant).catalog(folder)
            assert path.name.split("-")[0][:20] in str(caught.value)
            assert registry.builder_class(name).about.homepage in str(caught.value)
        path.write_bytes(content)
    builder(name, folder, variant=variant).catalog(folder)


def test_unknown_names_and_variants(tmp_path):
    with pytest.raises(DataError, match="did you mean 'emopia'"):
        registry.builder_class("emopa")
    with pytest.raises(ConfigError, match=r"merge:balancd: is no variant; .* did you mean 'balanced'"):
        builder("merge", tmp_path, variant="balancd")


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
    assert [f.exchanged for f in agreement.static_with_dynamic(fixed)] == [False, False]


def test_deam_as_shipped_shows_the_exchange(read):
    shipped = read("deam", variant="as_shipped")
    np.testing.assert_allclose(shipped.native(shipped.valence_arousal)[0], [3.1, 3.0], atol=1e-5)
    first, second = agreement.static_with_dynamic(shipped)
    assert (first.first_id, first.last_id, first.num_clips) == (1, 1000, 5)
    assert first.exchanged
    assert not second.exchanged
    assert first.crossed == pytest.approx((1, 1), abs=1e-3)
    assert second.same == pytest.approx((1, 1), abs=1e-3)


def test_agreement_is_numpys_correlation(read):
    catalog = read("deam", variant="as_shipped")
    found = agreement.static_with_dynamic(catalog)[0]
    static = catalog.valence_arousal[:5].astype(float)
    means = np.array([s.mean(axis=0) for s in catalog.dynamic.valence_arousal[:5]], float)
    expected = np.corrcoef(static.T, means.T)[:2, 2:]
    np.testing.assert_allclose(
        [*found.same, *found.crossed], expected[[0, 1, 0, 1], [0, 1, 1, 0]], atol=1e-12
    )
    with pytest.raises(DataError, match="no ratings of both kinds"):
        agreement.static_with_dynamic(read("taffc"))


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
    from dataclasses import replace

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
    import hashlib

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


def test_bad_files_are_refused_by_name(tmp_path, capsys):
    """In a named data set as anywhere: the rest is written, a report names what is not."""
    from mer_jax import cli

    folder = tmp_path / "taffc"
    folder.mkdir()
    miniatures.taffc(folder)
    broken = next(folder.rglob("MT0000011357.mp3"))
    broken.write_bytes(b"nonsense")
    command = ["prepare", "taffc", "--manual-dir", str(folder), "--data-dir", str(tmp_path / "out")]
    assert cli.main([*command, "--sample-rate", "8000", "--partial"]) == 2
    shown = capsys.readouterr()
    assert "4 clips" in shown.out
    assert "MT0000011357.mp3" in shown.err
    report = (tmp_path / "out" / "refused.csv").read_text().splitlines()
    assert report[0] == "id,problem"
    assert len(report) == 2
    assert report[1].startswith("MT0000011357,")


def test_two_copies_are_not_mixed(tmp_path):
    miniatures.taffc(tmp_path / "one")
    miniatures.taffc(tmp_path / "two")
    with pytest.raises(DataError, match=r"twice: .*one.* and .*two"):
        builder("taffc", tmp_path).catalog(tmp_path)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("emopia", [], ["--manual-dir", "zenodo.org", "./emopia"]),
        ("emopa", [], ["did you mean 'emopia'"]),
        ("merge:ballanced", ["--manual-dir", "."], ["merge:ballanced", "did you mean 'balanced'"]),
        ("synthetic", ["--manual-dir", "."], ["--manual-dir goes with the name of a data set"]),
    ],
)
def test_prepare_says_what_is_missing(name, arguments, words, tmp_path, capsys, monkeypatch):
    from mer_jax import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(["prepare", name, "--data-dir", "out", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert all(word in error[0] for word in words), error
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"has to be prepared first; .*mer-jax prepare deam --manual-dir"):
        data.load("deam")


def test_datasets_lists_all_and_where_they_are(tmp_path, capsys, monkeypatch):
    from mer_jax import cli

    folder = tmp_path / "archives"
    folder.mkdir()
    miniatures.soundtracks(folder)
    prepare("soundtracks:set2", tmp_path / "prepared" / "two", manual_dir=folder, partial=True, sr=SR)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "catalog.json").write_text("{}")  # another program's
    monkeypatch.chdir(tmp_path)
    assert cli.main(["datasets"]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    for name in registry.NAMES:
        assert name in lines
    assert "17982" in lines["jamendo"]
    assert "CC BY-NC 4.0" in lines["merge"]
    assert "prepared/two" in lines["soundtracks:set2"]
    assert "(4 clips)" in shown
    assert lines["soundtracks"].rstrip().endswith("no")
    assert cli.main(["datasets", "--search", "nowhere"]) == 2


@pytest.mark.slow
def test_emopia_development_set(emopia_dir, tmp_path):
    result = prepare("emopia", tmp_path / "out", manual_dir=emopia_dir)
    assert (result.num_clips, result.refused) == (1078, ())
    catalog = data.load(result.path)
    assert catalog.counts() == {"Q1": 250, "Q2": 265, "Q3": 253, "Q4": 310}
    assert len(set(catalog.groups)) == 387
    split = splits.official_split(catalog, "archive")
    splits.check_no_group_cut(split, catalog.groups)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [876, 114, 88]


@pytest.mark.slow
def test_emotify_development_set(emotify_dir, tmp_path):
    result = prepare("emotify", tmp_path / "out", manual_dir=emotify_dir)
    assert (result.num_clips, result.refused) == (400, ())
    catalog = data.load(result.path)
    # Overall rates, weighted by votes, as published with the votes.
    votes = np.array(catalog.extra["votes"])
    assert votes.sum() == 8407
    rates = dict(zip(catalog.target_names, votes @ catalog.targets / votes.sum(), strict=True))
    assert rates["calmness"] == pytest.approx(0.305, abs=5e-4)
    assert rates["amazement"] == pytest.approx(0.133, abs=5e-4)
    assert soundfile.info(str(next(emotify_dir.rglob("*.ogg")))).samplerate == 22050

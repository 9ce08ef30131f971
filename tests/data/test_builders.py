"""What the builders of all published data sets promise, on small copies of their archives and on two real ones."""

import re

import miniatures
import numpy as np
import pytest
from miniatures import SR, builder

from mer_jax import data
from mer_jax.checks import ConfigError, DataError
from mer_jax.data import splits
from mer_jax.data.builders import registry
from mer_jax.data.prepare import prepare

EACH = [(name, variant) for name, (_, counts) in miniatures.ALL.items() for variant in counts]


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
    assert len(set(catalog.groups)) == 395  # five recordings stand there twice
    # Overall rates, weighted by votes, as published with the votes.
    votes = np.array(catalog.extra["votes"])
    assert votes.sum() == 8407
    rates = dict(zip(catalog.target_names, votes @ catalog.targets / votes.sum(), strict=True))
    assert rates["calmness"] == pytest.approx(0.305, abs=5e-4)
    assert rates["amazement"] == pytest.approx(0.133, abs=5e-4)

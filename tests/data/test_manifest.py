import csv

import numpy as np
import pytest
import soundfile
from small_sets import SR, tone

from mer_jax.checks import DataError
from mer_jax.data import manifest


@pytest.fixture
def clips(tmp_path):
    """A folder ``clips`` with a.wav to d.wav beside which the manifest goes."""
    (tmp_path / "clips").mkdir()
    for i, name in enumerate("abcd"):
        soundfile.write(tmp_path / "clips" / f"{name}.wav", tone(i, 0.5), SR)
    return tmp_path


def listed(folder, text, encoding="utf-8", **arguments):
    path = folder / "list.csv"
    path.write_bytes(text.encode(encoding))
    return manifest.catalog(path, sr=SR, **arguments)


def refuse(folder, text, words, **arguments):
    with pytest.raises(DataError, match=words) as caught:
        listed(folder, text, **arguments)
    assert "list.csv" in str(caught.value)


def test_labels_and_groups(clips):
    catalog = listed(
        clips, "path,label,group\nclips/a.wav,Sad,song 1\nclips/b.wav,Happy,song 1\nclips/c.wav,Sad,song 2\n"
    )
    assert catalog.name == "list"
    assert catalog.classes == ("Happy", "Sad")
    assert catalog.labels.tolist() == [1, 0, 1]
    assert catalog.groups == ("song 1", "song 1", "song 2")
    assert catalog.ids == ("clips/a.wav", "clips/b.wav", "clips/c.wav")
    assert catalog.valence_arousal is None
    np.testing.assert_allclose(catalog.source[2], tone(2, 0.5), atol=2**-15)
    np.testing.assert_allclose(catalog.durations_s, 0.5)


def test_ratings_ids_other_columns_quotes_bom_and_crlf(clips):
    text = (
        "ID, Group ,arousal,valence,title,path\r\n"
        '7,"Earth, Wind & Fire",-0.25,1,"a ""b""\r\nc",clips/a.wav\r\n'
        "8,Ø,0,-1,,clips/b.wav\r\n"
    )
    catalog = listed(clips, text, encoding="utf-8-sig")
    assert catalog.ids == ("7", "8")
    assert catalog.groups == ("Earth, Wind & Fire", "Ø")
    assert catalog.classes == ()
    assert catalog.labels.tolist() == [-1, -1]
    assert catalog.valence_arousal.tolist() == [[1.0, -0.25], [-1.0, 0.0]]


def test_absolute_paths(clips):
    assert len(listed(clips, f"path,label,group\n{clips / 'clips' / 'a.wav'},Sad,1\n")) == 1


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("path,lable,group", "has no column 'label' .*rename 'lable' to 'label'"),
        ("paths,label,group", "has no column 'path' .*rename 'paths' to 'path'"),
        ("path,label", "has no column 'group' .*add it; where every file is a song of its own"),
        ("path,group,valence", "has no column 'label'"),
        ("path;label;group", "its columns are not separated by commas"),
        ("path,label,group,label", "has two columns named 'label'"),
    ],
)
def test_header(clips, header, words):
    refuse(clips, header + "\nclips/a.wav,Sad,1,0\n", words)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("clips/z.wav,Sad,1,0,0,x", "there is no file '.*z.wav'"),
        (",Sad,1,0,0,x", "path is empty"),
        ("clips/b.wav,Sad,,0,0,x", "group is empty"),
        ("clips/b.wav,,1,,,x", "label is empty, and there is no valence and arousal"),
        ("clips/b.wav,Sad,1,high,0,x", "valence is 'high', not a number"),
        ("clips/b.wav,Sad,1,0,,x", "arousal is '', not a number"),
        ("clips/b.wav,Sad,1,0,7,x", r"arousal is 7, outside \[-1, 1\]"),
        ("clips/b.wav,Sad,1,nan,0,x", "valence is nan, not a finite number"),
        ("clips/b.wav,Sad,1,0,0,first", "the id 'first' is already in line 2"),
        ("clips/../clips/a.wav,Sad,1,0,0,x", "the path '.*a.wav' is already in line 2"),
        ("clips/b.wav,Sad,1", "has more or fewer cells than the header"),
        ("clips/b.wav,Sad,1,0,0,x,y", "has more or fewer cells than the header"),
    ],
)
def test_each_bad_row_is_named(clips, row, words):
    good = "path,label,group,valence,arousal,id\nclips/a.wav,Sad,1,0,0,first\n"
    refuse(
        clips,
        f"{good}\n{row}\nclips/c.wav,Sad,1,0,0,third\nclips/q.wav,Sad,1,0,0,q\n",
        f"2 of 4 rows .*line 4: {words}.*line 6: there is no",
    )


def test_many_bad_rows_are_counted(clips):
    rows = "".join(f"clips/no{i}.wav,Sad,1\n" for i in range(30))
    refuse(clips, f"path,label,group\n{rows}", r"30 of 30 rows .*line 21: .*and 10 more$")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column 'path'"),
        ("path,label,group\n", "lists no clips"),
        ("path,label,group\nclips/a.wav,Sad,1\nclips/b.wav,,1\n", "line 3: label is empty"),
        ('path,label,group\n"clips/a.wav,Sad,1\n', "is not a CSV file"),
        (
            "path,label,group,valence,arousal\nclips/a.wav,Sad,1,0,0\nclips/b.wav,Sad,1,,\n",
            "1 of 2 rows have no rating",
        ),
        (
            "path,label,group,valence,arousal\nclips/a.wav,Sad,1,0,0\nclips/b.wav,,1,0,0\n",
            "1 of 2 rows have no label",
        ),
    ],
)
def test_files_that_are_no_manifest(clips, text, words):
    refuse(clips, text, words)


def test_encoding_and_missing_file(clips):
    (clips / "list.csv").write_bytes("path,label,group\nclips/a.wav,Fröhlich,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"list\.csv: is not UTF-8 .*save it as UTF-8"):
        manifest.catalog(clips / "list.csv")
    with pytest.raises(DataError, match="cannot be read"):
        manifest.catalog(clips / "other.csv")


def test_bad_audio_is_named(clips):
    (clips / "clips" / "b.wav").write_bytes(b"")
    text = "path,label,group\nclips/a.wav,Sad,1\nclips/b.wav,Sad,1\n"
    refuse(clips, text, r"1 of 2 audio files cannot be used: .*b\.wav: is empty")
    assert listed(clips, text, read_headers=False).durations_s is None


def test_what_is_written_is_read_back(clips):
    target = clips / "lists" / "all.csv"
    rows = [
        {
            "path": clips / "clips" / f"{name}.wav",
            "label": label,
            "group": f'the "{name}", group',
            "valence": 0.1,
            "arousal": -1,
        }
        for name, label in zip("abc", ("Süß", "Sad", "Sad"), strict=True)
    ]
    manifest.write(target, rows)
    catalog = manifest.catalog(target, sr=SR)
    assert catalog.groups[1] == 'the "b", group'
    assert catalog.classes == ("Sad", "Süß")
    np.testing.assert_allclose(catalog.valence_arousal, [[0.1, -1]] * 3)
    with open(target, encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["path"] == "../clips/a.wav"


def test_write_refuses_uneven_rows(clips):
    good = {"path": clips / "clips" / "a.wav", "group": "g", "label": "Sad"}
    for rows, words in (
        ([], "no rows"),
        ([good, good | {"id": "x"}], "row 1 has the keys"),
        ([{"path": "a"}], "row 0 has"),
    ):
        with pytest.raises(DataError, match=words):
            manifest.write(clips / "list.csv", rows)
    assert not (clips / "list.csv").exists()


def test_targets_replace_labels(clips):
    catalog = listed(
        clips, "path,group,target_calmness,target_power\nclips/a.wav,1,0.25,0\nclips/b.wav,2,0.5,1e-1\n"
    )
    assert catalog.target_names == ("calmness", "power")
    np.testing.assert_allclose(catalog.targets, [[0.25, 0], [0.5, 0.1]])
    assert catalog.labels.tolist() == [-1, -1]
    refuse(clips, "path,group,target_a\nclips/a.wav,1,much\n", "target_a is 'much', not a number")
    refuse(clips, "path,group,target_a,target_a\nclips/a.wav,1,1,1\n", "two columns named 'target_a'")


def test_targets_are_written_and_read_back(clips):
    rows = [
        {"path": clips / "clips" / "a.wav", "group": "1", "target_tense": 1},
        {"path": clips / "clips" / "b.wav", "group": "2", "target_tense": 0},
    ]
    manifest.write(clips / "tags.csv", rows)
    assert manifest.catalog(clips / "tags.csv", sr=SR).targets.tolist() == [[1.0], [0.0]]

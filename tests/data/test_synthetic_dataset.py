"""The synthetic clips as a catalog, as a folder of sound files and as a TFDS data set."""

import json
import pickle

import numpy as np
import pytest
import soundfile

from mer_jax.checks import ArgumentError, DataError
from mer_jax.data import load, synthetic
from mer_jax.data.synthetic import dataset


def test_catalog_states_that_it_is_synthetic():
    data = synthetic.catalog(15, seed=2)
    assert data.facts["synthetic"] == "yes"
    assert data.facts["seed"] == "2"
    assert data.classes == synthetic.CLASSES == ("Aggressive", "Dramatic", "Happy", "Romantic", "Sad")
    assert data.counts() == dict.fromkeys(synthetic.CLASSES, 3)


def test_catalog_agrees_with_render():
    data = synthetic.catalog(8, seed=1, duration_s=0.5, sr=16000)
    for row in (0, 7):
        y, cues = synthetic.render(row, seed=1, duration_s=0.5, sr=16000)
        np.testing.assert_array_equal(data.source[row], y)
        assert (data.ids[row], data.groups[row]) == (cues.clip_id, cues.group)
        assert data.labels[row] == cues.label
        np.testing.assert_allclose(data.valence_arousal[row], (cues.valence, cues.arousal), rtol=1e-6)
        assert data.durations_s[row] * data.sr == pytest.approx(len(y))


def test_a_larger_catalog_begins_with_the_smaller():
    small, large = synthetic.catalog(10), synthetic.catalog(31)
    assert large.ids[:10] == small.ids
    np.testing.assert_array_equal(large.labels[:10], small.labels)
    np.testing.assert_array_equal(large.valence_arousal[:10], small.valence_arousal)


def test_the_source_can_be_sent_to_a_worker():
    source = synthetic.catalog(3, duration_s=0.5).source
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[2], source[2])
    for row in (-1, 3):
        with pytest.raises(IndexError, match="of 3"):
            source[row]


@pytest.mark.parametrize("wrong", [{"num_clips": 0}, {"duration_s": -1.0}, {"sr": 1000}, {"seed": -1}])
def test_a_catalog_that_cannot_be_rendered_is_refused_at_once(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        synthetic.catalog(**wrong)


def test_load_by_name():
    data = load("synthetic", sr=16000)
    assert (data.name, data.sr, len(data)) == ("synthetic", 16000, 300)


def test_folder_has_the_layout_of_the_study(tmp_path):
    folder = synthetic.write_folder(tmp_path / "clips", 6, seed=1, duration_s=0.5)
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    expected = [f"{synthetic.cues(i, 1).mood}/{synthetic.cues(i, 1).clip_id}.wav" for i in range(6)]
    assert written == sorted([*expected, "facts.json", "manifest.csv"])
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == list(synthetic.CLASSES)
    assert json.loads((folder / "facts.json").read_text())["synthetic"] == "yes"
    header = (folder / "manifest.csv").read_text().splitlines()[0]
    assert header == "path,label,group,valence,arousal,id"


def test_manifest_reads_back_what_was_written(tmp_path):
    folder = synthetic.write_folder(tmp_path / "clips", 15, seed=1, duration_s=0.5)
    made, read = synthetic.catalog(15, seed=1, duration_s=0.5), load(folder / "manifest.csv")
    assert (read.classes, read.ids, read.groups) == (made.classes, made.ids, made.groups)
    np.testing.assert_array_equal(read.labels, made.labels)
    np.testing.assert_allclose(read.valence_arousal, made.valence_arousal, atol=1e-6)
    for row in (0, 14):
        np.testing.assert_allclose(read.source[row], made.source[row], atol=1.01 / 32768)
    header = soundfile.info(str(folder / made.classes[made.labels[0]] / f"{made.ids[0]}.wav"))
    assert (header.subtype, header.samplerate, header.channels) == ("PCM_16", 22050, 1)


def test_folder_in_the_way_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for target in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(DataError, match="already there"):
            synthetic.write_folder(target, 3, duration_s=0.5)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    synthetic.write_folder(tmp_path, 2, duration_s=0.5)
    assert len(list(tmp_path.rglob("*.wav"))) == 2


def test_a_folder_is_whole_or_not_there(tmp_path, monkeypatch):
    real = dataset.render

    def fail_late(index, **arguments):
        if index == 4:
            raise OSError("disk full")
        return real(index, **arguments)

    monkeypatch.setattr(dataset, "render", fail_late)
    with pytest.raises(OSError, match="disk full"):
        synthetic.write_folder(tmp_path / "clips", 6, duration_s=0.5)
    assert list(tmp_path.iterdir()) == []


def test_tfds_builder_round_trip(tmp_path):
    from mer_jax.data.builders.synthetic import Synthetic

    builder = Synthetic(num_clips=5, seed=3, duration_s=0.5, sr=16000, data_dir=tmp_path)
    other = Synthetic(num_clips=5, seed=4, duration_s=0.5, sr=16000, data_dir=tmp_path)
    assert builder.data_dir != other.data_dir
    builder.download_and_prepare()
    made, read = synthetic.catalog(5, seed=3, duration_s=0.5, sr=16000), load(builder.data_dir, sr=16000)
    assert (read.ids, read.groups, read.classes) == (made.ids, made.groups, made.classes)
    assert read.facts["synthetic"] == "yes"
    np.testing.assert_array_equal(read.labels, made.labels)
    np.testing.assert_allclose(read.source[4], made.source[4], atol=0.51 / 32768)
    item = builder.as_data_source(split="train")[4]
    assert item["id"].decode() == made.ids[4]
    assert item["valence"] == pytest.approx(made.valence_arousal[4, 0])

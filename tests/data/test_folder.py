import shutil

import numpy as np
import pytest
import soundfile
from small_sets import SR, tone

from mer_jax import data
from mer_jax.checks import DataError
from mer_jax.data import folder


def test_sub_folders_are_classes(mood_folder):
    catalog = folder.catalog(mood_folder, sr=SR)
    assert catalog.name == "moods"
    assert catalog.classes == ("Happy", "Sad")
    assert catalog.counts() == {"Happy": 12, "Sad": 12}
    assert catalog.ids[:2] == ("Happy/H00.flac", "Happy/H01.flac")
    assert "Happy/disc 2/H09.flac" in catalog.ids
    assert catalog.groups[0] == "H00"
    assert catalog.valence_arousal is None
    np.testing.assert_array_equal(catalog.labels, [0] * 12 + [1] * 12)


def test_clips_and_durations(mood_folder):
    catalog = folder.catalog(mood_folder, sr=SR)
    row = catalog.ids.index("Sad/disc 2/S11.flac")
    np.testing.assert_allclose(catalog.source[row], tone(31, 1.6), atol=2**-15)
    assert catalog.durations_s[row] == pytest.approx(1.6)
    np.testing.assert_allclose(catalog.source.excerpt(row, 3000, 500), tone(31, 1.6)[3000:3500], atol=2**-15)


def test_durations_are_those_after_resampling(mood_folder):
    catalog = folder.catalog(mood_folder, sr=22050)
    for row in (0, 11, 23):
        assert catalog.source[row].size == round(catalog.durations_s[row] * 22050)


def test_case_is_kept(mood_folder):
    (mood_folder / "Sad").rename(mood_folder / "saD & gone")
    assert folder.catalog(mood_folder).classes == ("Happy", "saD & gone")


def test_headers_can_wait(mood_folder):
    (mood_folder / "Sad" / "bad.wav").write_bytes(b"nonsense")
    assert folder.catalog(mood_folder, read_headers=False).durations_s is None
    with pytest.raises(DataError, match=r"1 of 25 audio files cannot be used: .*bad\.wav: cannot be decoded"):
        folder.catalog(mood_folder)


def test_many_bad_files_are_counted_not_all_shown(mood_folder):
    for i in range(9):
        (mood_folder / "Sad" / f"bad{i}.wav").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"9 of 33 audio files .*bad4\.wav.* and 4 more") as caught:
        folder.catalog(mood_folder)
    assert "bad5.wav" not in str(caught.value)


def refuse(path, words):
    with pytest.raises(DataError, match=words):
        data.load(path)


def test_layouts_that_are_not_one_folder_a_class(mood_folder, tmp_path):
    (tmp_path / "nothing").mkdir()
    refuse(tmp_path / "nothing", "holds no audio in sub-folders")
    refuse(mood_folder / "Happy" / "disc 2", "has audio files but no class folders")
    (mood_folder / "Angry").mkdir()
    refuse(mood_folder, "Angry: holds no audio")


def test_a_wrapper_folder_is_pointed_out(mood_folder, tmp_path):
    wrapper = tmp_path / "wrapper"
    wrapper.mkdir()
    shutil.move(mood_folder, wrapper)
    refuse(wrapper, "has only one class folder, 'moods'.*name '.*moods'")


def test_equal_names_but_for_case(mood_folder):
    (mood_folder / "happy").mkdir()
    soundfile.write(mood_folder / "happy" / "a.wav", tone(1, 0.5), SR)
    refuse(mood_folder, "has the class folders 'Happy' and 'happy'")


def test_audio_of_another_kind_is_not_passed_over(mood_folder):
    (mood_folder / "Happy" / "song.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    refuse(mood_folder, r"song\.m4a: audio files of type \.m4a cannot be decoded")

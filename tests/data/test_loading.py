import pytest
from small_sets import SR

from mer_jax import data
from mer_jax.checks import DataError
from mer_jax.data import memory


def test_kinds_are_told_apart(mood_folder, tmp_path):
    (tmp_path / "list.CSV").write_text(
        "path,label,group\nmoods/Happy/H00.flac,Happy,1\nmoods/Sad/S00.flac,Sad,2\n"
    )
    assert len(data.load(str(mood_folder), sr=SR)) == 24
    assert len(data.load(tmp_path / "list.CSV", sr=SR)) == 2


def test_audio_is_kept_in_memory(mood_folder):
    catalog = data.load(mood_folder, sr=SR)
    assert isinstance(catalog.source, memory.Memory)
    first = catalog.source.clip(0)
    assert catalog.source.clip(0) is first


def test_synthetic():
    catalog = data.load("synthetic", sr=22050)
    assert catalog.facts["synthetic"] == "yes"
    assert catalog.sr == 22050
    assert catalog.source[0].ndim == 1


def test_what_is_not_there_or_not_a_data_set(mood_folder, tmp_path):
    with pytest.raises(DataError, match=r"there is no such data set; .*did you mean 'moods'"):
        data.load(tmp_path / "mods")
    with pytest.raises(DataError, match="did you mean 'synthetic'"):
        data.load("synthtic")
    with pytest.raises(DataError, match="is a file, but not a CSV"):
        data.load(mood_folder / "Happy" / "H00.flac")


def test_the_synthetic_data_set_of_any_size():
    catalog = data.load("synthetic:30")
    assert len(catalog) == 30
    assert catalog.ids == data.load("synthetic").ids[:30]
    for spec in ("synthetic:", "synthetic:0", "synthetic:many"):
        with pytest.raises(DataError, match="number of clips"):
            data.load(spec)

import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from small_sets import SR, Tones, tone, tones_catalog

from mer_jax import data
from mer_jax.checks import ArgumentError, AudioError, DataError
from mer_jax.data import Dynamic, folder
from mer_jax.data.builders import base, shards
from mer_jax.data.memory import to_int16
from mer_jax.data.prepare import command, prepare


@pytest.fixture
def prepared(mood_folder, tmp_path):
    return prepare(mood_folder, tmp_path / "prepared", sr=SR)


def test_everything_comes_back(mood_folder, prepared):
    source, catalog = folder.catalog(mood_folder, sr=SR), data.load(prepared.path, sr=SR)
    assert (prepared.num_clips, prepared.refused) == (24, ())
    assert prepared.seconds == pytest.approx(source.durations_s.sum())
    for column in ("name", "classes", "ids", "groups", "sr"):
        assert getattr(catalog, column) == getattr(source, column)
    np.testing.assert_array_equal(catalog.labels, source.labels)
    np.testing.assert_allclose(catalog.durations_s, source.durations_s)
    for row in range(24):
        np.testing.assert_array_equal(catalog.source[row], source.source[row])  # 16-bit files: exactly


def test_ratings_and_facts_come_back(tmp_path):
    clips = tones_catalog(Tones([4000] * 6))
    path = prepare(clips, tmp_path / "out", sr=SR).path
    catalog = data.load(path, sr=SR)
    np.testing.assert_array_equal(catalog.valence_arousal, clips.valence_arousal)
    assert catalog.facts == dict(clips.facts)
    np.testing.assert_array_equal(catalog.source.clip(3), to_int16(clips.source[3]))


def test_ratings_over_time_splits_and_further_columns_come_back(tmp_path):
    rng = np.random.default_rng(0)
    series = tuple(rng.uniform(-1, 1, (n, 2)).astype(np.float32) for n in (3, 0, 7, 1))
    clips = replace(
        tones_catalog(Tones([4000] * 4)),
        rating_range=(1.0, 9.0),
        dynamic=Dynamic(2.0, np.array([15.0, 15.0, 15.5, 0.0]), series),
        official={"tvt": ("train", "", "validation", "test")},
        extra={"artist": ("a", "b", "b", "ü"), "shipped_valence": (1.0, 2.5, 3.0, 9.0)},
    )
    catalog = data.load(prepare(clips, tmp_path / "out", sr=SR).path, sr=SR)
    assert catalog.rating_range == (1, 9)
    assert (catalog.official, catalog.extra) == (clips.official, clips.extra)
    assert catalog.dynamic.rate_hz == 2
    np.testing.assert_array_equal(catalog.dynamic.start_s, clips.dynamic.start_s)
    for found, expected in zip(catalog.dynamic.valence_arousal, series, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_items_are_those_of_tfds(tmp_path):
    import tensorflow_datasets as tfds

    clips = tones_catalog(Tones([4000] * 6))
    path = prepare(clips, tmp_path / "out", sr=SR).path
    records = tfds.builder_from_directory(path).as_data_source(split="train")
    item = records[5]
    assert set(item) == {"id", "waveform", "sr", "group", "label", "valence", "arousal"}
    assert (item["id"], item["group"], item["label"], item["sr"]) == (b"clip 5", b"song 2", 1, SR)
    assert (item["waveform"].dtype, item["waveform"].shape) == (np.int16, (4000,))
    np.testing.assert_array_equal(np.float32([item["valence"], item["arousal"]]), clips.valence_arousal[5])
    info = tfds.builder_from_directory(path).info
    assert info.features["label"].names == ["Happy", "Sad"]
    assert info.splits["train"].num_examples == 6


def test_sets_without_classes_or_ratings(tmp_path):
    from dataclasses import replace

    rated = replace(tones_catalog(Tones([4000] * 3)), classes=(), labels=np.full(3, -1, np.int32))
    assert data.load(prepare(rated, tmp_path / "rated", sr=SR).path, sr=SR).labels.tolist() == [-1] * 3
    partly = replace(tones_catalog(Tones([4000] * 3), ratings=False), labels=np.array([0, -1, 1], np.int32))
    catalog = data.load(prepare(partly, tmp_path / "partly", sr=SR).path, sr=SR)
    assert catalog.labels.tolist() == [0, -1, 1]
    assert catalog.valence_arousal is None


def test_preparing_does_not_fill_the_memory_of_a_loaded_set(mood_folder, tmp_path):
    loaded = data.load(mood_folder, sr=SR)
    prepare(loaded, tmp_path / "out", sr=SR)
    assert loaded.source.used_bytes == 0


def test_a_prepared_set_can_be_prepared_again(prepared, tmp_path):
    again = prepare(prepared.path, tmp_path / "again", sr=SR)
    for row in range(24):
        first, second = (data.load(path, sr=SR).source.clip(row) for path in (prepared.path, again.path))
        np.testing.assert_array_equal(first, second)


def test_float32_is_neither_rounded_nor_clipped(tmp_path):
    class Loud(Tones):
        def __getitem__(self, row):
            return super().__getitem__(row) + np.float32(1 + 1e-6)

    clips = tones_catalog(Loud([4000] * 3))
    path = prepare(clips, tmp_path / "out", sr=SR, dtype="float32").path
    catalog = data.load(path, sr=SR)
    np.testing.assert_array_equal(catalog.source.source[2], clips.source[2])
    assert catalog.source.source[2].max() > 1
    np.testing.assert_array_equal(catalog.source.clip(2), to_int16(clips.source[2]))  # what training reads
    again = data.load(prepare(catalog, tmp_path / "again", sr=SR).path, sr=SR)
    np.testing.assert_array_equal(again.source.clip(2), to_int16(clips.source[2]))
    with pytest.raises(ArgumentError, match=r"dtype: is 'float64'; expected one of 'int16', 'float32'"):
        prepare(clips, tmp_path / "other", sr=SR, dtype="float64")


def test_several_shards_keep_the_order(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * 2 * 4000)
    clips = tones_catalog(Tones([4000] * 13))
    path = prepare(clips, tmp_path / "out", sr=SR).path
    assert len(list(path.glob("*.array_record-*"))) == 3
    catalog = data.load(path, sr=SR)
    for row in range(13):
        np.testing.assert_array_equal(catalog.source.clip(row), to_int16(clips.source[row]))


def test_a_shard_is_all_that_is_held_in_memory(tmp_path, monkeypatch):
    clip_bytes = 2 * 200_000
    monkeypatch.setattr(shards, "SHARD_BYTES", 5 * clip_bytes)
    clips = tones_catalog(Tones([200_000] * 80))
    tracemalloc.start()
    prepare(clips, tmp_path / "out", sr=SR)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(list((tmp_path / "out").glob("*.array_record-*"))) == 16
    # A shard, a few clips being decoded in float32 or float64, and their serialised copies; all clips are twice the bound.
    assert peak < 40 * clip_bytes


def test_bad_files_are_refused_by_name(mood_folder, tmp_path, capsys):
    (mood_folder / "Happy" / "A0.wav").write_bytes(b"nonsense")
    whole = (mood_folder / "Sad" / "S03.flac").read_bytes()
    (mood_folder / "Sad" / "S03.flac").write_bytes(whole[: len(whole) // 2])
    status = command(str(mood_folder), tmp_path / "out", manual_dir=None, partial=False, sr=SR, dtype="int16")
    shown = capsys.readouterr()
    assert status == 2
    assert "23 clips" in shown.out
    assert "A0.wav: cannot be decoded" in shown.err
    assert "S03.flac: is truncated or damaged" in shown.err
    catalog = data.load(tmp_path / "out", sr=SR)
    assert len(catalog) == 23
    assert not {"Happy/A0.wav", "Sad/S03.flac"} & set(catalog.ids)
    row = catalog.ids.index("Sad/S04.flac")
    np.testing.assert_allclose(catalog.source[row], tone(24, 0.9), atol=2**-15)
    refused = json.loads((tmp_path / "out" / "catalog.json").read_text())["refused"]
    assert {r["id"] for r in refused} == {"Happy/A0.wav", "Sad/S03.flac"}


def test_a_shard_of_refused_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 2 * 2 * 4000)

    class Broken(Tones):
        def __getitem__(self, row):
            if row in (2, 3):
                raise AudioError(f"clip {row}", "is broken")
            return super().__getitem__(row)

    result = prepare(tones_catalog(Broken([4000] * 6)), tmp_path / "out", sr=SR)
    assert [r.id for r in result.refused] == ["clip 2", "clip 3"]
    catalog = data.load(result.path, sr=SR)
    assert catalog.ids == ("clip 0", "clip 1", "clip 4", "clip 5")
    np.testing.assert_array_equal(catalog.source.clip(2), to_int16(Tones([4000] * 6)[4]))


@pytest.mark.parametrize(
    "error", [AudioError("clip", "is broken"), RuntimeError("the disk is gone"), KeyboardInterrupt()]
)
def test_nothing_is_left_of_what_fails(tmp_path, error):
    class Failing(Tones):
        def __getitem__(self, row):
            if isinstance(error, AudioError) or row == 4:
                raise error
            return super().__getitem__(row)

    expected = DataError if isinstance(error, AudioError) else type(error)
    with pytest.raises(expected):
        prepare(tones_catalog(Failing([4000] * 6)), tmp_path / "out", sr=SR)
    assert os.listdir(tmp_path) == []


def test_what_is_in_the_way(mood_folder, prepared, tmp_path):
    with pytest.raises(DataError, match="exists already"):
        prepare(mood_folder, prepared.path, sr=SR)
    with pytest.raises(DataError, match="exists and is not a prepared data set"):
        prepare(mood_folder, mood_folder, sr=SR, overwrite=True)
    (tmp_path / "empty").mkdir()
    assert prepare(mood_folder, tmp_path / "empty", sr=SR).num_clips == 24
    soundfile.write(mood_folder / "Sad" / "T00.flac", tone(1, 0.5), SR)
    assert prepare(mood_folder, prepared.path, sr=SR, overwrite=True).num_clips == 25
    assert sorted(os.listdir(tmp_path)) == ["empty", "moods", "prepared"]


def test_progress_is_told(mood_folder, tmp_path):
    told = []
    prepare(mood_folder, tmp_path / "out", sr=SR, progress=lambda done, total: told.append((done, total)))
    assert told == [(i, 24) for i in range(1, 25)]


def test_rate_is_checked(prepared, tmp_path):
    with pytest.raises(DataError, match="was prepared at 8000 Hz, not 22050 Hz"):
        data.load(prepared.path)
    with pytest.raises(DataError, match="has sr 8000; expected 22050"):
        prepare(tones_catalog(Tones([4000] * 3)), tmp_path / "out")


def damage(path, change):
    content = bytearray(path.read_bytes())
    path.write_bytes(change(content))


def read_all(path):
    catalog = data.load(path, sr=SR)
    return [catalog.source[row] for row in range(len(catalog))]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("catalog.json", lambda b: b[: len(b) // 2], "catalog.json: is damaged"),
        ("catalog.json", lambda b: b.replace(b'"format": 1', b'"format": 9'), "is of another version"),
        ("catalog.json", lambda b: b.replace(b'"groups"', b'"grapes"'), "catalog.json: is damaged"),
        (
            "catalog.json",
            lambda b: b.replace(b"4000,\n4800,", b"4000,\n4801,"),
            "has 4800 samples, 4801 in its index",
        ),
        (
            "clips-train.array_record-00000-of-00001",
            lambda b: b[: len(b) // 2],
            "its records cannot be opened",
        ),
        ("clips-train.array_record-00000-of-00001", lambda b: b"", "its records cannot be opened"),
        ("features.json", lambda b: b"", "its records cannot be opened"),
        ("dataset_info.json", lambda b: b'{"a": ', "its records cannot be opened"),
    ],
)
def test_damaged_folders(prepared, name, change, words):
    damage(prepared.path / name, change)
    with pytest.raises(DataError, match=words) as caught:
        read_all(prepared.path)
    assert str(prepared.path) in str(caught.value)


def test_a_flipped_bit_in_the_audio(prepared):
    shard = prepared.path / "clips-train.array_record-00000-of-00001"
    damage(shard, lambda b: b[:150000] + bytes([b[150000] ^ 1]) + b[150001:])
    with pytest.raises(DataError, match=r"record \d+ is damaged"):
        read_all(prepared.path)


def test_missing_shard(prepared):
    (prepared.path / "clips-train.array_record-00000-of-00001").unlink()
    with pytest.raises(DataError, match="its records cannot be opened"):
        data.load(prepared.path, sr=SR)


WITHOUT_TENSORFLOW = """
import sys
from importlib.machinery import PathFinder

class Finder:  # finds everything but TensorFlow, as where it is not installed
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name == "tensorflow" else PathFinder.find_spec(name, path, target)
    invalidate_caches = PathFinder.invalidate_caches

sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
from mer_jax import data
from mer_jax.data.prepare import prepare
from mer_jax.data.pipeline import Loader
result = prepare(sys.argv[1], sys.argv[2], sr=8000)
catalog = data.load(result.path, sr=8000)
loader = Loader(catalog, range(24), batch_size=8, num_samples=4000, shuffle=True, seed=0, drop_remainder=True, num_epochs=1)
print(sum(batch["waveform"].shape[0] for batch in loader), "tensorflow" in sys.modules)
"""


def test_building_and_reading_need_no_tensorflow(mood_folder, tmp_path):
    out = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(mood_folder), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert out.stdout.split() == ["24", "False"]


def test_builders_of_their_own(tmp_path):
    """What a module in ``builders`` does: classes known beforehand, data found in ``manual_dir``."""
    import tensorflow_datasets as tfds

    class PitchMoods(base.ClipBuilder):
        MANUAL_DOWNLOAD_INSTRUCTIONS = "Put the folder here."
        classes = ("Happy", "Sad")

        def catalog(self, manual_dir):
            assert (manual_dir / "here").is_file()
            return tones_catalog(Tones([4000] * 4))

    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "here").touch()
    builder = PitchMoods(data_dir=tmp_path / "tfds", sr=SR)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "manual"))
    assert builder.refused == []
    assert data.load(str(builder.data_dir), sr=SR).counts() == {"Happy": 2, "Sad": 2}


def test_targets_are_prepared_with_the_clips(tmp_path):
    from dataclasses import replace

    targets = np.array([[0.5, 1.0], [0.25, 0.0], [0.125, 1.0]], np.float32)
    clips = replace(tones_catalog(Tones([4000] * 3)), targets=targets, target_names=("power", "joy"))
    found = data.load(prepare(clips, tmp_path / "out", sr=SR).path, sr=SR)
    assert found.target_names == ("power", "joy")
    np.testing.assert_array_equal(found.targets, targets)

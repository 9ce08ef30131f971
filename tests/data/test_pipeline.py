import json
import subprocess
import sys

import numpy as np
import pytest
from small_sets import SR, SeekableTones, Tones, tones_catalog

from mer_jax import data
from mer_jax.checks import ArgumentError, AudioError, DataError
from mer_jax.data import memory
from mer_jax.data.pipeline import Loader
from mer_jax.data.prepare import prepare

LENGTHS = [500 + 37 * i for i in range(23)]
NUM_SAMPLES = 800
SHAPES = {
    "waveform": ((5, NUM_SAMPLES), np.float32),
    "length": ((5,), np.int32),
    "label": ((5,), np.int32),
    "valence_arousal": ((5, 2), np.float32),
    "target": ((5, 0), np.float32),
    "start": ((5,), np.int32),
    "index": ((5,), np.int32),
    "weight": ((5,), np.float32),
}


def loader(source=None, rows=range(23), *, durations=True, ratings=True, **arguments):
    catalog = tones_catalog(source or Tones(LENGTHS), durations=durations, ratings=ratings)
    defaults = {
        "batch_size": 5,
        "num_samples": NUM_SAMPLES,
        "shuffle": True,
        "seed": 0,
        "drop_remainder": False,
        "num_epochs": 1,
    }
    return Loader(catalog, list(rows), **(defaults | arguments))


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        for name in SHAPES:
            np.testing.assert_array_equal(batch[name], other[name], err_msg=name)


def order(batches):
    return [int(row) for batch in batches for row in batch["index"][batch["weight"] > 0]]


def start_of(row, waveform, stride=1400):
    """Where in clip ``row`` a waveform was cut: its samples say so."""
    return round(float(waveform[0]) * 32768) - stride * int(row)


def test_shapes_never_change():
    for batch in loader():
        assert set(batch) == set(SHAPES)
        for name, (shape, dtype) in SHAPES.items():
            assert (batch[name].shape, batch[name].dtype) == (shape, dtype), name


def test_an_epoch_holds_every_row_once():
    rows = [3, 5, 8, 13, 21, 2, 0]
    found = order(loader(rows=rows))
    assert sorted(found) == sorted(rows)
    assert found != rows
    assert order(loader(rows=rows, shuffle=False)) == rows


def test_clips_labels_and_ratings_belong_together():
    catalog = tones_catalog(Tones(LENGTHS))
    for batch in loader():
        for i, row in enumerate(batch["index"]):
            assert batch["label"][i] == catalog.labels[row]
            np.testing.assert_array_equal(batch["valence_arousal"][i], catalog.valence_arousal[row])
            length = batch["length"][i]
            assert length == min(NUM_SAMPLES, LENGTHS[row])
            start = start_of(row, batch["waveform"][i])
            expected = memory.to_int16(Tones(LENGTHS)[int(row)][start : start + length]) / np.float32(32768)
            np.testing.assert_array_equal(batch["waveform"][i, :length], expected)
            assert not batch["waveform"][i, length:].any()


def test_no_ratings_are_zeros():
    assert not next(iter(loader(ratings=False)))["valence_arousal"].any()


def test_the_remainder_is_filled_with_weight_zero():
    batches = list(loader(shuffle=False))
    assert len(batches) == loader().steps_per_epoch == 5
    last = batches[-1]
    np.testing.assert_array_equal(last["weight"], [1, 1, 1, 0, 0])
    for name in ("waveform", "length", "label", "valence_arousal", "index"):
        for filler in (3, 4):
            np.testing.assert_array_equal(last[name][filler], last[name][0])
    assert all(batch["weight"].all() for batch in batches[:-1])


def test_the_remainder_can_be_dropped():
    dropped = loader(drop_remainder=True, num_epochs=4)
    batches = list(dropped)
    assert dropped.steps_per_epoch == 4
    assert len(batches) == 16
    assert all(batch["weight"].all() for batch in batches)
    missing = [set(range(23)) - set(order(batches[4 * e : 4 * e + 4])) for e in range(4)]
    assert all(len(rows) == 3 for rows in missing)
    assert len(set().union(*missing)) > 3, "the same clips are left out in every epoch"


def test_orders_differ_by_epoch_and_by_seed():
    epochs = {}
    for seed in (0, 1):
        batches = list(loader(seed=seed, num_epochs=3))
        for epoch in range(3):
            epochs[seed, epoch] = tuple(order(batches[5 * epoch : 5 * epoch + 5]))
    assert len(set(epochs.values())) == 6
    assert all(sorted(rows) == list(range(23)) for rows in epochs.values())


def test_goes_on_for_ever():
    batches = iter(loader(num_epochs=None))
    assert len([next(batches) for _ in range(23)]) == 23


@pytest.mark.parametrize(("crop", "share"), [("start", 0), ("center", 0.5)])
def test_fixed_crops(crop, share):
    for batch in loader(crop=crop):
        for i, row in enumerate(batch["index"]):
            spare = max(0, LENGTHS[row] - NUM_SAMPLES)
            assert start_of(row, batch["waveform"][i]) == int(share * spare)


def test_random_crops_are_drawn_for_each_clip_and_epoch():
    long = Tones([20 * NUM_SAMPLES] * 10, stride=0)
    batches = list(loader(long, range(10), num_epochs=40))
    starts = {}
    for step, batch in enumerate(batches):
        for i, row in enumerate(batch["index"].tolist()):
            starts[row, step // 2] = start_of(row, batch["waveform"][i], stride=0)
    values = np.array(list(starts.values()))
    assert values.size == 400
    assert len(set(values.tolist())) > 350
    # Uniform over 0..19 x 800: mean and spread within four standard errors.
    assert abs(values.mean() - 7600) < 4 * 15200 / np.sqrt(12 * 400)
    assert values.min() < 800
    assert values.max() > 14400


def test_a_crop_does_not_depend_on_the_other_clips():
    """Seeded by (seed, epoch, row): the same clip is cut alike whoever else is loaded, in whatever batch."""
    long = Tones([5 * NUM_SAMPLES] * 10, stride=0)
    cuts = []
    for rows, size in ((range(10), 5), ([7, 2], 1)):
        batches = loader(long, rows, batch_size=size, num_epochs=2, shuffle=False)
        found = [
            (row, start_of(row, y, stride=0))
            for batch in batches
            for row, y in zip(batch["index"].tolist(), batch["waveform"], strict=True)
        ]
        cuts.append([pair for pair in found if pair[0] == 7])
    assert cuts[0] == cuts[1]


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_threads_change_nothing(threads):
    assert_same(list(loader(num_epochs=3)), list(loader(num_epochs=3, threads=threads)))


@pytest.mark.parametrize("source", [Tones, SeekableTones])
@pytest.mark.parametrize("durations", [True, False])
def test_memory_changes_nothing(source, durations):
    kept = list(loader(num_epochs=2))
    assert_same(kept, list(loader(source(LENGTHS), durations=durations, num_epochs=2, budget_bytes=0)))
    assert_same(kept, list(loader(source(LENGTHS), durations=durations, num_epochs=2, budget_bytes=9000)))


def test_each_clip_is_decoded_once():
    source = Tones(LENGTHS)
    list(loader(source, num_epochs=3))
    assert source.renderings == [1] * 23


def test_loaders_share_the_memory_of_a_catalog():
    source = Tones(LENGTHS)
    catalog = memory.in_memory(tones_catalog(source))
    for rows in (range(10), range(5, 23), range(23)):
        list(
            Loader(
                catalog,
                rows,
                batch_size=4,
                num_samples=100,
                shuffle=True,
                seed=0,
                drop_remainder=False,
                num_epochs=1,
            )
        )
    assert source.renderings == [1] * 23


@pytest.mark.parametrize("after", [0, 1, 7, 10, 14])
def test_resumes_exactly(after):
    """Killed after any batch, in the middle of an epoch or between two, another process goes on with the same ones."""
    whole = list(loader(num_epochs=3))
    first = iter(loader(num_epochs=3))
    assert_same([next(first) for _ in range(after)], whole[:after])
    saved = json.dumps(first.get_state())
    assert_same(list(first), whole[after:])  # asking for the state disturbs nothing
    second = iter(loader(num_epochs=3))
    next(second)
    second.set_state(json.loads(saved))
    assert_same(list(second), whole[after:])


RESUME = """
import json, sys, zlib
sys.path.insert(0, sys.argv[1])
from test_pipeline import loader
batches = iter(loader(num_epochs=3))
batches.set_state(json.loads(sys.argv[2]))
print([zlib.crc32(batch["waveform"].tobytes()) for batch in batches])
"""


def test_resumes_exactly_in_another_process(request):
    import zlib

    batches = iter(loader(num_epochs=3))
    for _ in range(7):
        next(batches)
    state = json.dumps(batches.get_state())
    out = subprocess.run(
        [sys.executable, "-c", RESUME, str(request.path.parent), state],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(out.stdout) == [zlib.crc32(batch["waveform"].tobytes()) for batch in batches]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 1}, "was saved with seed 0, not 1"),
        ({"batch_size": 4}, "was saved with batch_size 5, not 4"),
        ({"rows": range(22)}, "was saved with clips '23:.*', not '22:.*'"),
        ({"crop": "start"}, "was saved with crop 'random', not 'start'"),
    ],
)
def test_a_state_of_other_batches_is_refused(changed, words):
    state = iter(loader()).get_state()
    with pytest.raises(DataError, match=words):
        iter(loader(**changed)).set_state(state)
    with pytest.raises(DataError, match="is not the state of a loader"):
        iter(loader()).set_state({"next_index": 3})


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"rows": []}, DataError, "no rows to load"),
        ({"rows": [0, 23]}, DataError, r"has no row 23; expected 0\.\.22"),
        ({"rows": [-1]}, DataError, "has no row -1"),
        ({"rows": [0, 1], "drop_remainder": True}, DataError, "2 clips do not fill one batch of 5"),
        ({"crop": "centre"}, ArgumentError, "did you mean 'center'"),
        ({"batch_size": 0}, ArgumentError, "batch_size: is 0"),
        ({"num_samples": 0}, ArgumentError, "num_samples: is 0"),
        ({"seed": 2**32}, ArgumentError, "seed: is 4294967296"),
        ({"num_epochs": 0}, ArgumentError, "num_epochs: is 0"),
    ],
)
def test_settings_that_cannot_be(arguments, error, words):
    with pytest.raises(error, match=words):
        loader(**arguments)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_bad_file_stops_with_its_name(threads):
    class Broken(Tones):
        def __getitem__(self, row):
            if row == 9:
                raise AudioError("clip9.wav", "is truncated")
            return super().__getitem__(row)

    with pytest.raises(AudioError, match=r"clip9\.wav: is truncated"):
        list(loader(Broken(LENGTHS), threads=threads))


def test_one_clip():
    batches = list(loader(rows=[4], num_epochs=3))
    assert [batch["index"].tolist() for batch in batches] == [[4] * 5] * 3


def test_prepared_and_file_sets_give_the_same_batches(mood_folder, tmp_path):
    prepared = prepare(mood_folder, tmp_path / "prepared", sr=SR).path
    batches = [
        list(
            Loader(
                data.load(spec, sr=SR), range(24), batch_size=7, num_samples=6000, shuffle=True, seed=5,
                drop_remainder=False, num_epochs=2, budget_bytes=budget,
            )
        )
        for spec, budget in ((mood_folder, 2**30), (prepared, 2**30), (prepared, 0))
    ]  # fmt: skip
    assert_same(batches[0], batches[1])
    assert_same(batches[0], batches[2])


def test_development_sets(emopia_dir, emotify_dir):
    from mer_jax.data.catalog import Catalog
    from mer_jax.data.files import FileSource, durations

    for folder in (emopia_dir, emotify_dir):
        paths = sorted((folder / "audio").rglob("*.ogg"))[:3]
        catalog = Catalog(
            name=folder.name,
            classes=("any",),
            ids=tuple(path.stem for path in paths),
            groups=tuple(path.stem for path in paths),
            labels=np.zeros(3, np.int32),
            valence_arousal=None,
            sr=22050,
            durations_s=durations(paths, sr=22050, where=folder),
            source=FileSource(paths, sr=22050),
        )
        kept, sought = (
            list(
                Loader(
                    catalog, range(3), batch_size=3, num_samples=22050, shuffle=True, seed=0, drop_remainder=False,
                    num_epochs=1, budget_bytes=budget,
                )
            )
            for budget in (2**30, 0)
        )  # fmt: skip
        assert 1e-3 < np.abs(kept[0]["waveform"]).max() <= 1
        # Decoding from the middle of a Vorbis stream may round differently in the last of 24 bits.
        np.testing.assert_allclose(kept[0]["waveform"], sought[0]["waveform"], atol=1.01 / 32768)

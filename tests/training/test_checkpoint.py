"""What is stored comes back bit for bit; what was damaged afterwards is refused, whichever file it was."""

import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.training import checkpoint

RECORD = {"step": 7, "epochs": [{"epoch": 1, "loss": 0.1 + 0.2}], "none": None}


def tree(rng):
    return {
        "params": {"layers": {"0": {"kernel": rng.normal(size=(40, 30)).astype(np.float32)}}},
        "half": jnp.asarray(rng.normal(size=3), jnp.bfloat16),
        "count": np.int32(5),
        "key": np.array([1, 2**32 - 1], np.uint32),
        "list": [np.zeros(2, np.float32), np.float32(np.nan)],
    }


def restore(run_dir, step, like):
    store = checkpoint.Store(run_dir, "latest")
    try:
        return store.restore(step, like)
    finally:
        store.close()


def save(run_dir, step, arrays, record=RECORD):
    store = checkpoint.Store(run_dir, "latest")
    try:
        store.save(step, arrays, record)
    finally:
        store.close()


def assert_same_bits(a, b):
    import jax

    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes()), path


def test_what_is_saved_comes_back_bit_for_bit(rng, tmp_path):
    arrays = tree(rng)
    save(tmp_path, 7, arrays)
    restored, record = restore(tmp_path, 7, arrays)
    assert_same_bits(restored, arrays)
    assert record == RECORD


def test_old_checkpoints_go_once_newer_ones_are_complete(tmp_path):
    store = checkpoint.Store(tmp_path, "latest", keep=2)
    for step in (1, 5, 9):
        store.save(step, {"w": np.float32(step)}, {})
    assert store.steps() == [5, 9]
    store.drop_after(5)
    assert store.steps() == [5]
    store.close()


def test_a_reader_leaves_alone_what_another_process_is_writing(tmp_path):
    like = {"w": np.ones(2, np.float32)}
    save(tmp_path, 7, like)
    unfinished = tmp_path / "checkpoints" / "latest" / "8.orbax-checkpoint-tmp"
    unfinished.mkdir()
    reader = checkpoint.Store(tmp_path, "latest", read_only=True)
    assert reader.steps() == [7]
    reader.restore(7, like)
    reader.close()
    assert unfinished.is_dir()
    save(tmp_path, 9, like)
    assert not unfinished.exists(), "a writer clears away what a killed one left"


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_damage_to_any_file_is_found(rng, tmp_path, damage):
    """Whole or refused, never different: some of orbax's files repeat what others say and may be missed."""
    arrays = tree(rng)
    save(tmp_path / "intact", 7, arrays)
    root = tmp_path / "intact" / "checkpoints" / "latest" / "7"
    files = sorted(path.relative_to(tmp_path / "intact") for path in root.rglob("*") if path.is_file())
    assert len(files) > 5
    refused = set()
    for number, name in enumerate(files):
        copy = tmp_path / str(number)
        shutil.copytree(tmp_path / "intact", copy)
        content = bytearray((copy / name).read_bytes())
        if damage == "delete":
            (copy / name).unlink()
        elif damage == "truncate":
            (copy / name).write_bytes(content[: len(content) // 2])
        elif content:
            content[len(content) // 2] ^= 0x04
            (copy / name).write_bytes(content)
        try:
            restored, record = restore(copy, 7, arrays)
        except checks.CheckpointError as error:
            refused.add(name if error.where.startswith(str(copy)) else "")
        else:
            assert_same_bits(restored, arrays)
            assert record == RECORD
    largest = max(files, key=lambda name: (tmp_path / "intact" / name).stat().st_size)
    assert largest in refused
    assert "" not in refused, "each error names the folder"


def test_a_changed_record_is_found(tmp_path):
    save(tmp_path, 7, {"w": np.ones(2, np.float32)})
    (file,) = (tmp_path / "checkpoints" / "latest" / "7" / "record").glob("*metadata*")
    file.write_text(file.read_text().replace('"step": 7', '"step": 8').replace('"step":7', '"step":8'))
    with pytest.raises(checks.CheckpointError, match=r"does not match its checksum.*train again"):
        restore(tmp_path, 7, {"w": np.ones(2, np.float32)})


def test_an_older_checkpoint_is_offered(tmp_path):
    like = {"w": np.ones(2, np.float32)}
    save(tmp_path, 3, like)
    save(tmp_path, 7, like)
    shutil.rmtree(tmp_path / "checkpoints" / "latest" / "7" / "arrays")
    with pytest.raises(checks.CheckpointError, match="delete this folder to go on from step 3"):
        restore(tmp_path, 7, like)


def test_another_shape_is_refused(tmp_path):
    save(tmp_path, 7, {"w": np.ones(2, np.float32)})
    with pytest.raises(checks.CheckpointError, match="expected"):
        restore(tmp_path, 7, {"w": np.ones(3, np.float32)})


class Layers(nnx.Module):
    """Lists in lists: their places are integers, which a checkpoint cannot hold."""

    def __init__(self, rngs):
        self.blocks = nnx.List([nnx.List([nnx.Linear(2, 2, rngs=rngs) for _ in range(2)]) for _ in range(11)])
        self.norm = nnx.BatchNorm(2, rngs=rngs)


def test_a_model_of_lists_comes_back(tmp_path):
    from mer_jax.training.step import split

    model, other = Layers(nnx.Rngs(0)), Layers(nnx.Rngs(1))
    _, params, rest = split(model)
    store = checkpoint.Store(tmp_path, "best")
    checkpoint.save_best(store, 3, params, rest, {"epoch": 1})
    store.close()
    assert checkpoint.load_model(tmp_path, other) == {"epoch": 1}
    assert_same_bits(nnx.to_pure_dict(nnx.state(other)), nnx.to_pure_dict(nnx.state(model)))

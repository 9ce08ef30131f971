"""Converted once, read as the file itself; damaged or foreign folders are refused."""

import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from weight_files import write_notop

from mer_jax import checks
from mer_jax.models import pretrained


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_notop(tmp_path_factory.mktemp("source") / "notop.h5")


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "checkpoints" / "vgg19_imagenet"
    pretrained.convert(source, out, url="http://somewhere/notop.h5")
    return out


def test_the_folder_gives_what_the_file_gives(source, converted):
    from_file, from_folder = pretrained.load_vgg19(source), pretrained.load_vgg19(converted)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(from_file), nnx.state(from_folder))
    assert from_folder.preprocessing == "keras"
    assert from_folder.record.sha256 == from_file.record.sha256
    assert (from_folder.record.file, from_folder.record.url) == ("notop.h5", "http://somewhere/notop.h5")


def test_the_record_is_json(converted):
    (path,) = (converted / "0" / "record").glob("metadata")
    record = json.loads(path.read_text())
    assert set(record) == {"origin", "preprocessing", "file", "sha256", "url", "checksum"}


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "record"])
def test_damage_is_refused(converted, tmp_path, damage):
    copy = tmp_path / "copy"
    shutil.copytree(converted, copy)
    files = [path for path in copy.rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    if damage == "truncate":
        largest.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
    elif damage == "delete":
        largest.unlink()
    else:
        record = copy / "0" / "record" / "metadata"
        record.write_text(record.read_text().replace('"keras"', '"torchvision"'))
    with pytest.raises(checks.CheckpointError, match=r"delete .*copy and convert the weights again"):
        pretrained.load_vgg19(copy)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(checks.CheckpointError, match="holds no converted weights; convert some with"):
        pretrained.load_vgg19(tmp_path)
    assert not list(tmp_path.iterdir()), "reading leaves nothing behind"


def test_nothing_is_overwritten(source, converted, tmp_path):
    with pytest.raises(checks.CheckpointError, match=r"is not empty \(it holds 0\); expected a new folder"):
        pretrained.convert(source, converted)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(checks.CheckpointError, match=r"is not empty \(it holds notes.txt\)"):
        pretrained.convert(source, tmp_path)
    with pytest.raises(checks.CheckpointError, match="is a file"):
        pretrained.convert(source, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_bad_file_leaves_no_folder(tmp_path):
    with pytest.raises(checks.CheckpointError, match="does not exist"):
        pretrained.convert(tmp_path / "nowhere.h5", tmp_path / "out" / "vgg19")
    assert not (tmp_path / "out").exists()


def test_a_killed_conversion_is_done_again(source, tmp_path):
    (tmp_path / "out" / "0.orbax-checkpoint-tmp").mkdir(parents=True)
    with pytest.raises(checks.CheckpointError, match="holds no converted weights"):
        pretrained.load_vgg19(tmp_path / "out")
    pretrained.convert(source, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0"]
    pretrained.load_vgg19(tmp_path / "out")

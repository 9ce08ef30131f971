"""What is refused, in one line each: runs that cannot be exported, files that are none, calls that do not fit."""

import dataclasses
import json
import shutil
import sys
import zipfile

import jax
import numpy as np
import pytest
import untrained_run

import mer_jax as mj
from mer_jax import checks, cli
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.models import DenseConfig
from mer_jax.training.task import Classification

SETTINGS = ExperimentConfig(
    sr=8000,
    clip_s=0.25,
    network="dense",
    dense=DenseConfig((4,)),
    frontend=FrontendConfig("mel", {"n_mels": 4, "n_fft": 512, "hop_length": 512}),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write(tmp_path_factory.mktemp("runs") / "run")


def write(out, *, finished=True, **changes):
    settings = dataclasses.replace(SETTINGS, out=out, **changes)
    return untrained_run.write(settings, Classification(), classes=("a", "b"), finished=finished)


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    return mj.export.export(run, tmp_path_factory.mktemp("exported") / "x.mer", platforms=["cpu"])


@pytest.fixture(scope="module")
def exported(file):
    return mj.export.load(file)


def test_what_cannot_be_exported(run, tmp_path):
    cases = {
        "nowhere": (tmp_path / "nowhere", checks.CheckpointError, "has no config.json"),
        "not finished": (write(tmp_path / "half", finished=False), checks.CheckpointError, "--resume"),
        "nnaudio": (write(tmp_path / "torch", backend="nnaudio"), checks.CheckpointError, "--backend jax"),
    }
    for run_folder, error, words in cases.values():
        with pytest.raises(error, match=words):
            mj.export.export(run_folder, tmp_path / "x.mer")
        assert not (tmp_path / "x.mer").exists()
    shutil.copytree(run, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "checkpoints")
    with pytest.raises(checks.CheckpointError, match="has no checkpoint"):
        mj.export.export(tmp_path / "bare", tmp_path / "x.mer")


def test_nothing_is_written_over(run, file):
    before = file.read_bytes()
    with pytest.raises(checks.ConfigError, match="exists already"):
        mj.export.export(run, file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("platforms", "words"), [([], "some of cpu"), ("cpu", "some of cpu"), (["cdua"], "mean 'cuda'")]
)
def test_platforms_that_there_are_not(run, tmp_path, platforms, words):
    with pytest.raises(checks.ArgumentError, match=words):
        mj.export.export(run, tmp_path / "x.mer", platforms=platforms)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("member", ["metadata.json", "program_cpu.bin", "weights.npz"])
def test_a_damaged_file_is_found(file, tmp_path, member):
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(member)
    content[info.header_offset + 30 + len(member) + info.compress_size // 2] ^= 0xFF
    damaged = tmp_path / "damaged.mer"
    damaged.write_bytes(content)
    with pytest.raises(checks.CheckpointError, match="is damaged"):
        mj.export.load(damaged)


def test_what_is_no_export(file, tmp_path):
    half, other, empty = (tmp_path / name for name in ("half.mer", "other.mer", "empty.mer"))
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"format": "another"}))
    empty.write_bytes(b"")
    for path in (half, other, empty):
        with pytest.raises(checks.CheckpointError, match="no exported run"):
            mj.export.load(path)
    for path in (tmp_path / "nowhere.mer", tmp_path):
        with pytest.raises(checks.CheckpointError, match="is not a file"):
            mj.export.load(path)


def changed(file, path, **metadata):
    """The file with other metadata, or with another program."""
    program = metadata.pop("program", None)
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), **metadata}).encode()
            if name == "program_cpu.bin" and program is not None:
                content = program
            new.writestr(name, content)
    return path


def test_files_of_later_versions(file, tmp_path):
    later = changed(file, tmp_path / "later.mer", format_version=2)
    with pytest.raises(checks.CheckpointError, match="version 2 of the format; expected at most 1"):
        mj.export.load(later)
    strange = changed(file, tmp_path / "strange.mer", program=b"of a later jax")
    with pytest.raises(checks.CheckpointError, match=f"jax {jax.__version__} cannot read"):
        mj.export.load(strange)


def test_a_platform_that_is_not_in_the_file_or_not_here(run, file, tmp_path):
    for_tpu = mj.export.export(run, tmp_path / "tpu.mer", platforms=["tpu"])
    with pytest.raises(checks.CheckpointError, match="no program for cpu; expected one of those it has: tpu"):
        mj.export.load(for_tpu, platform="cpu")
    with pytest.raises(checks.ArgumentError, match="finds no such device"):
        mj.export.load(for_tpu, platform="tpu")
    with pytest.raises(checks.ArgumentError, match="mean 'cuda'"):
        mj.export.load(file, platform="cude")
    assert mj.export.load(file, platform="cpu").platform == "cpu"


def test_windows_that_do_not_fit(exported):
    window = np.zeros((2, exported.num_samples), np.float32)
    cases = [
        ((window[:, :-1],), r"has shape \(2, 1999\); expected \(batch, 2000\): windows of 0.25 s at 8000 Hz"),
        ((window[0],), "add a batch axis"),
        ((window[:0],), r"has shape \(0, 2000\)"),
        ((window.astype(np.int16),), "dtype int16"),
        ((window, np.array([1])), r"expected \(2,\) integers"),
        ((window, np.array([1.0, 2.0])), r"expected \(2,\) integers"),
        ((window, np.array([0, 1])), "from 0 to 1; expected 1 to 2000"),
        ((window, np.array([1, 2001])), "from 1 to 2001"),
    ]
    for arguments, words in cases:
        with pytest.raises(checks.ArgumentError, match=words):
            exported(*arguments)


def test_without_flatbuffers_it_says_so(run, file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(checks.CheckpointError, match="pip install flatbuffers"):
        mj.export.load(file)
    assert cli.main(["export", str(run), "--out", str(tmp_path / "x.mer")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1

"""A preparation that is interrupted goes on after its last finished file, to the same bytes as if never interrupted."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from small_sets import SR, tone

from mer_jax import audio, data
from mer_jax.checks import DataError
from mer_jax.data import locking, synthetic
from mer_jax.data.builders import shards
from mer_jax.data.prepare import command, prepare

CLIPS = 20


@pytest.fixture
def music(tmp_path):
    """Twenty files of half a second in two classes; four of them to a shard, and one that cannot be decoded."""
    for i in range(CLIPS):
        path = tmp_path / "music" / ("Happy" if i % 2 else "Sad") / f"{i:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(i, 0.5), SR)
    (tmp_path / "music" / "Sad" / "04.wav").write_bytes(b"nonsense")
    return tmp_path / "music"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    # Durations are not known beforehand and guessed as 30 s, so this is four clips.
    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * 30 * SR * 2)


class Stop(Exception):
    pass


def stopping(after):
    """A progress that raises once ``after`` clips are done."""

    def progress(done, total):
        if done >= after:
            raise Stop

    return progress


def interrupt(music, out, *, after, **arguments):
    with pytest.raises(Stop):
        prepare(music, out, sr=SR, progress=stopping(after), **arguments)


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def decoded(monkeypatch):
    """Names of the files that are decoded from here on."""
    names = []
    real = audio.blocks, audio.load

    def blocks(path, **arguments):
        names.append(path.name)
        return real[0](path, **arguments)

    def load(path, **arguments):
        names.append(path.name)
        return real[1](path, **arguments)

    monkeypatch.setattr(audio, "blocks", blocks)
    monkeypatch.setattr(audio, "load", load)
    return names


@pytest.mark.parametrize("after", [5, 9, 17])
def test_goes_on_to_the_same_bytes(music, tmp_path, monkeypatch, after):
    whole = prepare(music, tmp_path / "whole", sr=SR)
    interrupt(music, tmp_path / "out", after=after)
    assert not (tmp_path / "out").exists()
    names = decoded(monkeypatch)
    told = []
    resumed = prepare(music, tmp_path / "out", sr=SR, progress=lambda done, total: told.append((done, total)))
    finished = (after - 1) // 4 * 4
    assert len(names) == CLIPS - finished
    assert told[0] == (finished, CLIPS)
    assert told[-1] == (CLIPS, CLIPS)
    assert resumed.refused == whole.refused
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["music", "out", "whole"]


def test_goes_on_more_than_once(music, tmp_path):
    prepare(music, tmp_path / "whole", sr=SR)
    for after in (5, 13, 17):
        interrupt(music, tmp_path / "out", after=after)
    prepare(music, tmp_path / "out", sr=SR)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def change_file(music):
    soundfile.write(music / "Happy" / "01.wav", tone(33, 0.5), SR)


def add_file(music):
    soundfile.write(music / "Happy" / "99.wav", tone(33, 0.5), SR)


def relabel(music):
    (music / "Happy").rename(music / "Cheerful")


@pytest.mark.parametrize("change", [change_file, add_file, relabel])
def test_other_files_begin_anew(music, tmp_path, monkeypatch, change):
    interrupt(music, tmp_path / "out", after=13)
    change(music)
    prepare(music, tmp_path / "whole", sr=SR)
    names = decoded(monkeypatch)
    prepare(music, tmp_path / "out", sr=SR)
    assert len(names) >= CLIPS
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize("arguments", [{"sr": 4000}, {"dtype": "float32"}])
def test_another_rate_or_dtype_begins_anew(music, tmp_path, monkeypatch, arguments):
    interrupt(music, tmp_path / "out", after=13)
    names = decoded(monkeypatch)
    prepare(music, tmp_path / "out", **({"sr": SR} | arguments))
    assert len(names) == CLIPS
    assert sorted(os.listdir(tmp_path)) == ["music", "out"]


def test_what_was_begun_at_one_rate_waits_for_it(music, tmp_path, monkeypatch):
    prepare(music, tmp_path / "whole", sr=SR)
    interrupt(music, tmp_path / "out", after=13)
    with pytest.raises(Stop):
        prepare(music, tmp_path / "out", sr=4000, progress=stopping(3))
    names = decoded(monkeypatch)
    prepare(music, tmp_path / "out", sr=SR)
    assert len(names) == CLIPS - 12
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_half_written_shard_is_written_again(music, tmp_path):
    prepare(music, tmp_path / "whole", sr=SR)
    interrupt(music, tmp_path / "out", after=13)
    finished = sorted((tmp_path / ".out.partial").rglob("*.array_record"))
    assert len(finished) == 3
    finished[1].write_bytes(finished[1].read_bytes()[:-100])
    finished[2].unlink()
    prepare(music, tmp_path / "out", sr=SR)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_sources_that_do_not_say_what_they_read_begin_anew(tmp_path, monkeypatch):
    from small_sets import Tones, tones_catalog

    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * 4000 * 2)
    clips = tones_catalog(Tones([4000] * CLIPS))
    with pytest.raises(Stop):
        prepare(clips, tmp_path / "out", sr=SR, progress=stopping(13))
    prepare(clips, tmp_path / "out", sr=SR)
    assert clips.source.renderings[0] == 2


def test_synthetic_music_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 3 * 2 * 4000)
    clips = synthetic.catalog(12, duration_s=0.5, sr=SR)
    with pytest.raises(Stop):
        prepare(clips, tmp_path / "out", sr=SR, progress=stopping(8))
    told = []
    prepare(clips, tmp_path / "out", sr=SR, progress=lambda done, total: told.append(done))
    assert told[0] == 6
    np.testing.assert_allclose(
        data.load(tmp_path / "out", sr=SR).source[7], clips.source[7], atol=0.51 / 32768
    )


def test_one_process_at_a_time(music, tmp_path):
    with (
        locking.exclusive(tmp_path / ".out.partial"),
        pytest.raises(DataError, match="is in use by another process"),
    ):
        prepare(music, tmp_path / "out", sr=SR)


def test_control_c_says_how_to_go_on(music, tmp_path, monkeypatch, capsys):
    from mer_jax.data import prepare_progress

    def update(self, done, total):
        if done == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(prepare_progress.Progress, "update", update)
    arguments = {"manual_dir": None, "partial": False, "sr": SR, "dtype": "int16"}
    assert command(str(music), tmp_path / "out", **arguments) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert (tmp_path / ".out.partial").is_dir()


KILLED = """
import sys, time
from mer_jax.data.builders import shards
from mer_jax.data.prepare import prepare
shards.SHARD_BYTES = 4 * 30 * 8000 * 2

def slowly(done, total):
    print(done, flush=True)
    time.sleep(0.05)

prepare(sys.argv[1], sys.argv[2], sr=8000, progress=slowly)
"""


@pytest.mark.slow
def test_killed_for_real(music, tmp_path):
    prepare(music, tmp_path / "whole", sr=SR)
    arguments = [sys.executable, "-c", KILLED, str(music), str(tmp_path / "out")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 10:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    started = time.monotonic()
    out = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120).stdout.split()
    assert out[0] == "8"
    assert time.monotonic() - started < 60
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["music", "out", "whole"]

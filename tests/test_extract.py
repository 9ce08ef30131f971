"""The features command: arrays that say what they are, pictures, skipping, refusals."""

import json

import numpy as np
import PIL.Image
import pytest
import soundfile
from flax import nnx

from mer_jax import checks, cli, extract, features, frontends

SR = 22050


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    rng = np.random.default_rng(0)
    t = np.arange(SR) / SR
    for name, hz in (("a.wav", 220.0), ("b.wav", 330.0), ("album/c.wav", 440.0)):
        soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * hz * t) + 0.01 * rng.standard_normal(SR), SR)
    return folder


def run(*args):
    return cli.main(["features", *map(str, args)])


def test_arrays_say_what_they_are(music, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(music, "--features", "log_mel", "mfcc", "--out", out) == 0
    found = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.npz"))
    assert found == sorted(f"{stem}.{f}.npz" for stem in ("a", "b", "album/c") for f in ("log_mel", "mfcc"))
    with np.load(out / "a.log_mel.npz", allow_pickle=False) as stored:
        assert stored["values"].shape == (1 + SR // 512, 128)
        assert stored["values"].dtype == np.float32
        assert int(stored["sr_hz"]) == SR
        assert int(stored["hop_length"]) == 512
        assert str(stored["unit"]) == "dB"
        assert len(stored["feature_names"]) == 128
        assert json.loads(str(stored["settings"]))["backend"] == "jax"
    assert "3 written, 0 already there, 0 refused" in capsys.readouterr().out


def test_what_is_there_is_skipped_and_not_overwritten_by_other_settings(music, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(music, "--out", out) == 0
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.npz")}
    assert run(music, "--out", out) == 0
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.npz")} == before
    assert "0 written, 3 already there" in capsys.readouterr().out
    assert run(music, "--out", out, "--sample-rate", "16000") == 2
    assert "was computed with sr = 22050" in capsys.readouterr().err


def test_a_bad_file_is_named_and_the_rest_is_done(music, tmp_path, capsys):
    (music / "broken.wav").write_bytes(b"RIFF not audio")
    out = tmp_path / "out"
    assert run(music, "--out", out) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert "broken.wav" in error[0]
    assert len(list(out.rglob("*.npz"))) == 3
    assert not list(out.rglob("broken*"))


def test_pictures_have_low_frequencies_at_the_bottom(music, tmp_path):
    out = tmp_path / "out"
    assert run(music / "a.wav", "--features", "spectrogram", "--pictures", "--out", out) == 0
    image = np.asarray(PIL.Image.open(out / "a.spectrogram.png"), np.float64)
    assert image.shape == (224, 224, 3)
    brightness = image.sum(axis=2).mean(axis=1)
    # 220 Hz of 11,025: row 223 - 224 * 220 / 11025, about four rows above the bottom.
    assert 216 <= brightness.argmax() <= 221


@pytest.mark.parametrize("backend", ["nnaudio", "librosa"])
def test_other_backends_give_the_same_values(music, tmp_path, backend):
    pytest.importorskip({"nnaudio": "nnAudio", "librosa": "librosa"}[backend])
    if backend == "nnaudio":
        pytest.importorskip("torch", reason="torch is not installed")
    assert run(music / "a.wav", "--features", "mfcc", "--out", tmp_path / "jax") == 0
    assert run(music / "a.wav", "--features", "mfcc", "--backend", backend, "--out", tmp_path / backend) == 0
    ours, theirs = (
        np.load(tmp_path / name / "a.mfcc.npz", allow_pickle=False)["values"] for name in ("jax", backend)
    )
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-4


def test_two_files_for_one_place_are_refused(music):
    soundfile.write(music / "a.flac", np.zeros(100) + 0.1, SR)
    with pytest.raises(checks.DataError, match="same place"):
        extract.plan([music], music / "out")


def test_clips_of_one_length_share_a_batch_and_memory_is_bounded(music, monkeypatch):
    monkeypatch.setattr(extract, "BATCH_SAMPLES", 2 * SR)
    jobs = extract.plan([music], music / "out")
    refused = []
    sizes = [(len(group), y.shape) for group, y in extract.batches(jobs, SR, refused.append)]
    assert sizes == [(2, (2, SR)), (1, (1, SR))]
    assert not refused


def test_every_feature_is_written_and_drawn_as_a_network_sees_it(music, tmp_path):
    names = (*frontends.NAMES, "time_frequency", "rhythm")
    extractor = extract.Extractor(names, write_pictures=True)
    job = extract.Job(music / "a.wav", tmp_path / "out" / "a")
    y = soundfile.read(music / "a.wav", dtype="float32", frames=SR // 2)[0]
    extractor.write([job], y[None])
    assert extractor.is_done(job)
    for name in names:
        with np.load(job.array(name), allow_pickle=False) as stored:
            assert np.isfinite(stored["values"]).all()
            assert stored["values"].shape[1] == len(stored["feature_names"])
    # One of each scale: magnitudes (in the other colours), powers, decibels, shares, a range, series.
    for name in ("spectrogram", "mel", "log_cqt", "chroma", "mfcc", "rhythm"):
        image = frontends.Image(features.build(name, sr=SR, rngs=nnx.Rngs(0)).frontend)
        written = np.asarray(PIL.Image.open(job.picture(name)), np.float32)
        assert written.shape == image.image_shape
        # 1/255 of the range; half of it is the rounding to whole levels.
        np.testing.assert_allclose(written, image(y[None])[0], rtol=0, atol=1, err_msg=name)

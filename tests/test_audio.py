"""Decoding, against soundfile and librosa for good files, and by name and fault for bad ones."""

import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from mer_jax import audio
from mer_jax.audio import mpeg, ogg
from mer_jax.checks import AudioError

SECONDS = 3
# Extension -> (rate in Hz, soundfile arguments, error of the coding relative to the signal).
FORMATS = {
    ".wav": (44100, {"subtype": "PCM_24"}, 1e-6),
    ".flac": (44100, {}, 1e-3),
    ".aiff": (44100, {}, 1e-3),
    ".ogg": (44100, {}, 0.3),
    ".mp3": (44100, {}, 0.3),
    ".opus": (48000, {"format": "OGG", "subtype": "OPUS"}, 0.3),
}


def music(rate: int, seconds: float = SECONDS, channels: int = 2) -> np.ndarray:
    """Partials of a chord with a slow beat; the second channel is the first at half the level plus a tone."""
    t = np.arange(round(rate * seconds)) / rate
    left = sum(np.sin(2 * np.pi * f * t) / k for k, f in enumerate((220, 277.2, 329.6, 440.5), start=1))
    left *= 0.2 * (1 + 0.5 * np.sin(2 * np.pi * 1.5 * t))
    right = 0.5 * left + 0.05 * np.sin(2 * np.pi * 1000 * t)
    return np.stack([left, right][:channels], axis=1).astype(np.float32)


def test_of_a_long_file_little_more_than_its_result_is_held(tmp_path):
    """Ninety seconds of stereo are 32 MB at 44.1 kHz, the result 1.4 MB at 4 kHz."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(music(44100), (30, 1)), 44100)
    tracemalloc.start()
    y, _ = audio.load(path, sr=4000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6
    x = soundfile.read(path, dtype="float32")[0].mean(axis=1, keepdims=True)
    np.testing.assert_array_equal(y, soxr.resample(x, 44100, 4000, quality="HQ")[:, 0])
    assert y.shape == (360_000,)


@pytest.mark.parametrize("sr", [44100, 22050, 16000])
def test_blocks_are_the_whole_file(tmp_path, sr):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(music(44100), (5, 1)), 44100)
    pieces = list(audio.blocks(path, sr=sr))
    assert len(pieces) > 2
    np.testing.assert_array_equal(np.concatenate(pieces), audio.load(path, sr=sr)[0])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("audio")
    paths = {}
    for extension, (rate, arguments, _) in FORMATS.items():
        paths[extension] = folder / f"clip{extension}"
        soundfile.write(paths[extension], music(rate), rate, **arguments)
    return paths


def fault(path, **arguments) -> str:
    """The words of the error, without the file's name (which must be there, and may contain anything)."""
    with pytest.raises(AudioError) as caught:
        audio.load(path, **arguments)
    assert str(path) in str(caught.value)
    assert caught.value.remedy or caught.value.expected
    return str(caught.value).replace(str(path), "FILE")


# Good files.


@pytest.mark.parametrize("extension", FORMATS)
def test_decodes_every_format(files, extension):
    rate, _, tolerance = FORMATS[extension]
    expected = music(rate).mean(axis=1)
    y, sr = audio.load(files[extension], sr=None)
    assert (y.dtype, y.shape, sr) == (np.float32, expected.shape, rate)
    assert np.linalg.norm(y - expected) <= tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize("extension", FORMATS)
def test_info_reads_the_header(files, extension):
    rate = FORMATS[extension][0]
    found = audio.info(str(files[extension]))
    assert (found.sr, found.channels, found.frames) == (rate, 2, rate * SECONDS)
    assert found.duration_s == SECONDS
    assert found.format in {"WAV", "FLAC", "AIFF", "OGG", "MP3"}


def test_channels_are_kept_on_request(files):
    stereo, _ = audio.load(files[".wav"], sr=None, mono=False)
    mono, _ = audio.load(files[".wav"], sr=None)
    assert stereo.shape == (2, mono.size)
    np.testing.assert_allclose(mono, stereo.mean(axis=0), atol=1e-7)


@pytest.mark.filterwarnings(
    "ignore:.*slated for removal:DeprecationWarning"
)  # what librosa's audioread imports
@pytest.mark.parametrize("sr", [22050, 16000, 48000, 22051])
def test_whole_file_equals_librosa_load(files, sr):
    librosa = pytest.importorskip("librosa")
    expected, _ = librosa.load(files[".flac"], sr=sr)
    y, rate = audio.load(files[".flac"], sr=sr)
    assert rate == sr
    assert y.shape == expected.shape
    # librosa sets a zero where soxr leaves out the last fractional sample.
    np.testing.assert_allclose(y[:-1], expected[:-1], atol=2e-6)


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("sr", [None, 22050, 16000])
def test_a_stretch_is_a_slice_of_the_whole(files, extension, sr):
    whole, rate = audio.load(files[extension], sr=sr)
    for offset_s, duration_s in [(0.0, 0.5), (0.7301, 1.0), (2.5, 0.5), (1.9, None), (2.9, 10.0)]:
        start = round(offset_s * rate)
        stop = whole.size if duration_s is None else min(whole.size, start + round(duration_s * rate))
        part, _ = audio.load(files[extension], sr=sr, offset_s=offset_s, duration_s=duration_s)
        assert part.size == stop - start
        np.testing.assert_allclose(part, whole[start:stop], atol=3e-6)


@pytest.mark.parametrize("extension", [".ogg", ".mp3", ".opus"])
def test_seeking_is_exact_anywhere(tmp_path, rng, extension):
    """Where libsndfile's own seeking is not: in the last Ogg page, and behind MP3 frames that lend their bits."""
    rate = 48000 if extension == ".opus" else 44100
    loudness = np.repeat(rng.choice([0, 1e-3, 1], 16), rate // 2)
    path = tmp_path / f"noise{extension}"
    soundfile.write(path, 0.1 * loudness * rng.standard_normal(loudness.size), rate, **FORMATS[extension][1])
    whole, _ = audio.load(path, sr=None)
    for start in (*rng.integers(0, whole.size - 2000, 40), whole.size - 2000, whole.size - 20000, 0, 1):
        part, _ = audio.load(path, sr=None, offset_s=start / rate, duration_s=2000 / rate)
        np.testing.assert_allclose(part, whole[start : start + 2000], rtol=0, atol=1e-7)


def test_ogg_checksums(files):
    """The checksum that the encoder wrote into each page, found again."""
    data = files[".ogg"].read_bytes()
    starts = [at for at in range(len(data)) if data.startswith(b"OggS", at)]
    assert len(starts) >= 4
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        assert ogg.checksum(data[start:end]) == int.from_bytes(data[start + 22 : start + 26], "little")


def test_a_stretch_at_an_awkward_rate(files):
    whole, _ = audio.load(files[".wav"], sr=22051)
    part, _ = audio.load(files[".wav"], sr=22051, offset_s=1.0, duration_s=0.5)
    np.testing.assert_allclose(part, whole[22051 : 22051 + part.size], atol=3e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 1001])
def test_length_is_exact_for_short_files(tmp_path, frames):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(frames, 0.25, np.float32), 48000)
    y, _ = audio.load(path, sr=22050)
    assert y.size == -(-frames * 22050 // 48000)


def test_resampling_keeps_a_tone(tmp_path):
    t = np.arange(44100) / 44100
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), 44100, subtype="FLOAT")
    y, _ = audio.load(tmp_path / "tone.wav", sr=22050)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    np.testing.assert_allclose(y[500:-500], expected[500:-500], atol=1e-4)


def test_names_are_not_interpreted(tmp_path):
    path = tmp_path / "Motörhead – Ace of ♠ (50%) [live];.wav"
    soundfile.write(path, music(8000), 8000)
    assert audio.load(path, sr=None)[0].size == 8000 * SECONDS


def test_extension_does_not_decide(files, tmp_path):
    renamed = tmp_path / "clip.mp3"
    renamed.write_bytes(files[".wav"].read_bytes())
    np.testing.assert_array_equal(audio.load(renamed)[0], audio.load(files[".wav"])[0])


def test_streamed_wav_without_a_length(files, tmp_path):
    """A writer that could not seek back leaves 0xFFFFFFFF: the samples go to the end of the file."""
    data = bytearray(files[".wav"].read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\xff" * 4
    (tmp_path / "streamed.wav").write_bytes(data)
    np.testing.assert_array_equal(audio.load(tmp_path / "streamed.wav")[0], audio.load(files[".wav"])[0])


def test_import_is_light():
    code = "import sys, mer_jax.audio; print({'soundfile', 'soxr'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


# MP3 streams: what their headers say and what is there.


def without_header_frame(path: Path) -> bytes:
    data = path.read_bytes()
    stream = mpeg.scan(data)
    assert stream.declared == stream.frames
    assert stream.trusted
    return data[stream.start :]


def test_variable_bit_rate_without_a_header_is_read_to_its_end(tmp_path):
    """libsndfile guesses the length from the first frame's bit rate and stops there."""
    path = tmp_path / "vbr.mp3"
    noise = np.random.default_rng(0).standard_normal(44100 * 4)
    noise[: 44100 * 1] *= 1e-4  # a quiet start in few bits, or a loud one: either way the guess is wrong
    soundfile.write(path, 0.2 * noise, 44100)
    expected, _ = audio.load(path, sr=None)
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(without_header_frame(path))
    guessed = soundfile.info(bare).frames
    assert abs(guessed - expected.size) > 0.05 * expected.size, "the guess is right: this file tests nothing"
    y, _ = audio.load(bare, sr=None)
    assert (
        0 <= y.size - expected.size <= 2 * 1152 + 1152
    )  # with the header go the encoder's delay and padding
    delay = y.size - expected.size
    lags = [lag for lag in range(delay + 1) if np.allclose(y[lag : lag + expected.size], expected, atol=1e-4)]
    assert len(lags) == 1


@pytest.mark.parametrize("rate", [44100, 22050, 8000])
def test_constant_bit_rate_without_a_header_is_what_soundfile_reads(tmp_path, rate):
    """There libsndfile guesses right; the header that is put before the frames must not move, change or drop a sample."""
    path = tmp_path / "clip.mp3"
    soundfile.write(path, music(rate), rate, bitrate_mode="CONSTANT", compression_level=0.5)
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(without_header_frame(path))
    expected = soundfile.read(bare, dtype="float32")[0].T
    y, _ = audio.load(bare, sr=None, mono=False)
    np.testing.assert_allclose(y[:, : expected.shape[1]], expected, rtol=0, atol=1e-6)
    assert y.shape[1] - expected.shape[1] in range(1152)  # the guess may fall short by part of a frame


def test_tags_around_the_frames(files, tmp_path):
    tagged = tmp_path / "tagged.mp3"
    id3v2 = b"ID3\x03\x00\x00" + bytes([0, 0, 8, 0]) + bytes(1024)
    tagged.write_bytes(id3v2 + files[".mp3"].read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(audio.load(tagged)[0], audio.load(files[".mp3"])[0])


def test_mp3_scan_counts_frames(files):
    stream = mpeg.scan(files[".mp3"].read_bytes())
    assert (stream.sr, stream.samples_per_frame, stream.gap) == (44100, 1152, (0, 0))
    assert stream.frames == pytest.approx(44100 * SECONDS / 1152, abs=3)
    assert mpeg.scan(b"no frames here " * 1000) is None


# Bad files.


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("extension", FORMATS)
def test_truncated(files, tmp_path, extension, fraction, capfd):
    data = files[extension].read_bytes()
    cut = tmp_path / f"cut{extension}"
    cut.write_bytes(data[: int(fraction * len(data))])
    assert "truncated" in fault(cut)
    assert capfd.readouterr().err == "", "the decoder's own remarks reach the terminal"


def test_truncated_flac_still_gives_what_is_whole(files, tmp_path):
    data = files[".flac"].read_bytes()
    cut = tmp_path / "cut.flac"
    cut.write_bytes(data[: int(0.7 * len(data))])
    part, _ = audio.load(cut, duration_s=1.0)
    np.testing.assert_array_equal(part, audio.load(files[".flac"], duration_s=1.0)[0])


@pytest.mark.parametrize("extension", [".flac", ".ogg", ".mp3", ".opus"])
def test_damaged_in_the_middle(files, tmp_path, extension):
    data = bytearray(files[extension].read_bytes())
    middle, size = len(data) // 2, len(data) // 8
    data[middle : middle + size] = np.random.default_rng(1).bytes(size)
    bad = tmp_path / f"bad{extension}"
    bad.write_bytes(data)
    words = fault(bad)
    assert "truncated" in words or "damaged" in words


def test_damaged_mp3_without_a_header_frame(files, tmp_path):
    data = bytearray(without_header_frame(files[".mp3"]))
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(range(1, 201)) * 20
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(data)
    assert "is damaged" in fault(bad)


def test_missing_file_names_the_nearest(files):
    path = files[".wav"].with_name("clipp.wav")
    assert "there is no such file; did you mean 'clip.wav'?" in fault(path)
    assert "does not exist either" in fault(path.parent / "no" / "clip.wav")


def test_folder_and_empty_and_odd_names(tmp_path):
    assert "is a folder" in fault(tmp_path)
    (tmp_path / "empty.wav").touch()
    assert "is empty" in fault(tmp_path / "empty.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a regular file" in fault(tmp_path / "pipe.wav")
    assert "cannot be read" in fault(Path("nul\0byte.wav"))


def test_unreadable(tmp_path, monkeypatch):
    path = tmp_path / "locked.wav"
    soundfile.write(path, music(8000), 8000)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything: let opening fail as it would for others

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    assert "cannot be read (Permission denied)" in fault(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            "a.mp3",
            b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(5000),
            "is an MP4/M4A container (AAC or ALAC)",
        ),
        ("a.mp3", (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + b"\x55" * 365) * 50, "is an AAC (ADTS) stream"),
        ("a.wav", b"<!DOCTYPE html><html>404</html>", "is not audio but a web page"),
        ("a.wav", b"version https://git-lfs.github.com/spec/v1\n", "is not audio but a Git LFS pointer"),
        ("a.mp3", b"some notes, no sound\n" * 500, "holds no MP3 frames"),
        ("a.wav", bytes(5000), "cannot be decoded (Format not recognised)"),
        ("a.raw", b"\x12\x34" * 5000, "is raw samples without a header"),
        ("a.vox", b"\x12\x34" * 5000, "is raw samples without a header"),
    ],
)
def test_not_audio(tmp_path, name, data, words, capfd):
    path = tmp_path / name
    path.write_bytes(data)
    assert words in fault(path)
    assert capfd.readouterr().err == ""


def wav(codec: int, data: bytes) -> bytes:
    fmt = struct.pack("<HHIIHH", codec, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_wav_with_an_unsupported_codec_or_no_samples(tmp_path):
    path = tmp_path / "codec.wav"
    path.write_bytes(wav(0x0161, bytes(1000)))
    assert "WAV codec 0x0161" in fault(path)
    path.write_bytes(wav(1, b""))
    assert "holds no samples" in fault(path)
    path.write_bytes(wav(1, bytes(1000)))
    assert not audio.load(path)[0].any()


def test_flac_of_unknown_length(files, tmp_path):
    data = bytearray(files[".flac"].read_bytes())
    data[21] &= 0xF0  # the 36 bits of the STREAMINFO block that count the samples
    data[22:26] = bytes(4)
    path = tmp_path / "unknown.flac"
    path.write_bytes(data)
    assert "does not say how long it is" in fault(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path, value):
    y = music(8000, channels=1)[:, 0]
    y[12000] = value
    path = tmp_path / "bad.wav"
    soundfile.write(path, y, 8000, subtype="FLOAT")
    assert "has NaN or infinite samples (the first at 1.500 s)" in fault(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sr": 0}, "cannot be delivered at 0 Hz"),
        ({"sr": -22050}, "cannot be delivered at -22050 Hz"),
        ({"offset_s": -1.0}, "cannot start at -1.0 s"),
        ({"offset_s": float("nan")}, "cannot start at nan s"),
        ({"duration_s": 0.0}, "cannot read 0.0 s"),
        ({"offset_s": 3.0}, "the offset 3 s is at or beyond its end (3.000 s)"),
        ({"offset_s": 1e9}, "beyond its end"),
    ],
)
def test_requests_that_make_no_sense(files, arguments, words):
    assert words in fault(files[".ogg"], **arguments)


# Real music.


def test_development_sets(emopia_dir, emotify_dir):
    for folder, seconds in ((emopia_dir, 15), (emotify_dir, 30)):
        for path in sorted((folder / "audio").rglob("*.ogg"))[::100][:3]:
            y, sr = audio.load(path)
            assert sr == 22050
            assert y.size / sr == pytest.approx(seconds, abs=0.5)
            assert 1e-3 < np.abs(y).max() <= 1.5
            assert audio.info(path).frames == y.size
            half, _ = audio.load(path, sr=11025)
            expected = soxr.resample(y, 22050, 11025, quality="HQ")
            np.testing.assert_allclose(half[: expected.size], expected, atol=1e-6)

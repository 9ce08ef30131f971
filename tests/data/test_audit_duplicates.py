"""The same recording twice: found in any encoding, and nothing else taken for it; what follows for labels, ids and splits."""

from dataclasses import replace

import miniatures
import numpy as np
import pytest
import soundfile
from audit_sets import SR, Arrays, catalog, encode, files_catalog, music

from mer_jax.data import audit, manifest, synthetic
from mer_jax.data.catalog import Catalog
from mer_jax.data.splits import grouped_split

# Suffix, coding, rate, gain, samples before it, level: what a clip goes through between two data sets.
ENCODINGS = {
    "mp3, 44.1 kHz, louder": (".mp3", "MPEG_LAYER_III", 44100, 1.5, 0, 0.3),
    "mp3, 16 kHz, smallest, late": (".mp3", "MPEG_LAYER_III", 16000, 0.5, 1105, 0.9),
    "mp3, 32 kHz, soft": (".mp3", "MPEG_LAYER_III", 32000, 0.05, 529, 0.7),
    "vorbis, 8 kHz": (".ogg", "VORBIS", 8000, 0.7, 300, 0.5),
    "vorbis, 48 kHz, smallest": (".ogg", "VORBIS", 48000, 0.4, 0, 1.0),
    "opus, 48 kHz": (".opus", "OPUS", 48000, 0.8, 312, 0.8),
    "opus, 16 kHz, small": (".opus", "OPUS", 16000, 0.8, 2000, 0.85),
    "flac, inverted": (".flac", "PCM_16", 22050, -1.0, 0, None),
}


@pytest.fixture(scope="module")
def songs():
    """A section of each of eight songs, 5 s."""
    return [music(number) for number in range(8)]


@pytest.fixture(scope="module")
def originals(songs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    paths = [encode(folder / f"{i}.wav", y, "PCM_16", sr=SR) for i, y in enumerate(songs)]
    return files_catalog(paths, name="originals")


def same(result: audit.Audit) -> set[tuple[int, int]]:
    return {(match.first, match.second) for match in result.matches if match.same_recording}


@pytest.mark.parametrize("how", ENCODINGS)
def test_every_copy_is_found_in_any_encoding(how, songs, originals, tmp_path):
    suffix, subtype, sr, gain, delay, level = ENCODINGS[how]
    paths = [
        encode(tmp_path / f"copy {i}{suffix}", y, subtype, sr=sr, gain=gain, delay=delay, level=level)
        for i, y in enumerate(songs)
    ]
    result = audit.audit(originals, files_catalog(paths, name="copies"))
    assert same(result) == {(i, i + 8) for i in range(8)}
    for match in result.matches:
        if match.same_recording:
            # Where one passage lies in both: to the millisecond. Encoders may add a delay of their own (up to 1105 samples).
            lag_s = match.second_s - match.first_s
            assert delay / SR - 0.001 <= lag_s <= delay / SR + 0.07
            assert np.sign(match.correlation) == np.sign(gain)
    found = {f.ids: f.severity for f in result.findings if "same recording" in f.what}
    assert found == {(f"originals:{i}.wav", f"copies:copy {i}{suffix}"): "warning" for i in range(8)}


def test_an_excerpt_is_found(songs):
    long = np.concatenate(songs[:3])  # 15 s
    excerpt = 0.5 * long[round(3.3 * SR) : round(8.5 * SR)]
    result = audit.audit(catalog(Arrays([long, excerpt, songs[5]])))
    (match,) = (m for m in result.matches if m.same_recording)
    assert (match.first, match.second) == (0, 1)
    assert match.first_s - match.second_s == pytest.approx(3.3, abs=2e-4)
    assert match.duration_s > 4.5


def test_a_copy_that_runs_half_a_frame_late_is_found(songs):
    """The worst case of the frames of two copies being out of step: half of 46 ms."""
    late = [y[round(SR * 128 / 5512.5) :] for y in songs]
    assert same(audit.audit(catalog(Arrays([*songs, *late])))) == {(i, i + 8) for i in range(8)}


def test_other_clips_are_no_copies():
    """Thirty clips of ten songs in five moods: sections of a song share its key, tempo, instruments and chords."""
    clips = [synthetic.render(number, sr=SR)[0] for number in range(30)]
    groups = tuple(f"song {number // 3}" for number in range(30))
    result = audit.audit(catalog(Arrays(clips), groups=groups))
    assert not same(result)
    assert not [f for f in result.findings if f.check == "duplicates" and f.severity != "note"]


def test_another_rendering_is_a_warning_not_a_copy(songs):
    """The same music through a room: the bands keep their energies, roughly, and the waveform is another."""
    draw = np.random.default_rng(0)
    room = draw.normal(size=1600) * np.exp(-np.arange(1600) / 400)  # 73 ms
    again = [0.1 * np.convolve(y, room)[: len(y)] for y in songs]
    result = audit.audit(catalog(Arrays([*songs, *again])))
    found = findings(result, "duplicates")
    assert not same(result)
    assert {f.severity for f in found} == {"warning"}
    assert {f.ids for f in found} <= {(f"clip {i}", f"clip {i + 8}") for i in range(8)}
    assert len(found) >= 4


def twice(songs, **columns) -> Catalog:
    """Eight clips and, softer, the first three again."""
    return catalog(
        Arrays([*songs, *(0.5 * y for y in songs[:3])]), ids=(*"abcdefgh", "a2", "b2", "c2"), **columns
    )


def findings(result: audit.Audit, check: str) -> list[audit.Finding]:
    return [finding for finding in result.findings if finding.check == check]


def test_copies_in_two_groups_are_an_error_and_in_one_a_warning(songs):
    groups = ("A", "B", "C", *"DEFGH", "A", "B", "other")
    found = {f.ids: f.severity for f in findings(audit.audit(twice(songs, groups=groups)), "duplicates")}
    assert found == {("a", "a2"): "warning", ("b", "b2"): "warning", ("c", "c2"): "error"}


def test_three_copies_are_one_finding(songs):
    result = audit.audit(catalog(Arrays([songs[0], songs[1], 0.5 * songs[0], 0.2 * songs[0]])))
    (finding,) = findings(result, "duplicates")
    assert finding.ids == ("clip 0", "clip 2", "clip 3")
    assert "3 times" in finding.what


def test_labels_of_copies(songs):
    labels = np.array([0, 0, 1, *[1] * 5, 0, 1, -1], np.int32)
    ratings = np.zeros((11, 2), np.float32)
    ratings[8] = [0.3, 0.0]  # within what two sets of raters differ by
    ratings[10] = [0.1, -0.6]
    found = findings(audit.audit(twice(songs, labels=labels, valence_arousal=ratings)), "labels")
    assert {(f.ids, f.severity) for f in found} == {(("b", "b2"), "error"), (("c", "c2"), "error")}
    assert any("happy against sad" in f.measure for f in found)
    assert any("0.60 apart" in f.measure for f in found)


def test_ids_of_two_data_sets(songs):
    ids = ("2.mp3", "3.mp3", "10.mp3", "Q1/x.mp3", "short.mp3", "left.mp3")
    one = catalog(Arrays([*songs[:4], songs[4][:SR], songs[4]]), ids=ids, name="one")
    clips = [0.5 * songs[0], 0.5 * songs[1], songs[6], 0.5 * songs[3], songs[4][:SR], songs[7]]
    two = catalog(Arrays(clips), ids=("2", "3", "10", "X", "short", "right"), name="two")
    result = audit.audit(one, two)
    alike, unknown, other = findings(result, "ids")
    assert (alike.severity, alike.ids) == ("warning", ("one:2.mp3", "one:3.mp3", "one:Q1/x.mp3"))
    assert alike.what == "ids that both data sets have, the same recording: 2 to x"
    assert (unknown.severity, unknown.ids) == ("warning", ("one:short.mp3",))
    assert (other.severity, other.ids) == ("note", ("one:10.mp3",))
    assert same(result) == {(0, 6), (1, 7), (3, 9)}


def test_emomusic_in_deam(tmp_path):
    """Small copies of both: all ids of emoMusic are in DEAM."""
    for name in ("deam", "emomusic"):
        (tmp_path / name).mkdir()
        getattr(miniatures, name)(tmp_path / name)
    catalogs = [
        miniatures.builder(name, tmp_path / name).catalog(tmp_path / name) for name in ("deam", "emomusic")
    ]
    (finding,) = findings(audit.audit(*catalogs), "ids")
    assert finding.severity == "warning"
    assert finding.what.endswith("2 to 1000")


def test_two_sets_of_one_name_are_refused(songs):
    from mer_jax.checks import ArgumentError

    with pytest.raises(ArgumentError, match="both data sets are called 'set'"):
        audit.audit(catalog(Arrays(songs[:2])), catalog(Arrays(songs[2:4])))


PARTS = ("train",) * 5 + ("validation",) * 3


def test_a_published_split_that_keeps_apart_what_it_must(songs):
    result = audit.audit(twice(songs, official={"good": (*PARTS, "train", "train", "train")}))
    assert [f.what for f in findings(result, "splits") if "good" in f.what] == [
        "the published split 'good' has no test part"
    ]


def test_planted_faults_of_a_published_split(songs):
    groups = ("A", "A", "C", "D", "D", "F", "F", "H", "A2", "B2", "C")
    official = {
        "bad": ("train", "test", "train", "train", "validation", "", "test", "", "test", "train", "train"),
        "whole": ("train",) * 6 + ("test",) * 2 + ("train",) * 3,
    }
    result = audit.audit(twice(songs, groups=groups, official=official))
    found = {f.what: f for f in findings(result, "splits") if "'bad'" in f.what}
    named = "the published split 'bad' has"
    leak = found[f"{named} groups in the test part and another"]
    assert (leak.severity, dict(leak.each)) == ("error", {"A": "train, test"})
    assert leak.ids == ("a", "b")
    inner = found[f"{named} groups in the training and the validation part"]
    assert (inner.severity, set(inner.each)) == ("warning", {"D"})
    copies = found[f"{named} recordings in the test part and another"]
    assert (copies.severity, dict(copies.each)) == ("error", {"a": "train, test", "b": "train, test"})
    assert found["the published split 'bad' leaves clips out"].ids == ("f", "h")
    assert len(found) == 4
    assert any("'whole' has no validation part" in f.what for f in findings(result, "splits"))


def test_the_default_split_is_checked_for_copies(songs):
    """Forty clips in forty groups; the first clip of the test part is there again in the training part."""
    draw = np.random.default_rng(0)
    clips = [draw.normal(size=SR // 10).astype(np.float32) for _ in range(40)]  # too short to be compared
    labels = (np.arange(40) % 2).astype(np.int32)
    data = catalog(Arrays(clips), labels=labels)
    split = grouped_split(labels, data.groups)
    one, other = int(split.test[0]), int(split.train[0])
    clips[one], clips[other] = songs[0], 0.5 * songs[0]
    result = audit.audit(replace(data, source=Arrays(clips)))
    (finding,) = findings(result, "splits")
    assert finding.what == "the default grouped split has recordings in the test part and another"
    assert set(finding.ids) == {f"clip {one}", f"clip {other}"}
    assert any("38 clips are too short or silent" in c.what for c in result.checked)


def test_a_split_that_cannot_be_made_is_a_warning(songs):
    (finding,) = findings(audit.audit(catalog(Arrays(songs[:2]))), "splits")
    assert finding.severity == "warning"
    assert "2 clips to divide into 10 folds" in finding.measure


def test_a_prepared_data_set_is_audited_at_its_rate(songs, tmp_path):
    from mer_jax.data.prepare import prepare

    paths = [encode(tmp_path / f"{i}.wav", y, "PCM_16", sr=SR) for i, y in enumerate([*songs[:3], songs[1]])]
    manifest.write(tmp_path / "set.csv", [{"path": p, "label": "Sad", "group": p.stem} for p in paths])
    prepare(tmp_path / "set.csv", tmp_path / "prepared", sr=16000)
    result = audit.audit(tmp_path / "prepared")
    assert same(result) == {(1, 3)}
    assert result.data[0].seconds == pytest.approx(20, abs=0.01)


def test_a_file_that_cannot_be_decoded_does_not_stop_the_rest(originals, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"nothing")
    soundfile.write(tmp_path / "good.wav", originals.source[0], SR)
    result = audit.audit(files_catalog([broken, tmp_path / "good.wav"], name="some"), originals)
    assert same(result) == {(1, 2)}
    (finding,) = findings(result, "files")
    assert finding.ids == ("broken.wav",)

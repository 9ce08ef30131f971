"""mer-jax audit as a user meets it."""

import json

import pytest
from audit_sets import SR, encode, music

from mer_jax import cli
from mer_jax.data import audit, manifest


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two folders with one recording in common, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("sets")
    for name, numbers in (("one", (0, 1)), ("two", (2, 0))):
        for label, number in zip(("Happy", "Sad"), numbers, strict=True):
            (folder / name / label).mkdir(parents=True)
            suffix, subtype = (".wav", "PCM_16") if name == "one" else (".mp3", "MPEG_LAYER_III")
            encode(folder / name / label / f"{number}{suffix}", music(number), subtype, sr=SR)
    (folder / "one" / "Sad" / "broken.wav").write_bytes(b"nothing")
    return folder


def test_table_and_json_say_what_was_found(sets, tmp_path, capsys):
    out = tmp_path / "reports" / "audit.json"
    arguments = ["audit", str(sets / "one"), str(sets / "two"), "--json", str(out)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    for word in (
        "Checked",
        "Findings",
        "the same recording twice",
        "one:Happy/0.wav",
        "broken.wav",
        "listening to one",
    ):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 160
    found = json.loads(out.read_text())
    assert [data["name"] for data in found["data"]] == ["one", "two"]
    (copy,) = (f for f in found["findings"] if f["what"] == "the same recording twice")
    assert copy["ids"] == ["one:Happy/0.wav", "two:Sad/0.mp3"]
    for finding in found["findings"]:
        assert set(finding) == {
            "check",
            "severity",
            "data",
            "what",
            "measure",
            "expected",
            "remedy",
            "ids",
            "each",
        }
        assert all(finding[field] for field in ("what", "measure", "expected", "remedy"))
    assert {f["check"] for f in found["findings"]} >= {"duplicates", "labels", "files", "ids", "splits"}
    assert found["counts"]["error"] == sum(f["severity"] == "error" for f in found["findings"])
    assert [path.name for path in out.parent.iterdir()] == ["audit.json"]
    assert cli.main([*arguments, "--strict"]) == 1


def test_many_alike_findings_share_a_row(capsys):
    copies = [
        audit.Finding("duplicates", "error", "x", "twice", f"{i}", "once", "drop", (f"a{i}", f"b{i}"))
        for i in range(9)
    ]
    audit.Audit((), tuple(copies), (), (), 1.0).show()
    shown = capsys.readouterr().out
    assert "9 times: twice" in shown
    assert "a0 = b0" in shown
    assert "and 6 more" in shown
    assert "9 errors, 0 warnings, 0 notes" in shown


def test_ids_that_look_like_markup_are_printed_as_they_are(capsys):
    audit.Audit(
        (), (audit.Finding("signal", "note", "x", "w", "m", "e", "r", ("[bold]a", "[/x]")),), (), (), 0.0
    ).show()
    shown = capsys.readouterr().out
    assert "[bold]a" in shown
    assert "[/x]" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere", "no such data set"]),
        (["ONE", "ONE"], ["both data sets are called 'one'", "facts.json"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words, sets, capsys):
    assert cli.main(["audit", *(a.replace("ONE", str(sets / "one")) for a in arguments)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert all(word in lines[0] for word in words)


def test_json_that_cannot_be_written_is_refused_before_the_work(sets, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["audit", str(sets / "two"), "--json", str(tmp_path / "file" / "audit.json")]) == 2
    captured = capsys.readouterr()
    assert "listening" not in captured.out
    assert "file" in captured.err


@pytest.fixture(scope="module")
def emotify(emotify_dir, tmp_path_factory):
    """The ten Emotify tracks that are five recordings, and ten others."""
    names = [
        *("rock_70", "rock_76", "rock_72", "rock_75", "rock_63", "rock_66"),
        *("pop_59", "pop_66", "classical_54", "classical_80"),
        *(
            f"{genre}_{number}"
            for genre in ("rock", "pop", "classical", "electronic")
            for number in (1, 2, 3)
        ),
    ]
    csv = tmp_path_factory.mktemp("emotify") / "emotify.csv"
    manifest.write(
        csv,
        [
            {"path": emotify_dir / "audio" / f"{n}.ogg", "label": n.split("_")[0], "group": n, "id": n}
            for n in names
        ],
    )
    return csv


def test_copies_in_real_music(emotify):
    """Five recordings are in Emotify twice, as docs/audit.md says."""
    result = audit.audit(emotify)
    found = {f.ids for f in result.findings if f.what == "the same recording twice"}
    assert found == {
        ("rock_70", "rock_76"),
        ("rock_72", "rock_75"),
        ("rock_63", "rock_66"),
        ("pop_59", "pop_66"),
        ("classical_54", "classical_80"),
    }

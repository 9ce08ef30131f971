"""The script that measures everything on a GPU: its chunks, and how it counts tests."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "benchmark"
REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="good" />
<testcase classname="tests.a" name="bad"><failure message="assert 1 == 2">long</failure></testcase>
<testcase classname="tests.b" name="worse"><error message="no fixture">long</error></testcase>
<testcase classname="tests.b" name="absent"><skipped message="no librosa" /></testcase>
<testcase classname="tests.b" name="absent too"><skipped message="no librosa" /></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("gpu")


def test_tests_are_counted_by_what_became_of_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    (tmp_path / "report.xml").write_text(REPORT)
    assert importlib.import_module("tests_job").counted(tmp_path / "report.xml") == {
        "passed": 1,
        "failed": {"tests.a::bad": "assert 1 == 2", "tests.b::worse": "no fixture"},
        "skipped": {"no librosa": 2},
    }


def test_every_chunk_has_a_tiny_twin_and_its_options_are_known(gpu):
    """What the chunks ask for exists: each is parsed by the program that it calls."""
    from mer_jax.benchmark.__main__ import _parser

    whole, tiny = gpu.chunks(False), gpu.chunks(True)
    assert {"models", "population", "job", "ablation", "input", "first-step", "tests-gpu"} <= set(whole)
    assert {name for name in whole if not name.startswith("tests-")} == {
        name for name in tiny if not name.startswith("tests-")
    }
    for arguments in [*whole.values(), *tiny.values()]:
        if arguments[0] == "-m":
            _parser().parse_args([*arguments[2:], "--json", "a.json"])
        else:
            assert Path(arguments[0]).is_file()
    folders = {path for arguments in whole.values() for path in arguments if path.startswith("tests/")}
    root = FOLDER.parents[1]
    assert all((root / path).is_dir() for path in folders)
    assert {path.name for path in (root / "tests").iterdir() if path.is_dir() and path.name[0] != "_"} == {
        path.removeprefix("tests/") for path in folders
    }


def test_an_unknown_chunk_is_refused_before_anything_runs(tmp_path):
    command = [sys.executable, str(FOLDER / "gpu.py"), "--out", str(tmp_path / "out"), "--chunks", "modells"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no chunk is called modells" in done.stderr
    assert not (tmp_path / "out").exists()

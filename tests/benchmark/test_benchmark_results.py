import json
import os
import platform

import pytest

from mer_jax.benchmark import results, table
from mer_jax.benchmark.results import ROW_KEYS, Report
from mer_jax.checks import DataError
from mer_jax.machine import describe_machine, describe_versions

MACHINE = {
    "cpu": "Abacus",
    "cores": 2,
    "memory_gib": 8.0,
    "accelerator": "none",
    "accelerators": 0,
    "platform": "Linux x86_64",
    "backend": "cpu",
}


def row(name, ours_s=0.010, peers=None, **more):
    peers = {"librosa": 0.030, "nnaudio": 0.020} if peers is None else peers
    best = min(peers, key=peers.get) if peers else None
    return {
        "suite": "frontends",
        "name": name,
        "ours_s": ours_s,
        "peers": peers,
        "best_peer": best,
        "speedup": peers[best] / ours_s if best else None,
        "compile_s": 0.5,
        "peak_mib": 12.0,
        "note": "",
        **more,
    }


def saved(tmp_path, filename, *rows, machine=None, versions=None):
    path = tmp_path / filename
    Report(machine or MACHINE, versions or {"jax": "1"}, list(rows), [{"absent": {}}]).write(path)
    return path


def test_a_written_report_reads_back_equal(tmp_path):
    report = Report(MACHINE, {"jax": "1"}, [row("stft")], [{"suite": "frontends"}])
    report.write(tmp_path / "a.json")
    assert results.read(tmp_path / "a.json") == report
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"], "no temporary file is left"


def test_the_file_has_the_published_schema(tmp_path):
    fields = json.loads(saved(tmp_path, "a.json", row("stft")).read_text())
    assert set(fields) >= {"machine", "versions", "rows"}
    assert set(fields["rows"][0]) >= set(ROW_KEYS)


def test_merging_keeps_every_row_and_condition(tmp_path):
    a, b = saved(tmp_path, "a.json", row("stft")), saved(tmp_path, "b.json", row("mel"), row("mfcc"))
    merged = results.merge([a, b])
    assert [r["name"] for r in merged.rows] == ["stft", "mel", "mfcc"]
    assert len(merged.conditions) == 2


def test_files_of_two_machines_are_not_merged_and_not_compared(tmp_path):
    a = saved(tmp_path, "a.json", row("stft"))
    b = saved(tmp_path, "b.json", row("mel"), machine={**MACHINE, "cores": 64})
    with pytest.raises(DataError, match="cores: 2 against 64"):
        results.merge([a, b])
    with pytest.raises(DataError, match="another machine"):
        results.compare(a, b)


def test_files_of_two_versions_are_compared_but_not_merged(tmp_path):
    a = saved(tmp_path, "a.json", row("stft", 0.020))
    b = saved(tmp_path, "b.json", row("stft", 0.010), row("mel"), versions={"jax": "2"})
    with pytest.raises(DataError, match="jax: 1 against 2"):
        results.merge([a, b])
    text = results.compare(a, b)
    assert "| frontends | stft | 20 | 10 | 2.00 |" in text
    assert "mel" not in text
    assert "jax: 1 against 2" in text


def test_a_case_measured_twice_is_refused(tmp_path):
    a, b = saved(tmp_path, "a.json", row("stft")), saved(tmp_path, "b.json", row("stft"))
    with pytest.raises(DataError, match="again"):
        results.merge([a, b])


def test_files_without_a_common_case_are_not_compared(tmp_path):
    with pytest.raises(DataError, match="shares no case"):
        results.compare(saved(tmp_path, "a.json", row("stft")), saved(tmp_path, "b.json", row("mel")))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a result file"),
        ('{"machine": {}}', "is not a result file"),
        (
            '{"machine": {}, "versions": {}, "conditions": [], "rows": [{"suite": "a"}]}',
            "without name, ours_s",
        ),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, fault):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=fault):
        results.read(tmp_path / "a.json")


def test_a_missing_file_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        results.read(tmp_path / "none.json")
    with pytest.raises(DataError, match="folder does not exist"):
        Report(MACHINE, {}).write(tmp_path / "none" / "a.json")


def test_the_table_prints_what_the_file_holds(tmp_path):
    rows = [
        row("stft", quartiles_s={"ours": [0.009, 0.0112]}, fraction_of_bound=0.254),
        row("tempogram", 1.5, {}, note="a|b"),
    ]
    text = table.markdown(Report(MACHINE, {"jax": "1"}, rows, [{"absent": {"torchaudio": "not there"}}]))
    lines = text.splitlines()
    assert "Abacus, 2 cores, 8.0 GiB, Linux x86_64" in lines[0]
    assert "| case | ours, ms | librosa, ms | nnaudio, ms | speed-up |" in text
    assert "| stft | 10 (9-11.2) | 30 | 20 | **2.00** (nnaudio) | 0.50 | 12 | 25% |  |" in text
    assert "| tempogram | 1500 | - | - | - | 0.50 | 12 | - | a/b |" in text
    assert "Peers not measured: torchaudio (not there)." in text
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert len(columns) == 1, "every row has every column"


def test_the_table_names_cases_left_out():
    condition = {"left_out": ["cqt, 8 x 5 s"]}
    assert "left out at the time limit: cqt, 8 x 5 s." in table.markdown(
        Report(MACHINE, {"jax": "1"}, [row("stft")], [condition])
    )


def test_the_machine_is_described_without_names_or_paths():
    machine = describe_machine()
    text = json.dumps([machine, describe_versions()])
    assert set(machine) == set(MACHINE)
    assert machine["cores"] >= 1
    assert platform.node() not in machine.values()
    assert os.path.expanduser("~") not in text

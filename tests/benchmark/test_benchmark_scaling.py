import argparse

import numpy as np
import pytest
from PIL import Image

from mer_jax.benchmark import SUITES, plot, results, scaling
from mer_jax.benchmark.__main__ import main
from mer_jax.checks import DataError


def test_scaling_measures_every_batch_on_all_devices_and_on_one(tmp_path):
    seen = []
    args = argparse.Namespace(quick=True, cases=["mel"], batch=[1, 2])
    report = scaling.run(args, lambda report: seen.append(len(report.rows)))
    assert seen == [1, 2]
    assert [row["batch"] for row in report.rows] == [1, 2]
    for row in report.rows:
        assert set(row["peers"]) == {"one_device"}
        assert row["audio_s_per_s"] == pytest.approx(row["batch"] * 5.0 / row["ours_s"])
    report.write(tmp_path / "scaling.json")
    assert main(["plot", str(tmp_path / "scaling.json"), "--out", str(tmp_path / "a.png")]) == 0
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 1  # something is drawn


def test_nothing_is_drawn_of_nothing(tmp_path):
    with pytest.raises(DataError, match="no row"):
        plot.write(results.Report(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    results.Report(rows=[]).write(tmp_path / "a.json")
    row = {
        "suite": "models",
        "name": "dense_step",
        "ours_s": 1.0,
        "peers": {},
        "best_peer": None,
        "speedup": None,
    }
    with pytest.raises(DataError, match="nowhere"):
        plot.write(results.Report(rows=[row]), tmp_path / "nowhere" / "a.png")


def test_all_runs_every_suite_in_a_process_of_its_own_and_draws_them(tmp_path, capsys, monkeypatch):
    commands = []

    def run(command, **_):
        """In the place of the suites, which take minutes."""
        commands.append(command[2:])
        suite, path = command[3], command[5]
        row = {"name": "a case", "ours_s": 1.0, "peers": {"them": 3.0}, "best_peer": "them", "speedup": 3.0, "batch": 1,
               "suite": suite, "compile_s": 0.5, "peak_mib": None, "note": "", "audio_s_per_s": 5.0}  # fmt: skip
        if suite != "models":
            results.Report(rows=[row]).write(path)
        return argparse.Namespace(returncode=int(suite == "models"))

    monkeypatch.setattr("mer_jax.benchmark.__main__.subprocess.run", run)
    out = tmp_path / "results"
    assert main(["all", "--out", str(out)]) == 1, "models failed"
    assert [command[:2] for command in commands] == [["mer_jax.benchmark", suite] for suite in SUITES]
    assert all(command[-1] == "--quick" for command in commands)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(f"{suite}.json" for suite in SUITES if suite != "models"), "speed.png"]
    )
    said = capsys.readouterr()
    assert "| a case | 1000 | 3000 | **3.00** (them) |" in said.out
    assert "models failed" in said.err
    commands.clear()
    assert main(["all", "--out", str(out), "--suites", "scaling", "--full"]) == 0
    assert commands == [["mer_jax.benchmark", "scaling", "--json", str(out / "scaling.json")]]

import argparse

import numpy as np
import pytest
from PIL import Image

from mer_jax.benchmark import plot, results, scaling
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


@pytest.mark.slow
def test_all_runs_the_suites_and_draws_them(tmp_path, capfd):
    out = tmp_path / "results"
    assert main(["all", "--out", str(out), "--suites", "scaling"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["scaling.json", "speed.png"]
    assert "| mel, 1 x 5 s |" in capfd.readouterr().out

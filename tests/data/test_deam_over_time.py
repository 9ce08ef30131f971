"""A small copy of DEAM from its archive to the predicted course of a song, by the command line alone."""

import json

import numpy as np
import pytest
from miniatures import deam

from mer_jax import cli, data

SR = 8000
# Song id, static as shipped, mean over time (valence, arousal), moments; rate, channels.
# The first two are full songs, whose static ratings are in a table of their own.
SONGS = [
    (song, 3.0, 3.0 + 0.05 * k, (-0.5, 0.03 * k - 0.4), 5, 16000, 1)
    for k, song in enumerate([2001, 2058, *range(1100, 1124)])
]


@pytest.mark.slow
def test_ratings_over_time_from_the_archive_to_a_course(tmp_path, capsys):
    deam(tmp_path / "archive", SONGS, seconds=17.6)
    prepared, run = tmp_path / "prepared", tmp_path / "run"
    archive = ["--manual-dir", str(tmp_path / "archive"), "--data-dir", str(prepared)]
    assert cli.main(["prepare", "deam", *archive, "--sample-rate", str(SR), "--partial"]) == 0
    catalog = data.load(prepared, sr=SR)
    assert catalog.rating_range == (1, 9)
    assert catalog.dynamic.rating_range is None  # over time it is -1 to 1 already
    np.testing.assert_allclose(catalog.dynamic.times_s(0), 15 + np.arange(5) / 2)

    flags = (
        f"--task dynamic --data {prepared} --out {run} --sr {SR} --clip-s 2 --folds 3 --frontend.name log_mel"
    )
    flags += " --frontend.options n_mels 8 n_fft 512 hop_length 256 --recurrent.architecture bilstm"
    flags += " --recurrent.lstm-units 4 --recurrent.dense-units 4 --training.epochs 2 --training.batch-size 4"
    assert cli.main(["train", *flags.split()]) == 0
    assert "RMSE, mean over songs" in capsys.readouterr().out
    facts = json.loads((run / "facts.json").read_text())
    assert facts["data"]["rating_range"] is None
    assert (facts["task"]["name"], facts["task"]["rate_hz"]) == ("dynamic", 2)
    scores = json.loads((run / "scores.json").read_text())["test"]
    assert scores["num_ratings"] == 5 * scores["num_clips"]
    assert 0 < scores["song_rmse"] < 1.5

    assert cli.main(["evaluate", str(run)]) == 0
    assert f"song_rmse         {scores['song_rmse']:.3f}" in capsys.readouterr().out
    song = next((tmp_path / "archive").rglob("1100.mp3"))
    assert cli.main(["predict", str(song), "--checkpoint", str(run), "--curve"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [f"{k / 2:.2f}" for k in range(len(lines) - 1)]
    assert len(lines) - 1 == round(17.6 * 2)


def test_songs_that_end_before_their_ratings_are_told(tmp_path, capsys):
    deam(tmp_path / "archive", SONGS[:3], seconds=14.0)
    prepared = tmp_path / "prepared"
    archive = ["--manual-dir", str(tmp_path / "archive"), "--data-dir", str(prepared)]
    assert cli.main(["prepare", "deam", *archive, "--sample-rate", str(SR), "--partial"]) == 0
    flags = ["--task", "dynamic", "--data", str(prepared), "--sr", str(SR), "--out", str(tmp_path / "run")]
    assert cli.main(["train", *flags]) == 2
    assert "has no ratings over time in its audio" in capsys.readouterr().err

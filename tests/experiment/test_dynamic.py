"""Ratings over time from a data set to scores, a report and the course of a recording."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile
from rated_songs import SR, STEP, rated_songs, shifted

import mer_jax as mj
from mer_jax import checks, cli, data, experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data.prepare import prepare
from mer_jax.experiment import running, targets
from mer_jax.experiment.folder import write_config
from mer_jax.models import RecurrentConfig
from mer_jax.training import AugmentationConfig, OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")

SONGS, RATINGS = 30, 16
UNRATED = (3, 8)


def settings(folder, out, **changes) -> ExperimentConfig:
    config = ExperimentConfig(
        data=str(folder),
        out=out,
        sr=SR,
        clip_s=3.0,
        folds=3,
        task="dynamic",
        frontend=FrontendConfig("log_mel", {"n_mels": 8, "n_fft": 512, "hop_length": 256}),
        recurrent=RecurrentConfig("bilstm", lstm_units=8, dense_units=16, dropout=0.0),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        training=TrainingConfig(epochs=30, batch_size=4, patience=30),
    )
    return dataclasses.replace(config, **changes)


@pytest.fixture(scope="module")
def songs():
    return rated_songs(SONGS, RATINGS, rating_range=(0.0, 10.0), unrated=UNRATED, tail_s=0.3)


@pytest.fixture(scope="module")
def folder(songs, tmp_path_factory):
    return prepare(songs, tmp_path_factory.mktemp("data") / "levels", sr=SR).path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return experiment.run(settings(folder, tmp_path_factory.mktemp("runs") / "run"), progress=False)


@pytest.fixture(scope="module")
def found(run):
    with np.load(run / "predictions.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_what_the_audio_tells_is_learnt_at_its_time(run, found):
    scores = json.loads((run / "scores.json").read_text())["test"]
    assert scores["song_pearson_r"] > 0.9
    assert scores["pearson_r"] > 0.9
    assert scores["num_ratings"] == len(found["ids"]) == RATINGS * scores["num_clips"]
    # Held against the ratings of the step before, or of the one after, predictions are about the song no more.
    arousal = [column.reshape(-1, RATINGS) for column in (found["targets"][:, 1], found["predictions"][:, 1])]
    by_shift = [_mean_correlation(np.roll(arousal[0], shift, axis=1), arousal[1]) for shift in (-1, 0, 1)]
    assert by_shift[1] > 0.9
    assert max(by_shift[0], by_shift[2]) < 0.4


def _mean_correlation(a, b):
    return np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])


def test_predictions_are_on_the_listeners_scale(run, found, songs):
    assert found["names"].tolist() == ["valence", "arousal"]
    row = int(found["clips"][0])
    assert found["songs"][0] == f"song {row}"
    first = slice(0, RATINGS)
    np.testing.assert_allclose(found["targets"][first], 5 + 5 * songs.dynamic.valence_arousal[row], rtol=1e-5)
    np.testing.assert_allclose(found["times_s"][first], songs.dynamic.times_s(row))
    assert found["ids"][0] == f"song {row} at 1.500 s"
    assert 2 < found["predictions"].mean() < 8
    rmse = np.sqrt(((found["predictions"] - found["targets"]) ** 2).mean(axis=0)).mean()
    assert json.loads((run / "scores.json").read_text())["test"]["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert json.loads((run / "facts.json").read_text())["data"]["rating_range"] == [0, 10]


def test_only_training_ratings_are_standardised_with(run, songs):
    facts = json.loads((run / "facts.json").read_text())
    split = mj.data.splits.split_of(songs, "grouped", folds=3)
    rows = [row for row in split.train if row not in UNRATED]
    ratings = np.concatenate([5 + 5 * songs.dynamic.valence_arousal[row] for row in rows])
    np.testing.assert_allclose(facts["task"]["mean"], ratings.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(facts["task"]["std"], ratings.std(axis=0), rtol=1e-5)
    assert facts["clips_without_ratings_over_time"] == len(UNRATED)
    assert sum(sum(part.values()) for part in facts["data"]["counts"].values()) == SONGS - len(UNRATED)


def test_a_run_is_scored_again_and_windows_may_overlap(run, songs, tmp_path, capsys):
    stored = json.loads((run / "scores.json").read_text())["test"]
    again = experiment.evaluate(run)
    assert again["song_rmse"] == pytest.approx(stored["song_rmse"], rel=1e-5)
    overlapping = experiment.evaluate(run, hop_s=0.5)
    assert overlapping["num_ratings"] == stored["num_ratings"]
    assert overlapping["song_rmse"] != stored["song_rmse"]
    assert overlapping["song_pearson_r"] > 0.9
    assert cli.main(["evaluate", str(run)]) == 0
    assert "song_ccc" in capsys.readouterr().out
    # On other data: all of its rated clips, on the scale of the run whatever its own is.
    other = dataclasses.replace(songs.dynamic, rating_range=None)
    where = prepare(dataclasses.replace(songs, dynamic=other), tmp_path / "other", sr=SR).path
    elsewhere = experiment.evaluate(run, spec=str(where))
    assert elsewhere["num_clips"] == SONGS - len(UNRATED)
    assert elsewhere["song_pearson_r"] > 0.9
    assert elsewhere["rmse"] < 2


def test_ratings_that_are_said_to_be_of_other_audio_do_not_fit(run, songs, tmp_path):
    late = prepare(shifted(songs, 0.5), tmp_path / "late", sr=SR).path
    assert experiment.evaluate(run, spec=str(late))["song_pearson_r"] < 0.4
    # By less than a step, and on a grid of its own, it is in between.
    between = prepare(shifted(songs, 0.2), tmp_path / "between", sr=SR).path
    assert 0.5 < experiment.evaluate(run, spec=str(between))["song_pearson_r"] < 0.95


def test_the_report_shows_scores_of_both_kinds_and_courses(run):
    page = (run / "report.html").read_text()
    for words in (
        "RMSE, mean over songs",
        "all ratings pooled",
        "on the scale 0 to 10",
        "synthetic data",
        "Courses",
    ):
        assert words in page, words
    assert (run / "figures" / "courses.png").is_file()
    table = mj.evaluation.report.summary_table(run)
    assert "Concordance, mean over songs" in table
    assert "test songs with" in table


def test_the_course_of_a_recording(run, songs, tmp_path, capsys):
    row = 0
    path = tmp_path / "song.wav"
    soundfile.write(path, songs.source[row], SR)
    found = mj.predict.predict(path, checkpoint=run)
    steps = 3 + RATINGS + 1  # silence, ratings, and 0.3 s at the end
    assert found.curve.shape == (steps, 2)
    np.testing.assert_allclose(found.times_s, np.arange(steps) / 2)
    expected = 5 + 5 * songs.dynamic.valence_arousal[row]
    assert np.corrcoef(found.curve[3 : 3 + RATINGS, 1], expected[:, 1])[0, 1] > 0.9
    np.testing.assert_allclose(found.outputs, found.curve.mean(axis=0))
    np.testing.assert_allclose(found.valence_arousal, found.outputs / 5 - 1)
    assert cli.main(["predict", str(path), "--checkpoint", str(run), "--curve"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + steps
    assert lines[-1].split()[0] == f"{(steps - 1) / 2:.2f}"
    # Shorter than what one rating stands for.
    soundfile.write(path, songs.source[row][SR * 2 : SR * 2 + STEP // 4], SR)
    assert mj.predict.predict(path, checkpoint=run).curve.shape == (1, 2)


@pytest.mark.slow
def test_whole_songs_are_computed_once_and_give_the_same(folder, tmp_path):
    config = settings(folder, tmp_path / "cached", clip_s=10.0)
    once = experiment.run(config, progress=False)
    assert json.loads((once / "facts.json").read_text())["cached"]
    anew = dataclasses.replace(config, out=tmp_path / "anew", cache="off")
    every = experiment.run(anew, progress=False)
    scores = [json.loads((out / "scores.json").read_text())["test"] for out in (once, every)]
    assert scores[0]["song_pearson_r"] > 0.9
    assert scores[0]["song_rmse"] == pytest.approx(scores[1]["song_rmse"], rel=0.02)


def test_songs_whose_steps_do_not_begin_with_their_audio_are_cut(songs, folder, tmp_path):
    catalog = targets.with_targets(shifted(songs, 0.2), "dynamic", "songs")
    config = settings(folder, tmp_path / "run", clip_s=12.0)
    model = experiment.build_model(config, 2, rate_hz=2.0)
    assert "do not begin at whole steps" in running.why_not_cached(config, catalog, model)
    assert running.why_not_cached(config, targets.with_targets(songs, "dynamic", "songs"), model) == ""


@pytest.mark.slow
def test_concordance_and_augmentation(folder, tmp_path):
    config = settings(
        folder,
        tmp_path / "run",
        augmentation=AugmentationConfig(noise_db=30.0, time_mask=0.1, frequency_mask=0.1),
    )
    training = dataclasses.replace(config.training, regression_loss="ccc", epochs=20)
    out = experiment.run(dataclasses.replace(config, training=training), progress=False)
    scores = json.loads((out / "scores.json").read_text())["test"]
    assert scores["loss"] == pytest.approx(1 - scores["ccc"])
    assert scores["ccc"] > 0.6


@pytest.mark.slow
def test_every_fold_in_turn(folder, tmp_path, capsys):
    config = settings(folder, tmp_path / "run", training=TrainingConfig(epochs=3, batch_size=4))
    write_config(config.out, config)
    assert cli.main(["evaluate", str(config.out), "--folds", "3"]) == 0
    assert "song_pearson_r" in capsys.readouterr().out
    found = json.loads((config.out / "crossval" / "crossval.json").read_text())
    assert found["num_clips"] == SONGS - len(UNRATED)
    assert (
        found["intervals"]["song_rmse"][0] < found["scores"]["song_rmse"] < found["intervals"]["song_rmse"][1]
    )
    assert found["over_splits"]["song_rmse"]["count"] == 3
    assert cli.main(["compare", str(config.out), str(config.out)]) == 0
    assert f"{SONGS - len(UNRATED)} clips, 3 splits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "dense"}, "network: is 'dense', which gives one answer a clip"),
        ({"network": "vgg19"}, "--network recurrent"),
        ({"augmentation": AugmentationConfig(mixup=0.2)}, "augmentation.mixup: is 0.2"),
        ({"clip_s": 0.3}, "clip_s: is 0.3 s, less than one rating stands for"),
        ({"frontend": FrontendConfig("dstft", {"trainable": True})}, "let the front-end learn its hop"),
    ],
)
def test_what_does_not_go_with_ratings_over_time(folder, tmp_path, changes, words):
    with pytest.raises(checks.ConfigError) as error:
        experiment.run(settings(folder, tmp_path / "run", **changes), progress=False)
    assert words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_data_without_ratings_over_time(songs, run, tmp_path):
    bare = prepare(dataclasses.replace(songs, dynamic=None), tmp_path / "bare", sr=SR).path
    with pytest.raises(checks.DataError, match="has no ratings over time; expected a prepared data set"):
        experiment.run(settings(bare, tmp_path / "run"), progress=False)
    with pytest.raises(checks.DataError, match="has no ratings over time in its audio"):
        targets.with_targets(shifted(songs, 60), "dynamic", "songs")
    slower = dataclasses.replace(songs.dynamic, rate_hz=1.0)
    where = prepare(dataclasses.replace(songs, dynamic=slower), tmp_path / "slower", sr=SR).path
    with pytest.raises(checks.DataError, match="is rated 1 times a second; expected 2"):
        experiment.evaluate(run, spec=str(where))


def test_a_part_without_ratings_is_named(songs):
    split = mj.data.splits.split_of(songs, "grouped", folds=3)
    series = list(songs.dynamic.valence_arousal)
    for row in split.validation:
        series[row] = np.zeros((0, 2), np.float32)
    dynamic = dataclasses.replace(songs.dynamic, valence_arousal=tuple(series))
    with pytest.raises(checks.DataError, match="clips of its validation part has ratings over time"):
        targets.rated_parts(dataclasses.replace(songs, dynamic=dynamic), split)


@pytest.mark.slow
def test_training_goes_on_bit_for_bit(folder, tmp_path, monkeypatch):
    short = TrainingConfig(epochs=3, batch_size=4, checkpoint_every_steps=2)
    config = settings(folder, tmp_path / "whole", training=short)
    whole = experiment.run(config, progress=False)
    stopped = dataclasses.replace(config, out=tmp_path / "stopped")
    from mer_jax.training import loop

    step, taken = loop.Fit._step, []

    def interrupted(self, batch):
        step(self, batch)
        taken.append(1)
        if len(taken) == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Fit, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(stopped, progress=False)
    experiment.run(stopped, resume=True, progress=False)
    found = [np.load(out / "predictions.npz")["predictions"] for out in (whole, stopped.out)]
    np.testing.assert_array_equal(*found)


def test_the_scale_of_ratings_over_time_is_kept_on_disk(songs, folder):
    assert data.load(folder, sr=SR).dynamic.rating_range == (0, 10)

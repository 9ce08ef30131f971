"""Scores of ratings over time, pooled and song by song, against their definitions."""

import numpy as np
import pytest

from mer_jax import checks
from mer_jax.evaluation import bootstrap, dynamic_scores, target_scores

NAMES = ("valence", "arousal")


@pytest.fixture
def ratings(rng):
    clips = np.repeat([7, 2, 9, 4], [12, 30, 5, 9])
    y = rng.normal(size=(len(clips), 2)) + rng.normal(size=(10, 2))[clips]
    return clips, y, 0.6 * y + rng.normal(size=y.shape) + 0.3


def ccc(y, p):
    return 2 * np.cov(y, p, bias=True)[0, 1] / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)


def test_pooled_scores_are_those_of_all_ratings_as_one_series(ratings):
    clips, y, p = ratings
    found = dynamic_scores.compute(y, p, clips, NAMES, std=(2.0, 0.5))
    expected = target_scores.regression(y, p, NAMES, std=(2.0, 0.5))
    for metric in ("rmse", "pearson_r", "r2", "ccc", "loss"):
        assert found[metric] == pytest.approx(expected[metric]), metric
    for name in NAMES:
        for metric in ("rmse", "pearson_r", "r2", "ccc"):
            assert found["per_target"][name][metric] == pytest.approx(expected["per_target"][name][metric])
    assert (found["num_clips"], found["num_ratings"]) == (4, 56)
    assert dynamic_scores.compute(y, p, clips, NAMES, loss="ccc")["loss"] == pytest.approx(1 - found["ccc"])


def test_song_scores_are_means_over_songs_that_count_alike(ratings):
    clips, y, p = ratings
    found = dynamic_scores.compute(y, p, clips, NAMES)["per_target"]
    for k, name in enumerate(NAMES):
        songs = [(y[clips == c, k], p[clips == c, k]) for c in np.unique(clips)]
        assert found[name]["song_rmse"] == pytest.approx(
            np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in songs])
        )
        assert found[name]["song_pearson_r"] == pytest.approx(
            np.mean([np.corrcoef(a, b)[0, 1] for a, b in songs])
        )
        assert found[name]["song_ccc"] == pytest.approx(np.mean([ccc(a, b) for a, b in songs]))


def test_a_model_that_knows_only_the_means_of_songs(ratings):
    clips, y, _ = ratings
    means = np.array([y[clips == clip].mean(axis=0) for clip in clips])
    found = dynamic_scores.compute(y, means, clips, NAMES)
    assert found["pearson_r"] > 0.3
    assert (found["song_pearson_r"], found["song_ccc"]) == (0, 0)


def test_constant_songs_single_ratings_and_constant_predictions():
    y = np.array([[0.0], [1.0], [2.0], [0.4], [0.4], [3.0]])
    p = np.array([[1.0], [2.0], [3.0], [0.1], [0.9], [5.0]])
    clips = np.array([0, 0, 0, 1, 1, 2])
    found = dynamic_scores.compute(y, p, clips, ["valence"])
    assert found["song_pearson_r"] == pytest.approx(1)  # of the first song: the others have no course
    assert found["song_ccc"] == pytest.approx(4 / 7)
    assert found["song_rmse"] == pytest.approx((1 + np.sqrt(0.17) + 2) / 3)
    # All predictions alike: nothing is said of the course, and the pooled correlation is undefined.
    constant = dynamic_scores.compute(y, np.full_like(p, 0.7), clips, ["valence"])
    assert (constant["song_pearson_r"], constant["song_ccc"]) == (0, 0)
    assert constant["ccc"] == pytest.approx(0)
    assert constant["pearson_r"] is None
    # Nothing but one rating a song.
    single = dynamic_scores.compute(y[2:4], p[2:4], clips[2:4], ["valence"])
    assert (single["song_pearson_r"], single["song_ccc"]) == (None, None)
    assert single["rmse"] > 0
    same = dynamic_scores.compute(np.ones((3, 1)), np.ones((3, 1)), np.zeros(3, int), ["valence"])
    assert (same["ccc"], same["pearson_r"], same["rmse"], same["loss"]) == (None, None, 0, 0)


def test_float32_noise_on_a_constant_is_no_course():
    y = np.full((40, 1), 0.3, np.float32)
    p = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    y[::2] = np.nextafter(np.float32(0.3), np.float32(1))
    found = dynamic_scores.compute(y, p, np.zeros(40, int), ["valence"])
    assert (found["song_pearson_r"], found["pearson_r"]) == (None, None)


def test_windows_that_overlap_give_each_rating_one_prediction():
    truth = np.zeros((3, 2, 4))
    truth[:, :, 2] = [[5], [5], [1]]
    truth[:, :, 3] = [[0, 1], [1, 2], [0, -1]]
    truth[:, :, 0] = [[10, 11], [11, 12], [20, 0]]
    outputs = np.array([[[1.0, 0], [2, 0]], [[4, 0], [5, 0]], [[6, 0], [99, 0]]])
    found = dynamic_scores.collect(truth, outputs)
    assert found.clips.tolist() == [1, 5, 5, 5]
    assert found.numbers.tolist() == [0, 0, 1, 2]
    assert found.true[:, 0].tolist() == [20, 10, 11, 12]
    assert found.predicted[:, 0].tolist() == [6, 1, 3, 5]
    truth[:, :, 3] = -1
    with pytest.raises(checks.DataError, match="hold no rating"):
        dynamic_scores.collect(truth, outputs)


def test_resamples_draw_groups_and_songs_that_are_drawn_twice_count_twice(ratings):
    clips, y, p = ratings
    groups = np.where(clips < 5, "a", "b")
    part = dynamic_scores.SongPart.of(y, p, clips, groups)
    assert part.groups.tolist() == ["a", "a", "b", "b"]  # songs 2, 4, 7, 9
    found = dynamic_scores.replicates([part], num_resamples=6, seed=1)
    for k, (rows,) in enumerate(bootstrap.resamples([part.groups], num_resamples=6, seed=1)):
        drawn = [np.flatnonzero(clips == np.unique(clips)[row]) for row in rows]
        again = np.repeat(np.arange(len(drawn)), [len(one) for one in drawn])
        every = np.concatenate(drawn)
        expected = dynamic_scores.compute(y[every], p[every], again, NAMES)
        for metric in dynamic_scores.METRICS:
            assert found[metric][k] == pytest.approx(expected[metric]), metric


def test_what_is_not_finite_is_refused(ratings):
    clips, y, p = ratings
    p[3] = np.nan
    with pytest.raises(checks.DataError, match="not finite"):
        dynamic_scores.compute(y, p, clips, NAMES)
    with pytest.raises(checks.DataError, match="expected"):
        dynamic_scores.SongMoments.of(y, p[:5], clips)

import numpy as np
import pytest
from sklearn import metrics

from mer_jax import checks
from mer_jax.evaluation import bootstrap, scores
from mer_jax.evaluation.bootstrap import Predictions
from mer_jax.evaluation.statistics import bootstrap_intervals

CLASSES = ("a", "b", "c", "d")


def draw(rng, num_clips=200, num_classes=4, num_groups=20, decimals=None):
    labels = rng.integers(0, num_classes, num_clips).astype(np.int32)
    logits = rng.normal(size=(num_clips, num_classes)) + np.eye(num_classes)[labels]
    if decimals is not None:
        logits = np.round(logits, decimals)  # ties between clips
    probabilities = np.exp(logits)
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    groups = np.array([f"song {k}" for k in rng.integers(0, num_groups, num_clips)])
    return Predictions(labels, probabilities, groups)


def score_by_scikit_learn(labels, p):
    predicted = p.argmax(1)
    present = [k for k in range(4) if 0 < (labels == k).sum() < len(labels)]
    return {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
        "mcc": metrics.matthews_corrcoef(labels, predicted),
        "auc": np.mean([metrics.roc_auc_score(labels == k, p[:, k]) for k in present]),
        "brier": np.mean(np.sum((p.astype(np.float64) - np.eye(4)[labels]) ** 2, axis=1)),
    }


@pytest.mark.parametrize("decimals", [None, 0])
def test_replicates_equal_resampling_clip_by_clip(rng, decimals):
    seeds = [draw(rng, num_clips=60, decimals=decimals) for _ in range(2)]
    out = bootstrap.replicates(seeds, num_resamples=50, seed=3)

    names = np.unique(np.concatenate([part.groups for part in seeds]))
    for number, row in enumerate(np.random.default_rng(3).integers(0, len(names), size=(50, len(names)))):
        found = []
        for part in seeds:
            clips = np.concatenate([np.flatnonzero(part.groups == names[g]) for g in row])
            found.append(score_by_scikit_learn(part.labels[clips], part.probabilities[clips]))
        for metric in bootstrap.METRICS:
            wanted = np.mean([one[metric] for one in found])
            assert out[metric][number] == pytest.approx(wanted), metric


def test_point_is_the_mean_of_the_scores(rng):
    seeds = [draw(rng) for _ in range(3)]
    found = [scores.compute(part.labels, part.probabilities, CLASSES) for part in seeds]
    for metric, value in bootstrap.point(seeds).items():
        assert value == pytest.approx(np.mean([one[metric] for one in found])), metric


def test_constant_predictions_have_no_correlation():
    part = Predictions(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), np.arange(3))
    assert bootstrap.point([part])["mcc"] == 0.0


def test_intervals_follow_the_seed(rng):
    part = draw(rng)
    first, again, other = (
        bootstrap_intervals([part], num_resamples=200, seed=seed, level=0.9) for seed in (0, 0, 1)
    )
    assert first == again
    assert first["auc"] != other["auc"]
    point = bootstrap.point([part])
    for name in bootstrap.METRICS:
        low, high = first[name]
        assert low < point[name] < high
    assert (first["num_groups"], first["num_resamples"], first["level"]) == (20, 200, 0.9)


def test_whole_songs_widen_the_interval(rng):
    # Ten identical clips a song carry the information of one.
    part = draw(rng, num_clips=40)
    labels, probabilities = np.repeat(part.labels, 10), np.repeat(part.probabilities, 10, axis=0)
    songs, clips = np.repeat(np.arange(40), 10), np.arange(400)
    by_song, by_clip = (
        bootstrap_intervals([Predictions(labels, probabilities, groups)])["accuracy"]
        for groups in (songs, clips)
    )
    assert by_song[1] - by_song[0] > 2 * (by_clip[1] - by_clip[0])


def test_resamples_in_several_chunks(rng):
    # 4000 groups and 1000 resamples do not fit in one chunk.
    part = draw(rng, num_clips=4000)
    part = Predictions(part.labels, part.probabilities, np.arange(4000))
    low, high = bootstrap_intervals([part])["accuracy"]
    accuracy = (part.probabilities.argmax(1) == part.labels).mean()
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 4000)  # the normal approximation for independent clips
    assert low == pytest.approx(accuracy - half, abs=0.003)
    assert high == pytest.approx(accuracy + half, abs=0.003)


def test_one_group_has_no_interval(rng):
    part = draw(rng, num_clips=5, num_groups=1)
    out = bootstrap_intervals([part])
    assert out["accuracy"] is None
    assert out["num_groups"] == 1


def test_one_class_has_no_auc_interval():
    probabilities = np.array([[0.6, 0.4], [0.7, 0.3], [0.4, 0.6]])
    out = bootstrap_intervals([Predictions(np.zeros(3, int), probabilities, np.arange(3))], num_resamples=20)
    assert out["auc"] is None
    assert out["accuracy"] is not None


def test_groups_of_another_length_are_refused(rng):
    part = draw(rng)
    with pytest.raises(checks.DataError, match="3 groups for 200 labels"):
        bootstrap.replicates([Predictions(part.labels, part.probabilities, np.arange(3))])


def test_an_unknown_metric_is_named(rng):
    with pytest.raises(checks.ArgumentError, match="accuracy"):
        bootstrap.replicates([draw(rng)], metrics=["acuracy"])

"""The quick bootstrap of numbers and tags against drawing clips one by one."""

import numpy as np
import pytest

from mer_jax import checks
from mer_jax.evaluation import target_bootstrap, target_scores
from mer_jax.evaluation.target_bootstrap import TargetPredictions

NAMES = ("calm", "tense", "sad")


def draw(rng, kind, num_clips=40, num_groups=9, decimals=None):
    groups = np.array([f"song {k}" for k in rng.integers(0, num_groups, num_clips)])
    if kind == "numbers":
        # Far from 0, where sums of squares lose digits.
        y = (5 + rng.normal(size=(num_clips, 3)) * (0.1, 1, 10)).astype(np.float32)
        return TargetPredictions(y, (0.5 * y + rng.normal(size=y.shape)).astype(np.float32), groups)
    y = (rng.random((num_clips, 3)) < (0.5, 0.3, 0.1)).astype(np.float32)
    p = np.clip(0.3 * y + 0.7 * rng.random(y.shape), 0, 1).astype(np.float32)
    p = p if decimals is None else np.round(p, decimals)
    return TargetPredictions(y, p, groups, rng.random(y.shape))


def score(kind, part, rows):
    if kind == "numbers":
        return target_scores.regression(part.targets[rows], part.predictions[rows], NAMES)
    return target_scores.tags(
        part.targets[rows], part.predictions[rows], NAMES, thresholds=part.thresholds[rows]
    )


@pytest.mark.parametrize(("kind", "decimals"), [("numbers", None), ("tags", None), ("tags", 1)])
def test_replicates_equal_resampling_clip_by_clip(rng, kind, decimals):
    parts = [draw(rng, kind, decimals=decimals) for _ in range(2)]
    metrics = target_bootstrap.METRICS[kind]
    out = target_bootstrap.replicates(parts, kind, metrics=tuple(metrics), num_resamples=30, seed=3)
    of_targets = target_bootstrap.of_targets(parts, kind, metrics=tuple(metrics), num_resamples=30, seed=3)
    names = np.unique(np.concatenate([part.groups for part in parts]))
    for number, row in enumerate(np.random.default_rng(3).integers(0, len(names), size=(30, len(names)))):
        found = []
        for part in parts:
            rows = np.concatenate([np.flatnonzero(part.groups == names[g]) for g in row])
            found.append(score(kind, part, rows))
        for metric, of_one in metrics.items():
            assert out[metric][number] == pytest.approx(np.mean([one[metric] for one in found])), metric
            for k, one in enumerate(found):
                wanted = [one["per_target"][name].get(of_one) for name in NAMES]
                if of_one == "brier":
                    continue  # reported as a mean alone
                wanted = [np.nan if value is None else value for value in wanted]
                np.testing.assert_allclose(of_targets[metric][k, number], wanted, rtol=1e-6, atol=1e-9)


def test_chunks_give_the_same_draws(rng, monkeypatch):
    part = draw(rng, "numbers")
    whole = target_bootstrap.replicates([part], "numbers", metrics=("ccc",), num_resamples=25)
    monkeypatch.setattr("mer_jax.evaluation.bootstrap._WEIGHTS_AT_A_TIME", 40 * 7)
    chunked = target_bootstrap.replicates([part], "numbers", metrics=("ccc",), num_resamples=25)
    np.testing.assert_allclose(whole["ccc"], chunked["ccc"])


def test_what_is_constant_has_no_correlation():
    part = TargetPredictions(np.array([[0.1], [0.2], [0.3]]), np.full((3, 1), 0.7), np.arange(3))
    out = target_bootstrap.replicates([part], "numbers", metrics=("pearson_r", "rmse"), num_resamples=20)
    assert np.isnan(out["pearson_r"]).all()
    assert (out["rmse"] > 0.3).all()


def test_an_unknown_score_is_named(rng):
    with pytest.raises(checks.ArgumentError, match="accuracy"):
        target_bootstrap.replicates([draw(rng, "numbers")], "numbers", metrics=("accuracy",))

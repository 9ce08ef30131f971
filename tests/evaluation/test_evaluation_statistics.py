import math

import numpy as np
import pytest
from scipy import stats

from mer_jax import checks
from mer_jax.evaluation import bootstrap, scores, statistics
from mer_jax.evaluation.bootstrap import Predictions


def two_models(rng, *, num_groups, clips_a_group, accuracy, alike=0.6):
    """Two models on the same clips; each is right with its ``accuracy``, and clips of a song share their luck."""
    groups = np.repeat(np.arange(num_groups), clips_a_group)
    labels = rng.integers(0, 3, num_groups)[groups]
    song = rng.normal(size=num_groups)[groups]
    out = []
    for share in accuracy:
        own = rng.normal(size=len(groups))
        # A mixture of standard normal luck is standard normal: right where it lies below the quantile of the accuracy.
        luck = math.sqrt(alike) * song + math.sqrt(1 - alike) * own
        right = luck < stats.norm.ppf(share)
        said = np.where(right, labels, (labels + rng.integers(1, 3, len(labels))) % 3)
        out.append([Predictions(labels, 0.1 + 0.7 * np.eye(3)[said], groups)])
    return out


def test_paired_difference_equals_resampling_clip_by_clip(rng):
    first, second = two_models(rng, num_groups=15, clips_a_group=4, accuracy=(0.7, 0.5))
    out = statistics.paired_difference(first, second, num_resamples=199, seed=5)["accuracy"]
    right = [(part.probabilities.argmax(1) == part.labels).astype(float) for (part,) in (first, second)]
    gap = (right[0] - right[1]).reshape(15, 4).mean(axis=1)
    drawn = gap[np.random.default_rng(5).integers(0, 15, size=(199, 15))].mean(axis=1)
    assert out.value == pytest.approx(gap.mean())
    assert [out.low, out.high] == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist())
    # Sums in another order leave zeros of 1e-17.
    tail = min((drawn < 1e-12).sum(), (drawn > -1e-12).sum())
    assert out.p_value == pytest.approx(min(1.0, 2 * (tail + 1) / 200))


def test_exchanging_the_models_changes_the_sign_alone(rng):
    first, second = two_models(rng, num_groups=30, clips_a_group=3, accuracy=(0.7, 0.5))
    there = statistics.paired_difference(first, second, num_resamples=500)
    back = statistics.paired_difference(second, first, num_resamples=500)
    for metric, found in there.items():
        assert back[metric].value == pytest.approx(-found.value)
        assert [back[metric].low, back[metric].high] == pytest.approx([-found.high, -found.low])
        assert back[metric].p_value == found.p_value


def test_a_model_does_not_differ_from_itself(rng):
    first, _ = two_models(rng, num_groups=10, clips_a_group=2, accuracy=(0.7, 0.5))
    found = statistics.paired_difference(first, first, num_resamples=100)["macro_f1"]
    assert (found.value, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("accuracy", "true"), [((0.6, 0.6), 0.0), ((0.7, 0.6), 0.1)])
def test_paired_intervals_cover_the_true_difference(accuracy, true):
    rng = np.random.default_rng(1)
    covered, rejected = 0, 0
    for trial in range(300):
        pair = two_models(rng, num_groups=60, clips_a_group=3, accuracy=accuracy)
        found = statistics.paired_difference(*pair, metrics=["accuracy"], num_resamples=399, seed=trial)[
            "accuracy"
        ]
        covered += found.low <= true <= found.high
        rejected += found.p_value <= 0.05
    # 95 % of 300 is 285; the binomial spread is 3.8 either way, and percentile intervals of 60 groups are a little narrow.
    assert 272 <= covered <= 297
    if true == 0:
        assert rejected <= 27
    else:
        assert rejected > 100


def test_ignoring_songs_would_be_too_sure():
    # The reason for drawing groups: with clips of a song alike, intervals from single clips miss too often.
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(100):
        ((part,), _) = two_models(rng, num_groups=30, clips_a_group=10, accuracy=(0.6, 0.6), alike=0.9)
        clips = Predictions(part.labels, part.probabilities, np.arange(len(part.labels)))
        drawn = bootstrap.replicates([clips], metrics=["accuracy"], num_resamples=200, seed=trial)["accuracy"]
        covered += np.percentile(drawn, 2.5) <= 0.6 <= np.percentile(drawn, 97.5)
    assert covered < 75


def test_paired_bootstrap_and_mcnemar_agree_on_independent_clips(rng):
    (first,), (second,) = two_models(rng, num_groups=400, clips_a_group=1, accuracy=(0.63, 0.6), alike=0.5)
    right = [part.probabilities.argmax(1) == part.labels for part in (first, second)]
    exact = statistics.mcnemar_exact(*right)
    found = statistics.paired_difference([first], [second])["accuracy"].p_value
    assert 0.001 < exact < 0.5
    assert found == pytest.approx(exact, rel=0.5)


def test_different_clips_are_refused(rng):
    first, second = two_models(rng, num_groups=10, clips_a_group=2, accuracy=(0.7, 0.5))
    other = [Predictions(second[0].labels, second[0].probabilities, second[0].groups[::-1])]
    with pytest.raises(checks.DataError, match="different clips"):
        statistics.paired_difference(first, other)
    with pytest.raises(checks.DataError, match="different clips"):
        statistics.paired_difference(first, second * 2)


def test_one_group_has_no_difference(rng):
    pair = two_models(rng, num_groups=1, clips_a_group=9, accuracy=(0.7, 0.5))
    assert statistics.paired_difference(*pair) == {"accuracy": None, "macro_f1": None}


@pytest.mark.parametrize(("only_first", "only_second"), [(5, 0), (7, 3), (2, 9), (4, 4)])
def test_mcnemar_is_a_sum_of_binomials(only_first, only_second):
    first = np.array([True] * only_first + [False] * only_second + [True, False])
    second = np.array([False] * only_first + [True] * only_second + [True, False])
    n, smaller = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(smaller + 1)) / 2**n
    assert statistics.mcnemar_exact(first, second) == pytest.approx(min(1.0, 2 * tail))


def test_models_that_are_right_alike_do_not_differ():
    right = np.array([True, False])
    assert statistics.mcnemar_exact(right, right) == 1.0


def test_mean_interval_is_scipys(rng):
    values = rng.normal(0.3, 1.0, size=9)
    found = statistics.mean_interval(values)
    wanted = stats.t.interval(0.95, 8, loc=values.mean(), scale=stats.sem(values))
    assert [found.low, found.high] == pytest.approx(list(wanted))
    assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    assert (found.mean, found.sd, found.count) == pytest.approx((values.mean(), values.std(ddof=1), 9))


def test_correction_worked_by_hand():
    # Four values, mean 2, s^2 = 2/3; n_test/n_train = 1/4: error = sqrt((1/4 + 1/4) 2/3) = sqrt(1/3); t(3, .975) = 3.18245.
    found = statistics.mean_interval(np.array([1.0, 2.0, 2.0, 3.0]), test_to_train=0.25)
    half = 3.18245 / math.sqrt(3)
    assert [found.low, found.high] == pytest.approx([2 - half, 2 + half], abs=1e-4)
    assert found.p_value == pytest.approx(2 * stats.t.sf(2 * math.sqrt(3), 3))


def test_corrected_intervals_cover_where_usual_ones_do_not():
    # Repeated random splits of one data set, 30 % test: values are means over test parts that overlap (true mean 0).
    rng = np.random.default_rng(0)
    covered = {0.0: 0, 0.3 / 0.7: 0}
    for _ in range(400):
        data = rng.normal(size=50)
        values = np.array([rng.permutation(data)[:15].mean() for _ in range(20)])
        for ratio in covered:
            found = statistics.mean_interval(values, test_to_train=ratio)
            covered[ratio] += found.low <= 0 <= found.high
    assert covered[0.0] < 240  # 60 %
    assert 360 <= covered[0.3 / 0.7] <= 396  # 90 to 99 %


def test_without_spread_there_is_no_interval():
    assert statistics.mean_interval(np.array([0.5])) is None
    assert statistics.mean_interval(np.array([0.5, 0.5])) is None


def test_calibrated_ece_in_closed_form():
    # One bin, confidence .7, n = 10: the mean of |X - 7| / 10, X ~ Binomial(10, .7).
    probabilities = np.tile([0.7, 0.2, 0.1], (10, 1))
    wanted = sum(math.comb(10, k) * 0.7**k * 0.3 ** (10 - k) * abs(k - 7) for k in range(11)) / 10
    # The standard deviation of one draw is about .09: 4000 draws, four standard errors.
    assert statistics.calibrated_ece(probabilities, num_resamples=4000) == pytest.approx(wanted, abs=0.006)


def test_calibrated_ece_counts_as_the_score_does(rng):
    # Labels drawn from the probabilities themselves: the error that is observed is one draw of it.
    p = rng.dirichlet(np.ones(4), size=300)
    observed = [
        scores.expected_calibration_error(np.array([rng.choice(4, p=row) for row in p]), p) for _ in range(40)
    ]
    assert statistics.calibrated_ece(p) == pytest.approx(
        np.mean(observed), abs=4 * np.std(observed) / 40**0.5
    )

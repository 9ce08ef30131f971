"""Candidates that pause end as they would in one go."""

import numpy as np
import pytest
from test_population import alone, assert_same, make_features, make_recruit

from mer_jax import checks
from mer_jax.training import OptimizerConfig, TrainingConfig
from mer_jax.training.candidate import Candidate
from mer_jax.training.population import advance

OPTIONS = [
    {"optimizer_config": OptimizerConfig(learning_rate=3e-2)},
    {"optimizer_config": OptimizerConfig(learning_rate=3e-3, weight_decay=0.1), "dropout": 0.6},
    {"optimizer_config": OptimizerConfig(learning_rate=1e-2), "dropout": 0.1},
]
TRAINING = TrainingConfig(epochs=9, batch_size=8, patience=9)


def make_candidate(array, k):
    return Candidate(make_recruit("dense", array, k, training=TRAINING, **OPTIONS[k]))


@pytest.mark.parametrize("block", [1, 3])
def test_paused_and_gone_on_is_as_in_one_go(block):
    array = make_features("dense")
    candidates = [make_candidate(array, k) for k in range(3)]
    for epochs in (2, 5, 9):
        found = list(advance(candidates, epochs, block=block))
        assert {id(one) for one in found} == {id(one) for one in candidates}
        assert [len(one.epochs) for one in candidates] == [epochs] * 3
        for one in candidates:
            assert one.best_score == min(record["validation"]["loss"] for record in one.epochs)
            assert one.merit == -one.best_score
    for k, candidate in enumerate(candidates):
        solo = make_recruit("dense", array, k, training=TRAINING, **OPTIONS[k])
        assert_same(candidate.finish(), alone(solo), candidate.recruit, solo)


def test_restored_from_a_snapshot_goes_on_as_if_never_interrupted(tmp_path):
    array = make_features("dense")
    [first] = advance([make_candidate(array, 1)], 4)
    arrays, record = first.snapshot()
    second = make_candidate(array, 1)
    second.restore([array.copy() for array in arrays], record)
    assert second.best_score == first.best_score
    ends = [next(advance([one], 9)).finish_in(tmp_path / str(k)) for k, one in enumerate((first, second))]
    assert [record["validation"] for record in ends[0].records] == [
        record["validation"] for record in ends[1].records
    ]
    assert (tmp_path / "1" / "checkpoints" / "best").is_dir()
    assert len((tmp_path / "1" / "metrics.jsonl").read_text().splitlines()) == 9
    with pytest.raises(checks.CheckpointError, match="other shapes"):
        make_candidate(array, 1).restore(arrays[:-1], record)


@pytest.mark.parametrize("block", [1, 2])
def test_one_that_fails_leaves_the_others_alone(block):
    array = make_features("dense")
    bad = Candidate(make_recruit("dense", array, 0, optimizer_config=OptimizerConfig(learning_rate=1e38)))
    good = make_candidate(array, 1)
    list(advance([bad, good], 3, block=block))
    assert "training step" in bad.failed
    assert bad.merit == -np.inf
    assert len(good.epochs) == 3
    assert np.isfinite(good.merit)
    list(advance([bad], 5))
    assert not bad.epochs


def test_out_of_patience_is_where_it_ends():
    array = make_features("dense")
    training = TrainingConfig(epochs=20, batch_size=8, patience=2)
    candidate = Candidate(make_recruit("dense", array, 0, training=training))
    list(advance([candidate], 20))
    stopped = len(candidate.epochs)
    assert stopped == candidate.best_epoch + 2 < 20
    list(advance([candidate], 20))
    assert len(candidate.epochs) == stopped


def test_a_run_folder_is_refused(tmp_path):
    with pytest.raises(checks.ArgumentError, match="run folder"):
        Candidate(make_recruit("dense", make_features("dense"), 0, run_dir=tmp_path))

"""The suite of populations: both ways train the same, and a row says what was measured."""

import argparse

import numpy as np
import pytest
from flax import nnx

from mer_jax.benchmark import population, table
from mer_jax.models import DenseConfig
from mer_jax.models.dense import DenseNet


def small(rngs: nnx.Rngs) -> nnx.Module:
    return DenseNet(
        num_features=6,
        num_classes=len(population.CLASSES),
        config=DenseConfig(widths=(4,), norm="none", dropout=0.0),
        rngs=rngs,
    )


def test_both_ways_train_the_same_and_are_measured(monkeypatch):
    case = population.Case(2, (6,), 1, small)
    ours, peer = population._contenders(case, None)
    np.testing.assert_allclose(sorted(ours.call()), sorted(peer.call()), atol=1e-5)
    monkeypatch.setattr(population, "CASES", {"population_dense_100": case})
    args = argparse.Namespace(quick=True, cases=None, members=2, rounds=1, block=None)
    seen = []
    report = population.run(args, lambda so_far: seen.append(len(so_far.rows)))
    assert seen == [1]
    [row] = report.rows
    assert row["speedup"] == pytest.approx(row["peers"]["one_by_one"] / row["ours_s"])
    assert "population_dense_100" in table.markdown(report)

"""Exchanged valence and arousal: found where planted, and where; not found where all is well."""

from dataclasses import replace

import numpy as np
import pytest
from audit_sets import Arrays, catalog, rated

from mer_jax.checks import ArgumentError
from mer_jax.data import audit
from mer_jax.data.audit.agreement import agreement, boundaries
from mer_jax.data.audit.findings import Log
from mer_jax.data.audit.names import Rows
from mer_jax.data.audit.pairing import Match
from mer_jax.data.audit.ratings import check_between_sets, check_over_time


def over_time(data, **options) -> Log:
    log = Log()
    check_over_time(data, log, **options)
    return log


@pytest.mark.parametrize("seed", range(3))
def test_the_exchange_of_deam_is_found(seed):
    """Exchanged for ids up to 1000, in order above, rows in any order: as in DEAM (datasets.md)."""
    data = rated(lambda id_: id_ <= 1000, seed=seed)
    log = over_time(data)
    (finding,) = log.findings
    assert finding.severity == "error"
    below = {id_ for id_ in data.ids if int(id_[:-4]) <= 1000}
    # Some clips next to the boundary fit either way: their valence and arousal are nearly equal.
    assert len(below ^ set(finding.ids)) <= 6
    assert finding.what.startswith("valence and arousal of whole clips are exchanged for ids ")
    assert len([c for c in log.checked if "ids" in c.what]) == 2


@pytest.mark.parametrize("seed", range(3))
def test_ratings_in_order_are_left_alone(seed):
    log = over_time(rated(lambda id_: False, seed=seed))
    assert not log.findings
    assert len(log.checked) == 1


def test_an_exchange_throughout_is_found_without_ranges():
    data = rated(lambda id_: True)
    (finding,) = over_time(data).findings
    assert finding.what.endswith("exchanged for all clips")
    assert len(finding.ids) == 300


def test_an_exchange_in_the_middle_is_found():
    data = rated(lambda id_: 700 <= id_ < 1400, n=600)
    (finding,) = over_time(data).findings
    middle = {id_ for id_ in data.ids if 700 <= int(id_[:-4]) < 1400}
    assert len(middle ^ set(finding.ids)) <= 8


def test_ranges_can_be_given():
    data = rated(lambda id_: id_ <= 1000)
    log = over_time(data, id_ranges=(1000,))
    (finding,) = log.findings
    assert set(finding.ids) == {id_ for id_ in data.ids if int(id_[:-4]) <= 1000}
    named = catalog(data.source, ids=tuple(f"song {i}" for i in range(300)))
    named = replace(named, valence_arousal=data.valence_arousal, dynamic=data.dynamic)
    with pytest.raises(ArgumentError, match="not numbers"):
        over_time(named, id_ranges=(1000,))


def test_ratings_that_belong_to_other_clips_are_a_warning():
    data = rated(lambda id_: False)
    shifted = replace(data, valence_arousal=np.roll(data.valence_arousal, 7, axis=0))
    (finding,) = over_time(shifted).findings
    assert finding.severity == "warning"


def test_clips_without_ratings_over_time_are_passed_over():
    data = rated(lambda id_: False)
    empty = np.zeros((0, 2), np.float32)
    series = tuple(empty if i % 2 else s for i, s in enumerate(data.dynamic.valence_arousal))
    log = over_time(replace(data, dynamic=replace(data.dynamic, valence_arousal=series)))
    assert not log.findings
    assert "(150 clips)" in log.checked[0].what
    few = tuple(empty if i > 5 else s for i, s in enumerate(data.dynamic.valence_arousal))
    log = over_time(replace(data, dynamic=replace(data.dynamic, valence_arousal=few)))
    assert "not compared" in log.checked[0].what


def test_correlations_are_pearsons(rng):
    one, other = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    found = agreement(one, other)
    expected = np.corrcoef(one.T, other.T)[:2, 2:]
    np.testing.assert_allclose(
        [[found.valence, found.valence_arousal], [found.arousal_valence, found.arousal]], expected, atol=1e-12
    )
    constant = agreement(np.ones((50, 2)), other)
    assert (constant.valence, constant.evidence, constant.exchanged) == (0, 0, False)


def test_noise_has_no_boundaries(rng):
    """Of 200 sets of unrelated ratings, at most a few are cut by chance."""
    cut = sum(
        bool(boundaries(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), np.arange(200)))
        for _ in range(200)
    )
    assert cut <= 4


def test_a_range_that_merely_agrees_better_is_no_boundary(rng):
    true = rng.normal(size=(400, 2))
    other = true + np.where(np.arange(400)[:, None] < 200, 0.05, 2.0) * rng.normal(size=(400, 2))
    other[:200] *= 3
    assert boundaries(true, other, np.arange(400)) == []


def test_an_exchange_between_two_data_sets_is_found(rng):
    """As DEAM against emoMusic: one's valence is the other's arousal."""
    ratings = rng.uniform(-0.8, 0.8, (30, 2)).astype(np.float32)
    silence = Arrays([np.zeros(800)] * 30)
    one = catalog(silence, name="one", valence_arousal=ratings)
    pairs = [Match(i, 30 + i, 0.0, 0.0, 5.0, 0.1, 0.99) for i in range(30)]
    for columns, expected in (([0, 1], 0), ([1, 0], 1)):
        log = Log()
        check_between_sets(
            Rows([one, catalog(silence, name="two", valence_arousal=ratings[:, columns])]), pairs, log
        )
        assert len(log.findings) == expected
        assert len(log.checked) == 1


def test_an_audit_looks_at_ratings():
    """And takes clips that are all silent for silent, not for copies of each other."""
    result = audit.audit(rated(lambda id_: id_ <= 1000, n=200), id_ranges=(1000,))
    assert [f.severity for f in result.findings if f.check == "ratings"] == ["error"]
    assert not [f for f in result.findings if f.check == "duplicates"]
    assert any("200 of 200 clips are silent throughout" in f.what for f in result.findings)

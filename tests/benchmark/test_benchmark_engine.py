import time

import numpy as np
import pytest

from mer_jax.benchmark.engine import Contender, Plan, Timing, describe_error, measure
from mer_jax.checks import ArgumentError

QUICK = Plan(rounds=4, min_rounds=4, sample_s=1e-4, pause_s=0.0)


def sleeper(name, seconds, log=None):
    def call():
        if log is not None:
            log.append(name)
        time.sleep(seconds)
        return seconds

    return Contender(name, call, np.asarray)


def test_median_tells_a_slow_contender_from_a_quick_one():
    measured = measure([sleeper("ours", 0.002), sleeper("peer", 0.02)], QUICK)
    ours, peer = measured.timings["ours"], measured.timings["peer"]
    assert 0.002 <= ours.median_s < peer.median_s
    assert peer.median_s >= 0.02
    assert len(ours.samples_s) == 4


def test_contenders_take_turns():
    log = []
    measure([sleeper("a", 0.001, log), sleeper("b", 0.001, log)], QUICK)
    rounds = log[-8:]
    assert [sorted(rounds[i : i + 2]) for i in range(0, 8, 2)] == [["a", "b"]] * 4
    assert len({tuple(rounds[i : i + 2]) for i in range(0, 8, 2)}) == 2, "the order changes between rounds"


def test_first_call_is_apart_from_the_usual_one():
    calls = []

    def call():
        time.sleep(0.2 if not calls else 0.001)
        calls.append(1)

    timing = measure([Contender("ours", call, lambda _: None)], QUICK).timings["ours"]
    assert timing.first_s >= 0.2
    assert timing.compile_s == timing.first_s - timing.median_s > 0.1


def test_a_sample_of_a_short_call_holds_many_calls():
    plan = Plan(rounds=2, min_rounds=2, sample_s=0.02, pause_s=0.0)
    timing = measure([sleeper("ours", 0.001)], plan).timings["ours"]
    assert 2 <= timing.calls <= 20


def test_a_contender_takes_part_as_often_as_it_can_afford():
    plan = Plan(rounds=50, min_rounds=3, budget_s=10.0)
    assert plan.rounds_of(0.1, 1) == 50
    assert plan.rounds_of(1.0, 1) == 10
    assert plan.rounds_of(0.001, 500) == 20
    assert plan.rounds_of(9.0, 1) == 3, "the minimum, whatever it costs"
    assert plan.rounds_of(11.0, 1) == 1, "but not where one call is beyond the budget"
    assert Plan(rounds=2, min_rounds=3).rounds_of(0.1, 1) == 2


def test_a_slow_contender_sits_out_rounds_that_are_evenly_spread():
    log = []
    plan = Plan(rounds=8, min_rounds=2, budget_s=0.45, sample_s=1e-4, pause_s=0.0)
    measured = measure([sleeper("ours", 0.002, log), sleeper("slow", 0.2, log)], plan)
    assert len(measured.timings["ours"].samples_s) == 8
    assert len(measured.timings["slow"].samples_s) == 2
    turns = log[6:]
    assert "slow" in turns[:5]
    assert "slow" in turns[5:]


def test_a_part_stands_for_the_whole_but_is_compiled_once():
    calls = []

    def call():
        time.sleep(0.05 if not calls else 0.001)
        calls.append(1)

    part = Contender("peer", call, lambda _: None, scale=100, note="extrapolated")
    timing = measure([sleeper("ours", 0.001), part], QUICK).timings["peer"]
    assert 0.1 <= timing.median_s < 1
    assert 0.03 < timing.compile_s < 0.2


def test_a_failing_peer_is_named_and_ours_is_still_measured():
    def broken():
        raise RuntimeError("no such kernel")

    measured = measure([sleeper("ours", 0.001), Contender("peer", broken, np.asarray)], QUICK)
    assert set(measured.timings) == {"ours"}
    assert measured.failed == {"peer": "RuntimeError: no such kernel"}


def test_a_peer_that_fails_in_the_rounds_is_named_too():
    calls = []

    def late():
        calls.append(1)
        if len(calls) > 4:
            raise MemoryError("full")
        return 0.0

    plan = Plan(rounds=4, min_rounds=4, sample_s=1e-9, pause_s=0.0)
    measured = measure([sleeper("ours", 0.001), Contender("peer", late, np.asarray)], plan)
    assert set(measured.timings) == {"ours"}
    assert measured.failed == {"peer": "MemoryError: full"}


def test_our_own_failure_is_raised():
    def broken():
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        measure([Contender("ours", broken, np.asarray)], QUICK)


def test_quartiles_and_median_of_known_samples():
    timing = Timing(first_s=10.0, samples_s=(4.0, 1.0, 3.0, 2.0, 5.0), calls=1)
    assert timing.median_s == 3.0
    assert timing.quartiles_s == (2.0, 4.0)
    assert timing.compile_s == 7.0


def test_one_sample_is_its_own_quartiles():
    assert Timing(1.0, (2.0,), 1).quartiles_s == (2.0, 2.0)
    assert Timing(1.0, (2.0,), 1).compile_s == 0.0


@pytest.mark.parametrize("field", [{"rounds": 0}, {"min_rounds": 0}, {"budget_s": 0.0}])
def test_a_plan_that_measures_nothing_is_refused(field):
    with pytest.raises(ArgumentError):
        Plan(**field)


def test_errors_are_described_in_one_line():
    assert describe_error(ValueError("a\n  b")) == "ValueError: a b"
    assert describe_error(KeyError()) == "KeyError"
    assert len(describe_error(ValueError("x" * 1000))) < 200

import sys

import numpy as np
import pytest

from mer_jax.benchmark.engine import Contender
from mer_jax.benchmark.memory import MemoryProbe

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's high-water mark")


def touches(mebibytes):
    """A contender that fills so much memory on every call."""
    return Contender("ours", lambda: np.full(mebibytes * 2**20, 7, np.uint8), lambda result: result)


def test_the_peak_is_what_a_call_takes_beyond_what_is_held():
    with MemoryProbe() as probe:
        big, kind = probe.peak(touches, 200)
        small, _ = probe.peak(touches, 20)
    if kind == "unknown":
        pytest.skip("this kernel does not let a process reset its high-water mark")
    assert kind == "rss"
    assert 195 < big < 215
    assert 18 < small < 30

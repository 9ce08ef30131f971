import jax
import jax.numpy as jnp
import pytest
from jax.profiler import ProfileData

from mer_jax.benchmark import busy
from mer_jax.checks import DataError

# Two streams: 0 to 2 us and 1 to 3 us overlap, then nothing until 5 us; the line of modules covers all of it.
TRACE = """
planes {
  id: 1 name: "/device:GPU:0"
  event_metadata { key: 1 value { id: 1 name: "gemm" } }
  event_metadata { key: 2 value { id: 2 name: "copy" } }
  event_metadata { key: 3 value { id: 3 name: "module" } }
  lines { id: 1 name: "Stream #1(Compute)" timestamp_ns: 1000
          events { metadata_id: 1 offset_ps: 0 duration_ps: 2000000 }
          events { metadata_id: 1 offset_ps: 5000000 duration_ps: 1000000 } }
  lines { id: 2 name: "Stream #2(Memcpy)" timestamp_ns: 1000
          events { metadata_id: 2 offset_ps: 1000000 duration_ps: 2000000 } }
  lines { id: 3 name: "XLA Modules" timestamp_ns: 1000
          events { metadata_id: 3 offset_ps: 0 duration_ps: 6000000 } }
}
planes { id: 2 name: "/host:CPU" lines { id: 4 name: "python" timestamp_ns: 1000
         events { metadata_id: 9 offset_ps: 0 duration_ps: 9000000 } } event_metadata { key: 9 value { id: 9 name: "x" } } }
"""


def test_gaps_of_all_streams_are_idle_and_sums_of_them_hide_none():
    found = busy.of_planes(ProfileData.from_text_proto(TRACE).planes)
    assert set(found) == {"/device:GPU:0"}
    gpu = found["/device:GPU:0"]
    assert gpu["span_s"] == pytest.approx(6e-6)
    assert gpu["idle_share"] == pytest.approx(2 / 6)
    assert gpu["longest"] == pytest.approx({"gemm": 3e-6, "copy": 2e-6})


@pytest.mark.parametrize(
    ("spans", "length"), [([], 0), ([(0, 1)], 1), ([(0, 4), (1, 2), (3, 5)], 5), ([(3, 4), (0, 1)], 2)]
)
def test_the_union_of_intervals(spans, length):
    assert busy.covered(spans) == length


def test_a_trace_of_this_machine_is_read(tmp_path):
    with jax.profiler.trace(str(tmp_path)):
        jax.block_until_ready(jnp.ones((64, 64)) @ jnp.ones((64, 64)))
    found = busy.of_trace(tmp_path)
    assert all(0 <= one["idle_share"] < 1 for one in found.values())
    assert bool(found) == (jax.default_backend() != "cpu")


def test_a_folder_without_a_trace_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no trace"):
        busy.of_trace(tmp_path)

"""A batch divided over devices gives what one device gives. JAX settles its devices once: each test is a process of its own."""

import subprocess
import sys

import pytest


def run(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300,
        env={"PATH": "", "JAX_PLATFORMS": "cpu", **environment},
    ).stdout  # fmt: skip


def test_every_clip_comes_back_in_its_place():
    """Fewer clips than devices, and numbers of clips that do not divide."""
    run("""
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 3)
from mer_jax import signal
from mer_jax.signal.devices import over_devices
for fn in (signal.spectrogram, signal.rms, lambda y: signal.mfcc(y, n_mels=40), lambda y: abs(signal.cqt(y, n_bins=36))):
    for batch in (1, 2, 5):
        y = np.random.default_rng(0).uniform(-1, 1, (batch, 9000)).astype(np.float32)
        expected = np.asarray(jax.jit(fn)(y))  # traced alone first: the loop of one device must not be taken for the others'
        found = over_devices(fn)(y)
        assert found.shape == expected.shape
        error = np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected)
        assert error < 1e-6, (batch, error)
""")


def test_trees_of_arrays_and_weights_that_all_share():
    run("""
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 2)
from mer_jax.signal.devices import over_devices
fn = over_devices(lambda w, y, n: {"a": y @ w["kernel"], "b": n + 1}, shared=1)
y, n, w = np.arange(12.0, dtype=np.float32).reshape(3, 4), np.arange(3), {"kernel": np.ones((4, 2), np.float32)}
found = fn(w, y, n)
np.testing.assert_allclose(found["a"], y @ w["kernel"])
np.testing.assert_array_equal(found["b"], n + 1)
assert len(fn(w, y[:2], n[:2])["a"].sharding.device_set) == 2
""")


@pytest.mark.parametrize(
    ("before", "flags", "done", "devices"),
    [
        ("", "", "True", None),
        ("", "--xla_force_host_platform_device_count=3", "False", "3"),
        ("jax.config.update('jax_num_cpu_devices', 5); jax.devices()", "", "False", "5"),
    ],
)
def test_each_core_is_a_device_unless_that_is_settled(before, flags, done, devices):
    code = f"""
import jax
from mer_jax.machine import cores
from mer_jax.signal.devices import use_all_cores
{before}
print(use_all_cores(), jax.local_device_count(), cores())
"""
    found_done, found, cores = run(code, XLA_FLAGS=flags).split()
    assert (found_done, found) == (done, devices or cores)

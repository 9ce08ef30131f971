"""Where compiled programs are kept, and that a second process finds them."""

import os
import stat
import subprocess
import sys

import jax
import pytest

from mer_jax import compilation_cache

_PROGRAM = """
import jax, jax.numpy as jnp
from mer_jax.compilation_cache import use_compilation_cache
print(use_compilation_cache())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((64, 64))).block_until_ready()
print(sum("cache_hit" in name for name in hits))
"""


@pytest.fixture
def settings():
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)  # as in a program of its own
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_folder_of_the_users_own(settings, tmp_path, monkeypatch):
    monkeypatch.delenv(compilation_cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = compilation_cache.use_compilation_cache()
    assert folder == tmp_path / "mer_jax" / "xla"
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # What was chosen before stays.
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "other"))
    assert compilation_cache.use_compilation_cache() is None
    assert not (tmp_path / "other").exists()


def test_off_and_where_nothing_can_be_written(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(compilation_cache.VARIABLE, "off")
    assert compilation_cache.use_compilation_cache() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "file" / "folder"))
    assert compilation_cache.use_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    environment = os.environ | {compilation_cache.VARIABLE: str(tmp_path / "cache")}
    found = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        place, hits = done.stdout.split()
        assert place == str(tmp_path / "cache")
        found.append(int(hits))
    assert found[0] == 0
    assert found[1] > 0

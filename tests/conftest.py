"""Strict settings for every test, and the places of optional data."""

import os
import sys
from pathlib import Path

# Set before jax is imported: CPU only unless the caller says otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Tests leave nothing in the user's cache folder.
os.environ["MER_JAX_COMPILATION_CACHE"] = "off"

import jax
import numpy as np
import pytest

if "mer_jax" not in sys.modules and os.environ.get("MER_JAX_SHAPE_CHECKS", "1") == "1":
    from jaxtyping import install_import_hook

    install_import_hook("mer_jax", "numeric_tower.typechecker")

jax.config.update("jax_numpy_rank_promotion", "raise")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    has_gpu = jax.default_backend() != "cpu"
    for item in items:
        if "gpu" in item.keywords and not has_gpu:
            item.add_marker(pytest.mark.skip(reason="needs an accelerator; only the CPU is available here"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def emopia_dir():
    path = SHARED_DATA / "emopia"
    if not path.is_dir():
        pytest.skip("the EMOPIA development set is not beside this checkout (shared/data/emopia)")
    return path


@pytest.fixture(scope="session")
def emotify_dir():
    path = SHARED_DATA / "emotify"
    if not path.is_dir():
        pytest.skip("the Emotify development set is not beside this checkout (shared/data/emotify)")
    return path


@pytest.fixture(autouse=True, scope="module")
def _forget_programs():
    """Compiled programs of a finished module: some hundred of them exhaust the mappings a process may have."""
    yield
    jax.clear_caches()

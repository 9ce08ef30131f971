"""Strict settings for every test, and the places of optional data."""

import contextlib
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

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parents[1] / "shared" / "data"
# Where the files are that take a minute and more: run first, so that what comes last, when one worker has nothing left to
# do, is short. What is not named here comes after these, in the usual order.
LONG = (
    "experiment",
    "sweep",
    "study",
    "ablation",
    "training",
    "frontends",
    "features",
    "test_extract.py",
    "signal",
)


def pytest_configure(config):
    # pytest-xdist would hand out files by their number of tests: those of few but long tests last.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    has_gpu = jax.default_backend() != "cpu"
    for item in items:
        if "gpu" in item.keywords and not has_gpu:
            item.add_marker(pytest.mark.skip(reason="needs an accelerator; only the CPU is available here"))
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(os.path.relpath(item.path, TESTS).split(os.sep)[0], len(place)))


class _NothingDrawn:
    """Stands where matplotlib's canvas does: whatever the figure, one white pixel."""

    def __init__(self, figure):
        pass

    def draw(self):
        pass

    def buffer_rgba(self):
        return np.full((1, 1, 4), 255, np.uint8)


@contextlib.contextmanager
def _nothing_drawn():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mer_jax.evaluation.canvas.FigureCanvasAgg", _NothingDrawn)
        yield


@pytest.fixture
def pictures_not_rendered():
    """For a test that writes reports and does not look at their pictures, some 15 of them, each for two backgrounds.

    Figures are set up and files written as ever; what matplotlib would make of them is left out, which takes longer than the
    training of a small network. Reports written by fixtures of a module come before this, and are whole.
    """
    with _nothing_drawn():
        yield


@pytest.fixture(scope="module")
def module_without_pictures():
    """:func:`pictures_not_rendered` for a whole module and its fixtures."""
    with _nothing_drawn():
        yield


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


@pytest.fixture(autouse=True, scope="session")
def _programs_kept_on_disk(tmp_path_factory):
    """What has been compiled once, by this worker or another, is read from disk: runs that are compared are alike."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    jax.config.update("jax_compilation_cache_dir", str(folder / "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


@pytest.fixture(autouse=True, scope="module")
def _forget_programs():
    """Compiled programs of a finished module: some hundred of them exhaust the mappings a process may have."""
    yield
    jax.clear_caches()

"""The layering of the package: imports run one way, and importing it stays light."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mer_jax"

# From the bottom up. A module may import its own layer and those below it.
LAYERS = [
    {"_version", "_shapes", "checks", "checkpoint_folder", "compilation_cache", "large_pages", "machine"},
    {"audio", "signal"},
    {"data", "frontends"},
    {"features"},
    {"models"},
    {"training"},
    {"config", "signature"},
    {"evaluation"},
    {"experiment"},
    {"predict", "export", "benchmark", "extract", "study", "ablation", "sweep"},
    {"demo"},
    {"cli", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
# `data` is beside the front-ends, not above them: it knows files, not models.
FORBIDDEN = {("data", "frontends"), ("frontends", "data"), ("frontends", "audio")}

# What a machine that only computes has: everything else is imported where it is used.
LIGHT = {"jax", "flax", "optax", "numpy", "scipy", "jaxtyping"}
LIGHT_PACKAGES = ("signal", "frontends", "features", "models", "benchmark", "training", "export", "signature")


def unit(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path, *, top_level_only: bool = False):
    """(line, module) of each import; those for type checking alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    type_checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in nodes:
        if id(node) in type_checking:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "mer_jax":
                yield from ((node.lineno, f"mer_jax.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def modules():
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE
    )


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    here = unit(path)
    assert here in RANK, f"{here} has no layer: add it to LAYERS"
    for line, module in imports(path):
        parts = module.split(".")
        assert parts[0] not in {"experiments", "tests"}, f"{path}:{line} imports {module}"
        if parts[0] != "mer_jax" or len(parts) < 2 or parts[1] == "__version__":
            continue
        there = parts[1]
        assert there in RANK, f"{path}:{line} imports {module}, which has no layer"
        assert RANK[there] <= RANK[here], f"{path}:{line} imports {module}: an upward edge"
        assert (here, there) not in FORBIDDEN, f"{path}:{line} imports {module}"


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if unit(path) in LIGHT_PACKAGES],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_computing_needs_only_jax_flax_optax_numpy(path):
    heavy = {
        module
        for _, module in imports(path, top_level_only=True)
        if module.split(".")[0] not in LIGHT | {"mer_jax"} | set(sys.stdlib_module_names)
    }
    assert not heavy, f"{path} imports {heavy} at the top: import it where it is used"


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    ).stdout


def test_import_is_quick_and_light():
    code = (
        "import sys, mer_jax; print(' '.join(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'tensorflow', 'tensorflow_datasets', 'librosa', 'matplotlib', 'torch', 'sklearn', 'grain', 'soundfile'})))"
    )
    started = time.perf_counter()
    assert run_python(code).strip() == ""
    assert time.perf_counter() - started < 3


def test_computing_packages_import_without_the_rest():
    """With every other package hidden, as on a machine that has only jax, flax, optax and numpy."""
    code = """
import sys
blocked = {"tensorflow", "tensorflow_datasets", "librosa", "matplotlib", "torch", "sklearn", "grain", "soundfile", "soxr",
           "jaxtyping", "tyro", "nnAudio", "librosax", "beartype", "h5py", "pooch", "safetensors", "keras"}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is hidden")
sys.meta_path.insert(0, Finder())
import mer_jax as mj
mj.signal, mj.frontends, mj.models, mj.training, mj.benchmark, mj.export
print("ok")
"""
    assert run_python(code).strip() == "ok"

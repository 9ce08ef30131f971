"""Files that torch users save: state dicts by ``torch.save``, and safetensors."""

import pickle
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mer_jax import checks
from mer_jax.models.pretrained.entries import Entry, refuse, unreadable
from mer_jax.models.pretrained.npz import check_zip_sizes

# Older ones run code or write out of bounds even with weights_only (CVE-2025-32434, CVE-2026-24747).
_SAFE_TORCH = (2, 10)
_FLOATS = ("F64", "F32", "F16", "BF16")


@contextmanager
def open_safetensors(path: Path) -> Iterator[dict[str, Entry]]:
    """The tensors of a ``.safetensors`` file by name; readable inside the block.

    Raises:
        mer_jax.checks.CheckpointError: damaged, not of this format, or the package safetensors is not installed.
    """
    try:
        from safetensors import safe_open
    except ImportError:
        raise _not_installed(path, "safetensors") from None
    with ExitStack() as stack:
        # Its errors have no common type.
        try:
            file = stack.enter_context(safe_open(path, framework="numpy"))
            entries = {name: _slice(file, name) for name in file.keys()}  # noqa: SIM118  it is no mapping
        except Exception as error:
            raise unreadable(path, "it", error) from error
        yield entries


def _slice(file: Any, name: str) -> Entry:
    header = file.get_slice(name)
    dtype = header.get_dtype()
    return Entry(tuple(header.get_shape()), dtype, dtype in _FLOATS, lambda: file.get_tensor(name))


@contextmanager
def open_torch(path: Path) -> Iterator[dict[str, Entry]]:
    """The tensors of a state dict saved by ``torch.save``, by name; one under the key ``state_dict`` counts too.

    Raises:
        mer_jax.checks.CheckpointError: damaged, more than tensors in it, or torch is not installed or too old to be safe.
    """
    try:
        import torch
    except ImportError:
        raise _not_installed(path, "torch") from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _SAFE_TORCH:
        wanted = ".".join(map(str, _SAFE_TORCH))
        raise checks.CheckpointError(
            path,
            f"is not read with torch {torch.__version__}, in which a file can run code",
            expected=f"torch {wanted} or later",
            remedy=f"pip install 'torch>={wanted}', or save the weights as .safetensors or .npz",
        )
    # Unpickling raises many types for many kinds of damage.
    try:
        check_zip_sizes(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that are refused below
            found = torch.load(path, map_location="cpu", weights_only=True)
    except checks.InputError:
        raise
    except pickle.UnpicklingError as error:
        raise refuse(
            path, "holds more than tensors, or is damaged", "a state dict saved by torch.save"
        ) from error
    except Exception as error:
        raise unreadable(path, "it", error) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise refuse(path, f"holds a {type(found).__name__}", "a state dict: tensors by name")
    yield {str(name): _tensor(value) for name, value in found.items() if isinstance(value, torch.Tensor)}


def _tensor(tensor: Any) -> Entry:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Entry(
        tuple(tensor.shape), dtype, tensor.is_floating_point(), lambda: tensor.detach().float().numpy()
    )


def _not_installed(path: Path, package: str) -> checks.CheckpointError:
    return checks.CheckpointError(
        path,
        f"needs the package {package} to be read, which is not installed",
        remedy=f"pip install {package}, or save the weights as .npz",
    )

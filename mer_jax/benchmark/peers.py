"""The libraries that ours is measured against, each imported only when it is measured.

A peer that is not installed is left out by name, never silently: :func:`available` says who is there and why others are not.
Peer code is what a competent user of that library writes: float32, gradients off, warm, batched where the library batches,
modules and windows built once outside the timed call.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import jax
import numpy as np

from mer_jax import checks
from mer_jax.benchmark.engine import Contender, describe_error

# (transform, waveforms of shape (batch, samples)) to the contenders this peer enters; none where it lacks the transform.
Builder = Callable[[str, np.ndarray], list[Contender]]


@dataclass(frozen=True)
class Peer:
    """A library, and where its contenders are built.

    Attributes:
        name: as on the command line.
        needs: modules that must be importable.
        builder: ``module:function`` of a :data:`Builder`.
    """

    name: str
    needs: tuple[str, ...]
    builder: str


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("librosa", ("librosa",), "mer_jax.benchmark.peers_librosa:contenders"),
        Peer("nnaudio", ("torch", "nnAudio"), "mer_jax.benchmark.peers_torch:nnaudio_contenders"),
        Peer("torchaudio", ("torch", "torchaudio"), "mer_jax.benchmark.peers_torch:torchaudio_contenders"),
        Peer("torch", ("torch",), "mer_jax.benchmark.peers_torch:torch_contenders"),
        Peer("librosax", ("librosax",), "mer_jax.benchmark.peers_librosax:contenders"),
    )
}


def available(names: Iterable[str]) -> tuple[dict[str, Builder], dict[str, str]]:
    """Which of the named peers can be measured here.

    Returns:
        Builders by name, and for each of the others the reason.
    """
    builders: dict[str, Builder] = {}
    absent: dict[str, str] = {}
    for name in names:
        checks.one_of("peers", name, PEERS)
        peer = PEERS[name]
        reason = _why_not(peer)
        if reason:
            absent[name] = reason
        else:
            module, _, function = peer.builder.partition(":")
            builders[name] = getattr(importlib.import_module(module), function)
    return builders, absent


def _why_not(peer: Peer) -> str:
    """Why a peer cannot be measured here; empty where it can."""
    for module in peer.needs:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            return f"needs {error.name}, which is not installed"
        except Exception as error:
            return f"does not import: {describe_error(error)}"
    if "torch" in peer.needs and jax.default_backend() == "gpu":
        import torch

        if not torch.cuda.is_available():
            return "torch here has no CUDA, and ours runs on the GPU"
    return ""

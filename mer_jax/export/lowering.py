"""From a trained run to programs: one a platform, for batches of any size, its weights an argument."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export

from mer_jax.experiment import TrainedRun
from mer_jax.signal.platform import traced_for
from mer_jax.training import step

# What algorithms are chosen for (mer_jax.signal.platform), by the name that jax.export gives a platform.
ALGORITHMS: dict[str, Literal["cpu", "gpu", "tpu"]] = {"cpu": "cpu", "cuda": "gpu", "tpu": "tpu"}


def weights_of(trained: TrainedRun) -> dict[str, np.ndarray]:
    """Weights and all other state by name, such as ``params/network/head/kernel``."""
    return {_name(path): np.asarray(leaf) for path, leaf in _leaves(trained)}


def lower(trained: TrainedRun, platform: str) -> jax_export.Exported:
    """The program from (weights, waveforms, lengths) to the outputs of :func:`mer_jax.experiment.output_function`.

    No safety check of jax.export is disabled: it refuses programs that call a library by a name without a promise of
    compatibility, and ours are made of StableHLO operations alone.

    Args:
        trained: the run, with the features of jax.
        platform: a key of :data:`ALGORITHMS`, on this machine or not.
    """
    graph, *state = step.split(trained.model)
    predict = step.make_predict(graph, trained.task)
    names = [_name(path) for path, _ in _leaves(trained)]
    structure = jax.tree.structure(state)

    def outputs(weights: dict[str, jax.Array], waveforms: jax.Array, lengths: jax.Array) -> jax.Array:
        params, rest = jax.tree.unflatten(structure, [weights[name] for name in names])
        return predict(params, rest, {"waveform": waveforms, "length": lengths})

    (batch,) = jax_export.symbolic_shape("b")
    arguments = (
        {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in weights_of(trained).items()},
        jax.ShapeDtypeStruct((batch, trained.config.num_samples), jnp.float32),
        jax.ShapeDtypeStruct((batch,), jnp.int32),
    )
    with traced_for(ALGORITHMS[platform]), _no_source_lines():
        return jax_export.export(jax.jit(outputs), platforms=[platform])(*arguments)


@contextmanager
def _no_source_lines() -> Iterator[None]:
    """Programs lowered within say nothing of the files and lines of Python that they come from: folders of this machine."""
    before = jax.config.jax_traceback_in_locations_limit  # type: ignore[attr-defined]
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)


def _leaves(trained: TrainedRun) -> list[tuple[Any, jax.Array]]:
    _, params, rest = step.split(trained.model)
    return jax.tree_util.tree_leaves_with_path({"params": params, "rest": rest})


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(str(entry.key) for entry in path)

"""Checkpoints by orbax: the best model, and the latest complete state from which training goes on bit for bit.

``checkpoints/latest/<step>`` holds weights, optimiser, random key, data position, early stopping and the epochs so far;
``checkpoints/best/<step>`` holds the weights of the best epoch. Orbax writes to a temporary name and renames, so a killed
process leaves no half checkpoint; a checksum over all that is stored finds what a disk or a transfer damaged afterwards.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax.training.step import put, split

FOLDER = "checkpoints"
_ARRAYS, _RECORD = "arrays", "record"


class Store:
    """The checkpoints of one kind ("latest" or "best") of a run.

    Args:
        run_dir: the run folder.
        kind: name of the sub-folder.
        keep: how many to keep; older ones are deleted once a newer one is complete.
    """

    def __init__(self, run_dir: str | Path, kind: str, *, keep: int = 2) -> None:
        import orbax.checkpoint as ocp

        self.path = Path(run_dir).resolve() / FOLDER / kind
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, create=True, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._ocp = ocp
        self._manager = ocp.CheckpointManager(self.path, options=options)

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, arrays: Any, record: dict[str, Any]) -> None:
        """Write a checkpoint: ``arrays`` is a pytree, ``record`` what JSON can hold."""
        arrays = jax.tree.map(np.asarray, arrays)
        record = record | {"checksum": checksum(arrays, record)}
        args = {_ARRAYS: self._ocp.args.StandardSave(arrays), _RECORD: self._ocp.args.JsonSave(record)}
        self._manager.save(step, args=self._ocp.args.Composite(**args))
        self._manager.wait_until_finished()

    def restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        """Read a checkpoint.

        Args:
            step: which one.
            like: a pytree of the same structure, shapes and types.

        Raises:
            mer_jax.checks.CheckpointError: it is damaged, or of another model.
        """
        where = self.path / str(step)
        abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)
        args = {_ARRAYS: self._ocp.args.StandardRestore(abstract), _RECORD: self._ocp.args.JsonRestore()}
        try:
            restored = self._manager.restore(step, args=self._ocp.args.Composite(**args))
        # Orbax and the store beneath it raise many types for many kinds of damage.
        except Exception as error:
            raise self._damaged(where, f"cannot be read ({type(error).__name__})") from error
        arrays, record = restored[_ARRAYS], restored[_RECORD]
        if record.pop("checksum", None) != checksum(arrays, record):
            raise self._damaged(where, "does not match its checksum")
        _check_shapes(where, arrays, like)
        return arrays, record

    def drop_after(self, step: int) -> None:
        """Delete checkpoints of later steps: a resumed run writes them again."""
        for later in self.steps():
            if later > step:
                self._manager.delete(later)

    def close(self) -> None:
        """Release orbax's threads."""
        self._manager.close()

    def _damaged(self, where: Path, problem: str) -> checks.CheckpointError:
        intact = [step for step in self.steps() if str(step) != where.name]
        remedy = (
            f"delete this folder to go on from step {intact[-1]}"
            if intact
            else "there is no other: train again"
        )
        return checks.CheckpointError(
            where, problem, expected="a whole checkpoint of this run's model", remedy=remedy
        )


def _check_shapes(where: Path, arrays: Any, like: Any) -> None:
    """Raise unless both trees have the same shapes: orbax restores what is stored, whatever was asked for."""
    expected = jax.tree_util.tree_leaves_with_path(like)
    for (path, leaf), found in zip(expected, jax.tree.leaves(arrays), strict=True):
        if leaf.shape != found.shape:
            raise checks.CheckpointError(
                where,
                f"holds {jax.tree_util.keystr(path)} of shape {found.shape}",
                expected=f"{leaf.shape}",
                remedy="build the model with the configuration that was trained",
            )


def checksum(arrays: Any, record: dict[str, Any]) -> str:
    """CRC-32 over structure, types and bytes of a pytree of arrays, and over a record as JSON."""
    total = zlib.crc32(json.dumps(record, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(arrays):
        value = np.ascontiguousarray(leaf)
        head = f"{jax.tree_util.keystr(path)}:{value.dtype}:{value.shape}".encode()
        total = zlib.crc32(value.tobytes(), zlib.crc32(head, total))
    return f"{total:08x}"


def string_keys(tree: Any) -> Any:
    """Nested dictionaries as a checkpoint stores them: a layer's place in a list becomes a string."""
    if isinstance(tree, dict):
        return {str(key): string_keys(value) for key, value in tree.items()}
    return tree


def int_keys(tree: Any) -> Any:
    """Undo :func:`string_keys`."""
    return nnx.restore_int_paths(tree)


def save_best(store: Store, step: int, params: Any, model_state: Any, record: dict[str, Any]) -> None:
    """Write the weights of the best epoch so far."""
    store.drop_after(step - 1)
    store.save(step, {"params": string_keys(params), "model_state": string_keys(model_state)}, record)


def load_model(run_dir: str | Path, model: nnx.Module) -> dict[str, Any]:
    """Put the weights of a run's best epoch into ``model``.

    Returns:
        The record saved with them: ``epoch`` and the validation scores.

    Raises:
        mer_jax.checks.CheckpointError: there is no checkpoint, or it is damaged, or of another model.
    """
    if not (Path(run_dir) / FOLDER / "best").is_dir():
        raise checks.CheckpointError(
            run_dir, "has no checkpoint", expected=f"{FOLDER}/best", remedy="train the run, or resume it"
        )
    store = Store(run_dir, "best")
    try:
        steps = store.steps()
        if not steps:
            raise checks.CheckpointError(store.path, "is empty", remedy="train the run, or resume it")
        _, params, rest = split(model)
        like = {"params": string_keys(params), "model_state": string_keys(rest)}
        arrays, record = store.restore(steps[-1], like)
        put(model, int_keys(arrays["params"]), int_keys(arrays["model_state"]))
        return record
    finally:
        store.close()

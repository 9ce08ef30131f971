"""A folder of orbax checkpoints, each whole or refused: what trained runs and converted weights are kept in.

``<folder>/<step>`` holds arrays and a JSON record. Orbax writes to a temporary name and renames, so a killed process leaves no
half checkpoint; a checksum over all that is stored finds what a disk or a transfer damaged afterwards.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax import checks

_ARRAYS, _RECORD = "arrays", "record"


class CheckpointFolder:
    """The checkpoints in one folder.

    Args:
        path: the folder.
        keep: how many to keep; older ones are deleted once a newer one is complete.
        read_only: neither make the folder nor clear away what an interrupted (or another, running) process was writing.
    """

    other_shape_remedy = "use what was saved from the same model"
    """What to do when the stored arrays have other shapes."""

    def __init__(self, path: str | Path, *, keep: int = 2, read_only: bool = False) -> None:
        import orbax.checkpoint as ocp

        self.path = Path(path).resolve()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=not read_only,
            enable_async_checkpointing=False,
            cleanup_tmp_directories=not read_only,
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
        self._check_shapes(where, arrays, like)
        return arrays, record

    def drop_after(self, step: int) -> None:
        """Delete checkpoints of later steps: a resumed run writes them again."""
        for later in self.steps():
            if later > step:
                self._manager.delete(later)

    def close(self) -> None:
        """Release orbax's threads."""
        self._manager.close()

    def damaged_remedy(self, intact: list[int]) -> str:
        """What to do about a damaged checkpoint, given the steps of the others."""
        return (
            f"delete this folder to use step {intact[-1]}" if intact else "there is no other: write it again"
        )

    def _damaged(self, where: Path, problem: str) -> checks.CheckpointError:
        intact = [step for step in self.steps() if str(step) != where.name]
        return checks.CheckpointError(
            where, problem, expected="a whole checkpoint of this model", remedy=self.damaged_remedy(intact)
        )

    def _check_shapes(self, where: Path, arrays: Any, like: Any) -> None:
        """Raise unless both trees have the same shapes: orbax restores what is stored, whatever was asked for."""
        expected = jax.tree_util.tree_leaves_with_path(like)
        for (path, leaf), found in zip(expected, jax.tree.leaves(arrays), strict=True):
            if leaf.shape != found.shape:
                raise checks.CheckpointError(
                    where,
                    f"holds {jax.tree_util.keystr(path)} of shape {found.shape}",
                    expected=f"{leaf.shape}",
                    remedy=self.other_shape_remedy,
                )


def checksum(arrays: Any, record: dict[str, Any]) -> str:
    """CRC-32 over structure, types and bytes of a pytree of arrays, and over a record as JSON."""
    total = zlib.crc32(json.dumps(record, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(arrays):
        value = np.ascontiguousarray(leaf)
        head = f"{jax.tree_util.keystr(path)}:{value.dtype}:{value.shape}".encode()
        total = zlib.crc32(value.tobytes(), zlib.crc32(head, total))
    return f"{total:08x}"

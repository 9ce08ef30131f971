"""Checkpoints by orbax: the best model, and the latest complete state from which training goes on bit for bit.

``checkpoints/latest/<step>`` holds weights, optimiser, random key, data position, early stopping and the epochs so far;
``checkpoints/best/<step>`` holds the weights of the best epoch. :mod:`mer_jax.checkpoint_folder` says what makes them safe.
"""

from pathlib import Path
from typing import Any

from flax import nnx

from mer_jax import checks
from mer_jax.checkpoint_folder import CheckpointFolder
from mer_jax.training.step import put, split

FOLDER = "checkpoints"


class Store(CheckpointFolder):
    """The checkpoints of one kind ("latest" or "best") of a run.

    Args:
        run_dir: the run folder.
        kind: name of the sub-folder.
        keep: how many to keep; older ones are deleted once a newer one is complete.
        read_only: leave alone what a run that still trains is writing.
    """

    other_shape_remedy = "build the model with the configuration that was trained"

    def __init__(self, run_dir: str | Path, kind: str, *, keep: int = 2, read_only: bool = False) -> None:
        super().__init__(Path(run_dir) / FOLDER / kind, keep=keep, read_only=read_only)

    def damaged_remedy(self, intact: list[int]) -> str:
        """Go on from an older step, if there is one."""
        if intact:
            return f"delete this folder to go on from step {intact[-1]}"
        return "there is no other: train again"


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
    store = Store(run_dir, "best", read_only=True)
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

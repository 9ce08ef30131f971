"""A member of a population that is trained in portions: it pauses at an epoch, is judged by its score, and may go on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax import checks
from mer_jax.training import loop
from mer_jax.training.member import Member, Recruit


class Candidate(Member):
    """A :class:`~.member.Member` whose training can pause between epochs, kept in memory.

    Learning rates are those of the whole training from the first epoch on, so a candidate that is taken to the end ends as it
    would by :func:`mer_jax.training.fit`.

    Args:
        recruit: what to train; without a run folder.

    Attributes:
        until: pause after this epoch.
        failed: why it cannot go on (its loss is no number any more), or "".

    Raises:
        mer_jax.checks.ArgumentError: the recruit has a run folder.
    """

    def __init__(self, recruit: Recruit) -> None:
        if recruit.run_dir is not None:
            raise checks.ArgumentError(
                "recruit", "has a run folder", expected="None: see Candidate.finish_in"
            )
        super().__init__(recruit)
        self.until = recruit.training.epochs
        self.failed = ""

    @property
    def training_goes_on(self) -> bool:
        """Whether there is another epoch before the pause."""
        return not self.failed and len(self.epochs) < self.until and super().training_goes_on

    @property
    def best_score(self) -> float | None:
        """The validation score of its best epoch so far (``training.monitor``); None if there is none, or none defined."""
        return (
            self.epochs[self.best_epoch - 1]["validation"][self.training.monitor] if self.best_epoch else None
        )

    @property
    def merit(self) -> float:
        """The score as a number of which more is better, -inf without one."""
        if self.best_score is None or self.failed or np.isnan(self.best_score):
            return float("-inf")
        return -self.best_score if loop.smaller_is_better(self.training.monitor) else self.best_score

    def after_epoch(self, state: Any, totals: Mapping[str, Any], outputs: np.ndarray) -> None:
        """Take note of an epoch; one whose loss is no number is the candidate's last and does not count."""
        try:
            super().after_epoch(state, totals, outputs)
        except checks.TrainingError as error:
            self.failed = str(error)

    def snapshot(self) -> tuple[list[np.ndarray], dict[str, Any]]:
        """All that :meth:`restore` needs, as arrays and as what JSON can hold."""
        leaves = jax.tree.leaves((self.state, self.best_weights))
        record = {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "steps_done": self.steps_done,
            "failed": self.failed,
        }
        return [np.asarray(leaf) for leaf in leaves], record

    def restore(self, arrays: list[np.ndarray], record: Mapping[str, Any]) -> None:
        """Become what another candidate of the same recruit was.

        Raises:
            mer_jax.checks.CheckpointError: it was of another model.
        """
        like = (self.state, (self.state.params, self.state.model_state))
        leaves, structure = jax.tree.flatten(like)
        if [np.shape(leaf) for leaf in leaves] != [array.shape for array in arrays]:
            raise checks.CheckpointError(
                "candidate", "has arrays of other shapes", expected="the state of the same model"
            )
        self.state, self.best_weights = jax.tree.unflatten(structure, list(map(jax.numpy.asarray, arrays)))
        self.epochs = list(record["epochs"])
        self.best_epoch, self.steps_done = record["best_epoch"], record["steps_done"]
        self.failed = record["failed"]

    def finish_in(self, run_dir: Path) -> loop.FitResult:
        """:meth:`.member.Member.finish`, and the files that its training alone would have left in this folder."""
        self._open(run_dir, resume=False)
        return self.finish()

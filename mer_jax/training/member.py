"""One model of a population: the training of :mod:`.loop`, its epochs planned beforehand instead of walked batch by batch."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax.training import checkpoint, dropout, epoch, loop, optimizer
from mer_jax.training import step as training_step
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.progress import Progress
from mer_jax.training.task import Classification, Task

# Seconds between two saves of a member that still trains: a save takes longer than many an epoch.
_SAVE_EVERY_S = 60.0


@runtime_checkable
class RowLoader(Protocol):
    """A loader, of waveforms or features, whose batches are known beforehand: :class:`mer_jax.data.pipeline.Loader`."""

    catalog: Any
    batch_size: int
    num_samples: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""

    @property
    def store(self) -> object:
        """What holds the clips: the same object where two loaders can be trained on together."""

    def all_clips(self) -> Any:
        """What batches are made of: the first three columns of :class:`.epoch.Clips`."""

    def rows_of_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the catalog in each batch, and False for filler."""

    def starts_of_epoch(self, epoch: int) -> np.ndarray:
        """The sample at which each of them is cut."""

    def columns(self, rows: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
        """What a batch holds besides features."""

    def __iter__(self) -> Any: ...


@dataclass(frozen=True)
class Recruit:
    """A model to train, and all that its training needs; the arguments of :func:`mer_jax.training.fit`.

    Attributes:
        model: changed in place; ends with the weights of its best epoch.
        train_loader: of features computed before, or of waveforms; those of a population share their ``store``.
        validation_loader: likewise.
        score: (true, predicted) -> scores of the validation part.
        training: how long, and when to stop.
        optimizer_config: how weights move.
        task: what the model is asked for; None is a class, with ``training.label_smoothing``.
        augmentation: how features are altered.
        seed: seeds dropout and augmentation.
        run_dir: gets ``metrics.jsonl`` and ``checkpoints/``; None writes nothing.
        resume: go on after the latest checkpoint there.
        watch: measures the weights after each epoch.
        tag: whatever the caller knows it by.
    """

    model: nnx.Module
    train_loader: RowLoader
    validation_loader: RowLoader
    score: loop.ScoreFunction
    training: loop.TrainingConfig
    optimizer_config: optimizer.OptimizerConfig
    task: Task | None = None
    augmentation: AugmentationConfig | None = None
    seed: int = 0
    run_dir: Path | None = None
    resume: bool = False
    watch: loop.Watch | None = None
    tag: Any = field(default=None, compare=False)


class Member(loop.Fit):
    """A :class:`Recruit` in training.

    Its steps are taken elsewhere (:mod:`.population`): :meth:`plan` says which, :meth:`after_epoch` is told what came of them.

    Attributes:
        program: what its epoch is compiled from.
        numbers: what such members differ in.
    """

    def __init__(self, recruit: Recruit) -> None:
        self.recruit = recruit
        on = recruit.augmentation is not None and recruit.augmentation.on
        augmentation = recruit.augmentation if on else None
        task = recruit.task or Classification(label_smoothing=recruit.training.label_smoothing)
        super().__init__(
            recruit.model,
            (recruit.train_loader, recruit.validation_loader),
            recruit.score,
            recruit.training,
            recruit.optimizer_config,
            task,
            augmentation,
            recruit.seed,
            recruit.watch,
        )
        config = recruit.optimizer_config
        general, numbers = epoch.numbers_of_task(task)
        graph, keep = dropout.as_numbers(self.graph, self.state)
        num_samples = recruit.train_loader.num_samples
        options = (recruit.training.accumulate_steps, recruit.training.remat)
        self.program = epoch.Program(graph, general, config.clip_norm, augmentation, num_samples, *options)
        self.numbers = epoch.Numbers(
            np.float32(config.weight_decay), np.float32(config.frontend_weight_decay), keep, numbers
        )
        steps = np.arange(self.total_steps)
        frontend_schedule = optimizer.frontend_learning_rate(config, self.total_steps)
        self._rates = np.array(_of_steps(self.schedule, steps))
        self._frontend_rates = np.array(_of_steps(frontend_schedule, steps))
        self.validation_rows, real = recruit.validation_loader.rows_of_epoch(0)
        self._validation_starts = recruit.validation_loader.starts_of_epoch(0)
        self._validation_real = real.ravel()
        columns = recruit.validation_loader.columns(self.validation_rows.ravel(), self._validation_real)
        self._validation_true = task.truth(columns)[self._validation_real]
        self.shown = Progress(recruit.training, self.steps_per_epoch, shown=False, run_dir=None)
        self._saved = self._epoch_started = time.perf_counter()

    def _pair_for(self, model: nnx.Module) -> None:
        """Each of a population stays on the device of its thread."""

    @property
    def convolves(self) -> bool:
        """Whether its network has a convolution (see :func:`.epoch.step_by_step`)."""
        return any(isinstance(module, nnx.Conv) for _, module in nnx.iter_graph(self.model))

    @property
    def training_goes_on(self) -> bool:
        """Whether there is another epoch."""
        return len(self.epochs) < self.training.epochs and not self._out_of_patience()

    def begin(self) -> None:
        """Open the run folder, and go to its latest checkpoint if it is to be resumed."""
        if self.recruit.run_dir is None:
            return
        self._open(self.recruit.run_dir, resume=self.recruit.resume)

    def plan(self, *, steps: int, validation_batches: int) -> epoch.Plan:
        """The next epoch (no step of it, if training is over), its arrays filled up to these sizes."""
        self._epoch_started = time.perf_counter()
        own, done = self.steps_per_epoch, len(self.epochs)
        if not self.training_goes_on:
            size = self.train_loader.batch_size
            empty = epoch.Plan(
                np.int32(0),
                np.int32(0),
                np.zeros((0, size), np.int32),
                np.zeros((0, size), np.int32),
                np.zeros((0, size), np.float32),
                np.zeros(0, np.float32),
                np.zeros(0, np.float32),
                self.validation_rows,
                self._validation_starts,
            )
            return _filled_up(empty, steps, validation_batches)
        rows, real = self.train_loader.rows_of_epoch(done)
        this = slice(done * own, (done + 1) * own)
        plan = epoch.Plan(
            np.int32(self.steps_done - done * own),
            np.int32(own),
            rows,
            self.train_loader.starts_of_epoch(done),
            real.astype(np.float32),
            self._rates[this],
            self._frontend_rates[this],
            self.validation_rows,
            self._validation_starts,
        )
        return _filled_up(plan, steps, validation_batches)

    def after_epoch(self, state: Any, totals: Mapping[str, Any], outputs: np.ndarray) -> None:
        """Take note of an epoch.

        Args:
            state: after it, this member's own; not kept beyond the next epoch.
            totals: its sums.
            outputs: (batches, batch, outputs) of the validation part, batches beyond it not looked at.

        Raises:
            mer_jax.checks.TrainingError: the loss or its gradient stopped being a finite number.
        """
        self.state = state
        steps = (len(self.epochs) + 1) * self.steps_per_epoch - self.steps_done
        self.steps_done += steps
        means = self._means(totals)  # raises before outputs that are no numbers are scored
        predicted = outputs.reshape(-1, outputs.shape[-1])[: self._validation_real.size]
        validation = self._scores_of(self._validation_true, predicted[self._validation_real])
        self.end_epoch(means, validation, steps=steps, started=self._epoch_started)

    def finish(self) -> loop.FitResult:
        """Give the model the weights of its best epoch, and write what is not yet written."""
        if self.run_dir is not None:
            self._write_checkpoints()
        if self.best_weights is not None:
            training_step.put(self.model, *self.best_weights)
        else:  # resumed, and no epoch since was better
            assert self.run_dir is not None
            checkpoint.load_model(self.run_dir, self.model)
        self.close()
        return self._result()

    def close(self) -> None:
        """Release the run folder."""
        self._close()

    def _begin_totals(self) -> None:
        """The program has set the sums back."""

    def _keep_best(self) -> None:
        self.best_weights = _copy((self.state.params, self.state.model_state))

    def _save(self) -> None:
        if time.perf_counter() - self._saved > _SAVE_EVERY_S:
            self._write_checkpoints()

    def _write_metrics(self) -> None:
        """With the checkpoints, not after each epoch."""

    def _write_checkpoints(self) -> None:
        """The best weights first: a checkpoint of the rest stands for an epoch whose best is on disk."""
        best_step = self.best_epoch * self.steps_per_epoch
        if self.best_weights is not None and best_step not in self.best.steps():
            record = {"epoch": self.best_epoch}
            params, rest = self.best_weights
            checkpoint.save_best(self.best, best_step, params, rest, record)
        self.batches.set_state(self.batches.state_after(self.steps_done))
        super()._save()
        super()._write_metrics()
        self._saved = time.perf_counter()


_copy = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))


def _of_steps(schedule: Any, steps: np.ndarray) -> np.ndarray:
    """A schedule's value at each step, float32."""
    return np.broadcast_to(np.asarray(schedule(steps), np.float32), steps.shape)


def _filled_up(plan: epoch.Plan, steps: int, batches: int) -> epoch.Plan:
    """Rows of zeros behind each array, so that members with fewer steps or validation batches share the program."""

    def longer(x: np.ndarray, size: int) -> np.ndarray:
        return np.concatenate([x, np.zeros((size - len(x), *x.shape[1:]), x.dtype)])

    of_steps = ("rows", "starts", "weight", "rate", "frontend_rate")
    of_validation = ("validation", "validation_starts")
    columns = {name: longer(getattr(plan, name), steps) for name in of_steps}
    columns |= {name: longer(getattr(plan, name), batches) for name in of_validation}
    return plan._replace(**columns)

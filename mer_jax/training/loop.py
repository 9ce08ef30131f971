"""The training loop: epochs, validation, early stopping, checkpoints, resuming."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax.training import checkpoint, optimizer
from mer_jax.training import step as training_step
from mer_jax.training.augmentation import AugmentationConfig
from mer_jax.training.pair import Pair, compiled_step, on_one_device, pair_for, placed
from mer_jax.training.progress import Progress
from mer_jax.training.task import Classification, Task

Monitor = Literal[
    *("loss", "accuracy", "brier", "macro_f1", "mcc", "auc", "average_precision", "ece"),
    *("rmse", "pearson_r", "r2", "ccc"),
]
_SMALLER_IS_BETTER = ("loss", "brier", "ece", "rmse")
# Steps between two looks at the device: often enough that few batches queue up there, too seldom to slow it down.
_LOOK_EVERY = 16
INPUTS = ("waveform", "length", "label", "target", "ratings", "rating_index", "weight")
"""What a step needs of a batch."""

ScoreFunction = Callable[[np.ndarray, np.ndarray], Mapping[str, Any]]
Watch = Callable[[Any], Mapping[str, float]]


def smaller_is_better(monitor: str) -> bool:
    """Whether less of this score is better."""
    return monitor in _SMALLER_IS_BETTER


@dataclass(frozen=True)
class TrainingConfig:
    """How long, in what portions, and when to stop."""

    epochs: int = 60
    """Passes over the training part, at most."""
    batch_size: int = 32
    """Clips in a step."""
    patience: int = 10
    """Stop after this many epochs without a better validation score."""
    monitor: Monitor = "loss"
    """The validation score that decides which epoch is best."""
    accumulate_steps: int = 1
    """Micro-batches that a batch is divided into, their gradients added up: a large batch in the memory of a small one."""
    remat: bool = False
    """Compute a learnable front-end's values again in the reverse pass instead of keeping them: less memory, more time."""
    label_smoothing: float = 0.0
    """Share of the target spread over all classes."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: each class's clips weigh n / (classes * clips of the class)."""
    regression_loss: Literal["mse", "ccc"] = "mse"
    """Of numbers: squared error in units of each one's spread, or 1 - concordance over the batch (over its rated steps)."""
    checkpoint_every_steps: int = 0
    """Also save in the middle of an epoch, every so many steps; 0 saves after each epoch only."""
    tensorboard: bool = False
    """Also write the curves for TensorBoard."""

    def __post_init__(self) -> None:
        with checks.as_config("training"):
            for name in ("epochs", "batch_size", "patience", "accumulate_steps"):
                checks.positive_int(name, getattr(self, name))
            checks.positive_int("checkpoint_every_steps", self.checkpoint_every_steps, minimum=0)
            checks.in_range("label_smoothing", self.label_smoothing, 0.0, 0.99)
            checks.one_of("monitor", self.monitor, get_args(Monitor))
            checks.one_of("class_weights", self.class_weights, ("none", "balanced"))
            checks.one_of("regression_loss", self.regression_loss, ("mse", "ccc"))
        if self.batch_size % self.accumulate_steps:
            raise checks.ConfigError(
                "training.accumulate_steps",
                f"is {self.accumulate_steps}, which does not divide training.batch_size, {self.batch_size}",
                expected="micro-batches of the same size",
                remedy=f"choose a batch size that is a multiple of {self.accumulate_steps}",
            )


@dataclass(frozen=True)
class FitResult:
    """What :func:`fit` did.

    Attributes:
        best_epoch: the epoch whose weights the model now has, from 1.
        best: the validation scores of that epoch.
        records: of every epoch, as in ``metrics.jsonl``.
        first_step_s: seconds of the first step, compilation included; NaN if there was none to run.
        compilations: how many programs the training step was compiled to; 0 where an equal model was trained before.
    """

    best_epoch: int
    best: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]
    first_step_s: float
    compilations: int


def fit(
    model: nnx.Module,
    train_loader: Any,
    validation_loader: Any,
    *,
    score: ScoreFunction,
    training: TrainingConfig,
    optimizer_config: optimizer.OptimizerConfig,
    run_dir: str | Path | None,
    task: Task | None = None,
    augmentation: AugmentationConfig | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: bool = True,
    watch: Watch | None = None,
) -> FitResult:
    """Train ``model``; it ends with the weights of the best epoch.

    Args:
        model: called with (waveforms, lengths); changed in place.
        train_loader: endless batches with ``get_state``/``set_state``, ``steps_per_epoch``, ``catalog`` and ``rows``.
        validation_loader: one pass over the validation part.
        score: (true, predicted) -> scores of the pooled validation part; must hold ``training.monitor``. True are labels, or
            the rows of ``target`` where ``task`` is not a classification; predicted are the task's outputs.
        training: how long, and when to stop.
        optimizer_config: how weights move.
        run_dir: gets ``metrics.jsonl`` and ``checkpoints/``; None keeps the best weights in memory and writes nothing.
        task: what the model is asked for; None is a class, with ``training.label_smoothing``.
        augmentation: how training clips are altered.
        seed: seeds dropout and augmentation.
        resume: go on after the latest checkpoint, bit for bit as if never interrupted; start anew where there is none.
        progress: show a progress bar (a terminal) or a line an epoch.
        watch: given the weights (nested dictionaries) after each epoch; the numbers it returns stand in the epoch's record
            under ``"watched"``.

    Raises:
        mer_jax.checks.CheckpointError: the latest checkpoint is damaged.
        mer_jax.checks.TrainingError: the loss or its gradient stops being a finite number; names the step.
    """
    fitting = Fit(
        model,
        (train_loader, validation_loader),
        score,
        training,
        optimizer_config,
        task or Classification(label_smoothing=training.label_smoothing),
        augmentation if augmentation is not None and augmentation.on else None,
        seed,
        watch,
    )
    if run_dir is None:
        if resume:
            raise checks.ArgumentError(
                "resume", "is True without a run_dir", expected="a folder to resume from"
            )
        return fitting.in_memory(progress=progress)
    return fitting.in_folder(Path(run_dir), resume=resume, progress=progress)


class Fit:
    """The moving parts of one training; :class:`.member.Member` has its steps taken elsewhere."""

    def __init__(
        self, model, loaders, score, training, optimizer_config, task, augmentation, seed, watch=None
    ):
        self.model = model
        self.train_loader, self.validation_loader = loaders
        self.score = score
        self.watch = watch
        self.training = training
        self.task = task
        self.steps_per_epoch = self.train_loader.steps_per_epoch
        self.total_steps = training.epochs * self.steps_per_epoch
        self.schedule = optimizer.learning_rate(optimizer_config, self.total_steps)
        transform = optimizer.build(optimizer_config, self.total_steps)
        self.graph, self.state = training_step.create(model, transform, seed=seed, task=task)
        self.pair = self._pair_for(model)
        self.state = placed(self.state, self.pair)
        self.step, self.predict = _compile(
            self.graph,
            optimizer_config,
            self.total_steps,
            task,
            augmentation,
            training.accumulate_steps,
            training.remat,
            self.pair,
        )
        self.compiled_before = self.step._cache_size()
        self.run_dir: Path | None = None
        self.stores: tuple[checkpoint.Store, ...] = ()
        self.best_weights: Any = None
        self.epochs: list[dict[str, Any]] = []
        self.best_epoch = 0
        self.first_step_s = float("nan")
        self.steps_done = 0
        self.batches = iter(self.train_loader)

    def _pair_for(self, model: nnx.Module) -> Pair | None:
        return pair_for(model)

    def in_folder(self, run_dir: Path, *, resume: bool, progress: bool) -> FitResult:
        """Train with checkpoints and a record of the epochs in ``run_dir``."""
        try:
            self._open(run_dir, resume=resume)
            self._all_epochs(progress)
            checkpoint.load_model(run_dir, self.model)
            return self._result()
        finally:
            self._close()

    def _open(self, run_dir: Path, *, resume: bool) -> None:
        """Take a folder for the checkpoints; go on from its latest one, or clear them away."""
        self.run_dir = run_dir
        self.latest = checkpoint.Store(run_dir, "latest")
        self.best = checkpoint.Store(run_dir, "best")
        self.stores = (self.latest, self.best)
        if resume and self.latest.steps():
            self._restore()
        else:
            for store in self.stores:
                store.drop_after(-1)
        self._write_metrics()

    def _close(self) -> None:
        for store in self.stores:
            store.close()
        self.stores = ()

    def in_memory(self, *, progress: bool) -> FitResult:
        """Train and leave nothing on disk."""
        self._all_epochs(progress)
        # As NumPy's, so that the model is bound to no device.
        training_step.put(self.model, *jax.tree.map(np.asarray, self.best_weights))
        return self._result()

    def _all_epochs(self, progress: bool) -> None:
        with Progress(
            self.training, self.steps_per_epoch, shown=progress, run_dir=self.run_dir
        ) as self.shown:
            while len(self.epochs) < self.training.epochs and not self._out_of_patience():
                self._epoch()

    def _epoch(self) -> None:
        number = len(self.epochs) + 1
        started = time.perf_counter()
        begun_at = self.steps_done % self.steps_per_epoch
        self.shown.begin_epoch(number, done=begun_at)
        for k in range(begun_at, self.steps_per_epoch):
            self._step(next(self.batches))
            self.shown.advance()
            if self.steps_done % _LOOK_EVERY == 0:
                self.shown.loss(self._train_scores()["loss"])
            every = self.training.checkpoint_every_steps
            if self.run_dir and every and self.steps_done % every == 0 and k + 1 < self.steps_per_epoch:
                self._train_scores()  # raises rather than save weights that are no numbers
                self._save()
        steps = self.steps_per_epoch - begun_at
        self.end_epoch(self._train_scores(), self._validate(), steps=steps, started=started)

    def end_epoch(
        self, train: Mapping[str, Any], validation: Mapping[str, Any], *, steps: int, started: float
    ) -> None:
        """Record an epoch of ``steps`` steps, keep its weights if they are the best so far, and save.

        Args:
            train: means over the epoch.
            validation: scores of the validation part.
            steps: taken since ``started``, a time of ``time.perf_counter``.
            started: when the epoch began, or was resumed.
        """
        number = len(self.epochs) + 1
        record = {"epoch": number, "train": train, "validation": validation}
        seconds = time.perf_counter() - started
        audio_s = (
            steps * self.training.batch_size * self.train_loader.num_samples / self.train_loader.catalog.sr
        )
        record |= {
            "learning_rate": float(self.schedule(self.steps_done)),
            "seconds": round(seconds, 3),
            "audio_s_per_s": round(audio_s / seconds, 1),
        }
        if self.watch is not None:
            record["watched"] = dict(self.watch(on_one_device(self.state.params)))
        self.epochs.append(record)
        if self._is_best(record):
            self.best_epoch = number
            self._keep_best()
        self._begin_totals()
        if self.run_dir:
            self._save()
            self._write_metrics()
        self.shown.end_epoch(record, best=self.best_epoch == number)

    def _begin_totals(self) -> None:
        self.state = self.state._replace(totals=placed(training_step.zero_totals(self.task), self.pair))

    def _keep_best(self) -> None:
        params, rest = on_one_device((self.state.params, self.state.model_state))
        if self.run_dir:
            checkpoint.save_best(self.best, self.steps_done, params, rest, {"epoch": self.best_epoch})
        else:
            # Copies: the next step takes the state's own memory.
            self.best_weights = jax.tree.map(jnp.array, (params, rest))

    def _step(self, batch: Mapping[str, Any]) -> None:
        started = time.perf_counter()
        inputs = {name: batch[name] for name in INPUTS if name in batch}
        self.state = self.step(self.state, inputs)
        if np.isnan(self.first_step_s):
            jax.block_until_ready(self.state.step)
            self.first_step_s = time.perf_counter() - started
        self.steps_done += 1

    def _train_scores(self) -> dict[str, float]:
        """The epoch's sums as means: where the host waits for the device, and sees whether training went wrong."""
        return self._means(jax.device_get(self.state.totals))

    def _means(self, sums: Mapping[str, Any]) -> dict[str, float]:
        totals = {name: float(value) for name, value in sums.items()}
        if totals["bad_step"] >= 0:
            raise checks.TrainingError(
                f"training step {int(totals['bad_step']) + 1}",
                "the loss or its gradient is not a finite number",
                remedy="lower optimizer.learning_rate, or look at the data of that step",
            )
        weight = totals["weight"]
        if weight == 0:
            raise checks.TrainingError(
                "training part", "has no rating in the audio of any of its clips", expected="at least one"
            )
        return {name: totals[name] / weight for name in ("loss", *self.task.measures)}

    def _validate(self) -> dict[str, float | None]:
        true, predicted = [], []
        weights = on_one_device((self.state.params, self.state.model_state))
        for batch in self.validation_loader:
            real = np.asarray(batch["weight"]) > 0
            inputs = {name: batch[name] for name in ("waveform", "length")}
            found = self.predict(*weights, inputs)
            predicted.append(np.asarray(found)[real])
            true.append(self.task.truth(batch)[real])
        return self._scores_of(np.concatenate(true), np.concatenate(predicted))

    def _scores_of(self, true: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        scores = self.score(true, predicted)
        if self.training.monitor not in scores:
            raise checks.ConfigError(
                "training.monitor",
                f"is {self.training.monitor!r}, which is no score of this task",
                expected=", ".join(name for name in get_args(Monitor) if name in scores),
            )
        return {name: scores[name] for name in get_args(Monitor) if name in scores}

    def _is_best(self, record: Mapping[str, Any]) -> bool:
        if self.best_epoch == 0:
            return True
        name = self.training.monitor
        now, before = record["validation"][name], self.epochs[self.best_epoch - 1]["validation"][name]
        if now is None or before is None:
            return before is None and now is not None
        return now < before if smaller_is_better(name) else now > before

    def _out_of_patience(self) -> bool:
        return bool(self.epochs) and len(self.epochs) - self.best_epoch >= self.training.patience

    def _arrays(self) -> dict[str, Any]:
        """The state as a checkpoint stores it."""
        state = on_one_device(self.state)
        return {
            "params": checkpoint.string_keys(state.params),
            "model_state": checkpoint.string_keys(state.model_state),
            "opt_state": jax.tree.leaves(state.opt_state),
            "key": state.key,
            "totals": state.totals,
        }

    def _save(self) -> None:
        record = {
            "step": self.steps_done,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "batches": self.batches.get_state(),
        }
        if self.steps_done not in self.latest.steps():
            self.latest.save(self.steps_done, self._arrays(), record)

    def _restore(self) -> None:
        arrays, record = self.latest.restore(self.latest.steps()[-1], self._arrays())
        arrays = jax.tree.map(jnp.asarray, arrays)
        self.steps_done = record["step"]
        state = training_step.TrainState(
            checkpoint.int_keys(arrays["params"]),
            checkpoint.int_keys(arrays["model_state"]),
            jax.tree.unflatten(jax.tree.structure(self.state.opt_state), arrays["opt_state"]),
            arrays["key"],
            jnp.asarray(self.steps_done, jnp.int32),
            arrays["totals"],
        )
        self.state = placed(state, self.pair)
        self.epochs = record["epochs"]
        self.best_epoch = record["best_epoch"]
        self.batches.set_state(record["batches"])
        # What was saved after this checkpoint will be computed, and saved, again.
        self.best.drop_after(self.best_epoch * self.steps_per_epoch)

    def _write_metrics(self) -> None:
        from mer_jax.data.atomic import write_lines

        assert self.run_dir is not None  # in memory, nothing is written
        write_lines(self.run_dir / "metrics.jsonl", self.epochs)

    def _result(self) -> FitResult:
        return FitResult(
            best_epoch=self.best_epoch,
            best=self.epochs[self.best_epoch - 1]["validation"],
            records=tuple(self.epochs),
            first_step_s=self.first_step_s,
            compilations=self.step._cache_size() - self.compiled_before,
        )


@lru_cache(maxsize=32)
def _compile(
    graph: Any,
    optimizer_config: optimizer.OptimizerConfig,
    total_steps: int,
    task: Task,
    augmentation: AugmentationConfig | None,
    accumulate_steps: int,
    remat: bool,
    pair: Pair | None,
) -> tuple[Any, Any]:
    """The compiled step and the compiled prediction; models of one graph share them, as the cells of a study do."""
    transform = optimizer.build(optimizer_config, total_steps)
    step = training_step.make_step(
        graph,
        transform,
        task=task,
        augmentation=augmentation,
        accumulate_steps=accumulate_steps,
        remat=remat,
    )
    return compiled_step(step, pair), training_step.compiled_predict(graph, task)

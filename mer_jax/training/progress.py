"""What training shows while it runs: a bar in a terminal, a line an epoch elsewhere, TensorBoard if asked."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mer_jax import checks

# Validation scores that a line has room for, where the task has them.
_SHOWN = ("loss", "accuracy", "rmse", "pearson_r")


class Progress:
    """Loss, score, speed and time left.

    Args:
        training: the :class:`~mer_jax.training.loop.TrainingConfig`.
        steps_per_epoch: batches in an epoch.
        shown: show anything at all.
        run_dir: TensorBoard files go to ``run_dir/tensorboard``; None writes none.

    Raises:
        mer_jax.checks.ConfigError: TensorBoard is asked for and not installed.
    """

    def __init__(self, training: Any, steps_per_epoch: int, *, shown: bool, run_dir: Path | None) -> None:
        self.training = training
        self.steps_per_epoch = steps_per_epoch
        self.shown = shown
        self.writer: Any = _tensorboard(run_dir) if training.tensorboard and run_dir else None
        self.bar: Any = None
        self.started = time.perf_counter()
        self.epochs_shown = 0

    def __enter__(self) -> "Progress":
        if self.shown and sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[loss]}"),
                TextColumn("{task.fields[scores]}"),
                console=Console(file=sys.stdout),
            )
            self.task = self.bar.add_task(
                "training", total=self.training.epochs * self.steps_per_epoch, loss="", scores="no epoch yet"
            )
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.writer is not None:
            self.writer.close()

    def begin_epoch(self, number: int, *, done: int) -> None:
        """Start of epoch ``number``, ``done`` steps of which were done before an interruption."""
        if self.bar is not None:
            completed = (number - 1) * self.steps_per_epoch + done
            self.bar.update(
                self.task, description=f"epoch {number}/{self.training.epochs}", completed=completed
            )

    def advance(self) -> None:
        """One step done."""
        if self.bar is not None:
            self.bar.advance(self.task)

    def loss(self, value: float) -> None:
        """Show the mean training loss of the epoch so far."""
        if self.bar is not None:
            self.bar.update(self.task, loss=f"loss {value:.3f}")

    def end_epoch(self, record: Mapping[str, Any], *, best: bool) -> None:
        """Show the scores of an epoch."""
        if self.writer is not None:
            self._write(record)
        if not self.shown:
            return
        if self.bar is not None:
            self.bar.update(self.task, scores=f"last epoch: {_scores(record)}")
            return
        self.epochs_shown += 1
        per_epoch = (time.perf_counter() - self.started) / self.epochs_shown
        left_s = per_epoch * (self.training.epochs - record["epoch"])
        mark = " best" if best else ""
        print(
            f"epoch {record['epoch']}/{self.training.epochs}  {_scores(record)}  at most {left_s:.0f} s left{mark}",
            flush=True,
        )

    def _write(self, record: Mapping[str, Any]) -> None:
        for part in ("train", "validation"):
            for name, value in record[part].items():
                if value is not None:
                    self.writer.add_scalar(f"{part}/{name}", value, record["epoch"])
        self.writer.flush()


def _scores(record: Mapping[str, Any]) -> str:
    found = record["validation"]
    shown = [f"{name} {found[name]:.3f}" for name in _SHOWN if found.get(name) is not None]
    return f"loss {record['train']['loss']:.3f}  validation {' '.join(shown)}  {record['audio_s_per_s']:.0f} s of audio/s"


def _tensorboard(run_dir: Path) -> Any:
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise checks.ConfigError(
            "training.tensorboard",
            "tensorboard is not installed",
            remedy="pip install 'mer-jax[tensorboard]'",
        ) from None
    return _EventWriter(EventFileWriter(str(run_dir / "tensorboard")))


class _EventWriter:
    """Scalars as TensorBoard events, without TensorFlow or torch."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        self.writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))

    def flush(self) -> None:
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()

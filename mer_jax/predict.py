"""From audio files to emotions with a trained run: probabilities, valence and arousal, and their course over time."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import audio, checks, experiment, export
from mer_jax.data.atomic import atomic_path
from mer_jax.data.rating_grid import RatingGrid
from mer_jax.experiment import windows


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one recording.

    Attributes:
        path: the audio file.
        task: what the run was trained for: ``"classes"``, ``"joint"``, ``"tags"``, ``"targets"``,
            ``"valence_arousal"`` or ``"dynamic"``.
        names: of the outputs: classes, tags or targets.
        outputs: (names,), the mean over the windows: probabilities, which sum to 1 over classes, or predicted numbers.
        times_s: (windows,), centre of each window, seconds from the start; of a run on ratings over time the time of each
            rating, which stands for the half second (at 2 Hz) that begins there.
        curve: (windows, names), the outputs of each window, or each rating.
        valence_arousal: (2,) in -1..1: predicted, or of a run on classes alone their mean valence and arousal in the training
            part, weighted by ``probabilities``. None where the run cannot tell.
    """

    path: Path
    task: str
    names: tuple[str, ...]
    outputs: np.ndarray
    times_s: np.ndarray
    curve: np.ndarray
    valence_arousal: np.ndarray | None

    @property
    def probabilities(self) -> np.ndarray:
        """(classes,) or (tags,); raises :class:`~mer_jax.checks.ConfigError` for a run that predicts numbers."""
        if self.task not in ("classes", "joint", "tags"):
            raise checks.ConfigError(
                self.task, "has no probabilities", expected="a run on classes or tags", remedy="read outputs"
            )
        return self.outputs

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.names

    @property
    def label(self) -> str:
        """The most probable class (or tag, or the largest number)."""
        return self.names[int(np.argmax(self.outputs))]


class Predictor:
    """A trained run, loaded once and compiled once, for any number of files.

    Args:
        checkpoint: a run folder written by ``mer-jax train`` or ``mer-jax demo``; or a file written by ``mer-jax export``, or
            what :func:`mer_jax.export.load` made of one.
        hop_s: seconds from one window to the next; default: half the window that the run was trained on. Where windows of a
            run on ratings over time overlap, their mean is taken.

    Raises:
        mer_jax.checks.CheckpointError: the folder holds no complete run, or the file no whole export.
    """

    def __init__(self, checkpoint: str | Path | export.Exported, *, hop_s: float | None = None) -> None:
        if not isinstance(checkpoint, export.Exported) and Path(checkpoint).is_file():
            checkpoint = export.load(checkpoint)
        self._outputs: Callable[[Any, Any], Any]
        if isinstance(checkpoint, export.Exported):
            self.signature, self._outputs = checkpoint.signature, checkpoint
        else:
            run = experiment.restore(checkpoint)
            self.signature, self._outputs = run.signature, experiment.output_function(run)
        self.hop_s = self.signature.hop_s if hop_s is None else hop_s
        checks.positive("hop_s", self.hop_s)

    def __call__(self, path: str | Path) -> Prediction:
        """Predict one file; raises :class:`~mer_jax.checks.AudioError` if it cannot be decoded."""
        signature = self.signature
        y, _ = audio.load(path, sr=signature.sr)
        curve, times_s = self._curve(y)
        outputs = curve.mean(axis=0)
        count = signature.num_names
        return Prediction(
            path=Path(path),
            task=signature.task,
            names=signature.outputs[:count],
            outputs=outputs[:count],
            times_s=times_s,
            curve=curve[:, :count],
            valence_arousal=signature.valence_arousal(outputs),
        )

    def _curve(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outputs over time, and when."""
        sr, window = self.signature.sr, self.signature.num_samples
        if self.signature.rate_hz is not None:
            grid = RatingGrid(self.signature.rate_hz, sr, window)
            return experiment.course(self._outputs, grid, y, hop_s=self.hop_s)
        curve, starts, lengths = windows.outputs_of_windows(
            self._outputs, y, window=window, hop=round(self.hop_s * sr)
        )
        return curve, (starts + lengths / 2) / sr


def predict(
    path: str | Path, *, checkpoint: str | Path | export.Exported, hop_s: float | None = None
) -> Prediction:
    """Predict the emotion of one audio file; see :class:`Predictor` for many.

    Args:
        path: an audio file.
        checkpoint: a run folder, or a file written by ``mer-jax export``.
        hop_s: seconds between windows.

    Returns:
        Probabilities, valence and arousal where the training data had them, and both over time.

    Raises:
        mer_jax.checks.AudioError: the file cannot be decoded.
        mer_jax.checks.CheckpointError: the folder holds no complete run, or the file no whole export.
    """
    return Predictor(checkpoint, hop_s=hop_s)(path)


def find_audio(paths: Sequence[Path]) -> list[Path]:
    """The audio files named, and those inside the folders named, in order.

    Raises:
        mer_jax.checks.AudioError: a folder without audio files.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            p
            for p in path.rglob("*")
            if p.suffix.lower() in audio.AUDIO_EXTENSIONS and not p.name.startswith("._")
        )
        if not inside:
            raise checks.AudioError(
                path, "holds no audio file", expected=f"files ending in {', '.join(audio.AUDIO_EXTENSIONS)}"
            )
        found.extend(inside)
    return found


def table(predictions: Sequence[Prediction], suffix: str) -> str:
    """Predictions as CSV or JSON text, by the suffix of the file they go to."""
    rows = [_row(p) for p in predictions]
    if suffix == ".json":
        full = [
            row | {"times_s": p.times_s.tolist(), "curve": p.curve.tolist()}
            for row, p in zip(rows, predictions, strict=True)
        ]
        return json.dumps(full, indent=2) + "\n"
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["path", "label"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(p: Prediction) -> dict[str, str | float]:
    row: dict[str, str | float] = {"path": str(p.path), "label": p.label}
    prefix = "p_" if p.task in ("classes", "joint", "tags") else ""
    row |= {prefix + name: float(value) for name, value in zip(p.names, p.outputs, strict=True)}
    if p.valence_arousal is not None and p.task in ("classes", "joint"):
        row |= {"valence": float(p.valence_arousal[0]), "arousal": float(p.valence_arousal[1])}
    return row


def command(paths: Sequence[Path], *, checkpoint: Path, out: Path | None, curve: bool) -> int:
    """The ``predict`` command: print a table, write it if asked; refused files are named and the rest is done."""
    import sys

    if out is not None and out.suffix not in (".csv", ".json"):
        raise checks.ConfigError(out, f"ends in {out.suffix!r}", expected=".csv or .json")
    files = find_audio(paths)
    predictor = Predictor(checkpoint)
    done, refused = [], 0
    for path in files:
        try:
            prediction = predictor(path)
        except checks.AudioError as error:
            print(f"mer-jax: {error}", file=sys.stderr)
            refused += 1
            continue
        done.append(prediction)
        _print(prediction, curve=curve)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(table(done, out.suffix), encoding="utf-8")
    return 2 if refused else 0


def _print(p: Prediction, *, curve: bool) -> None:
    def scores(values):
        return "  ".join(f"{name} {value:.2f}" for name, value in zip(p.names, values, strict=True))

    emotion = (
        f"{p.path}: {p.label}  ({scores(p.outputs)})"
        if p.task in ("classes", "joint")
        else f"{p.path}: {scores(p.outputs)}"
    )
    if p.valence_arousal is not None and p.task in ("classes", "joint"):
        emotion += f"  valence {p.valence_arousal[0]:+.2f}  arousal {p.valence_arousal[1]:+.2f}"
    print(emotion)
    if curve:
        for time_s, row in zip(p.times_s, p.curve, strict=True):
            print(f"  {time_s:7.2f} s  {scores(row)}")

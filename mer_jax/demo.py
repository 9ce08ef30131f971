"""The demo: the main job on data that this package composes itself, from audio files on disk to a report."""

from pathlib import Path

from mer_jax import experiment
from mer_jax.config import ExperimentConfig
from mer_jax.data import synthetic
from mer_jax.training.loop import TrainingConfig


def run(out: Path, *, clips: int, epochs: int, seed: int) -> Path:
    """Compose ``clips`` clips as WAV files, train and evaluate approach 1 on them, write the report.

    Args:
        out: gets ``audio/`` (one folder a mood, and a manifest) and ``run/``.
        clips: number of 5-s clips.
        epochs: passes over the training part.
        seed: seeds music, split, weights and order.

    Returns:
        The run folder.
    """
    print(f"composing {clips} clips of synthetic music (five moods) into {out / 'audio'}")
    folder = synthetic.write_folder(out / "audio", clips, seed=seed)
    settings = ExperimentConfig(
        data=str(folder / "manifest.csv"),
        out=out / "run",
        seed=seed,
        training=TrainingConfig(epochs=epochs, patience=epochs),
    )
    return experiment.run(settings)

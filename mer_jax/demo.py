"""The demo: the main job on data that this package composes itself, from audio files on disk to a report."""

import dataclasses
from pathlib import Path

from mer_jax import study
from mer_jax.data import synthetic


def run(out: Path, *, clips: int, epochs: int, seed: int) -> Path:
    """Compose ``clips`` clips as WAV files, compare the three approaches on them, write the report.

    Args:
        out: gets ``audio/`` (one folder a mood, and a manifest) and ``study/``.
        clips: number of 5-s clips.
        epochs: passes over the training part.
        seed: seeds the music.

    Returns:
        The folder of the study.
    """
    print(f"composing {clips} clips of synthetic music (five moods) into {out / 'audio'}", flush=True)
    folder = synthetic.write_folder(out / "audio", clips, seed=seed)
    settings = study.quick(study.StudyConfig(data=str(folder / "manifest.csv"), out=out / "study"))
    training = dataclasses.replace(settings.training, epochs=epochs, patience=min(10, epochs))
    return study.run(dataclasses.replace(settings, training=training))

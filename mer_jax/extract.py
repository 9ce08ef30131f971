"""The ``features`` command: audio files to feature arrays and pictures, one file in, one array per feature out."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mer_jax import audio, checks, features
from mer_jax._version import __version__
from mer_jax.data.atomic import atomic_path
from mer_jax.data.files import find_audio
from mer_jax.frontends import Frontend, Image, backends

# Clips of one length are computed together; enough to keep every core or a GPU busy, little enough for memory.
BATCH_SAMPLES = 32 * 30 * 22050


@dataclass(frozen=True)
class Job:
    """One audio file and where its features go.

    Attributes:
        source: the audio file.
        target: the output path without ``.<feature>.npz``.
    """

    source: Path
    target: Path

    def array(self, feature: str) -> Path:
        """Where the array of a feature goes."""
        return self.target.with_name(f"{self.target.name}.{feature}.npz")

    def picture(self, feature: str) -> Path:
        """Where the picture of a feature goes."""
        return self.target.with_name(f"{self.target.name}.{feature}.png")


class Extractor:
    """Features of audio files by one backend.

    Args:
        names: features by name (:data:`mer_jax.features.NAMES`).
        backend: jax, nnaudio or librosa.
        sr: sampling rate that audio is resampled to, Hz.
        write_pictures: also write a PNG per feature, what :class:`mer_jax.frontends.Image` draws.

    Raises:
        mer_jax.checks.ConfigError: an unknown feature or backend, or one that the backend does not have.
    """

    def __init__(
        self, names: Sequence[str], *, backend: str = "jax", sr: int = 22050, write_pictures: bool = False
    ) -> None:
        self.frontends = {name: features.build(name, sr=sr, rngs=nnx.Rngs(0)).frontend for name in names}
        self.compute = {name: backends.compile_backend(backend, fe) for name, fe in self.frontends.items()}
        self.backend = backend
        self.sr = sr
        self.write_pictures = write_pictures

    def is_done(self, job: Job) -> bool:
        """Whether every output of a file is there already, computed with the same settings.

        Raises:
            mer_jax.checks.DataError: an array is there that other settings made: it is not overwritten.
        """
        done = True
        for name in self.frontends:
            path = job.array(name)
            if path.exists():
                self._check_same(path, name)
            done &= path.exists() and (not self.write_pictures or job.picture(name).exists())
        return done

    def _check_same(self, path: Path, name: str) -> None:
        with np.load(path, allow_pickle=False) as stored:
            found = json.loads(str(stored["settings"]))
        expected = self.settings(name)
        if found != expected:
            changed = next(k for k in sorted({*found, *expected}) if found.get(k) != expected.get(k))
            raise checks.DataError(
                path,
                f"was computed with {changed} = {found.get(changed)!r}",
                expected=f"{expected.get(changed)!r}",
                remedy="choose another --out, or delete the file",
            )

    def settings(self, name: str) -> dict[str, Any]:
        """Everything that decides the values of a feature."""
        fe = self.frontends[name]
        parameters = {
            key: value
            for key, value in vars(fe).items()
            if isinstance(value, (bool, int, float, str)) and not key.startswith("_")
        }
        return {"feature": name, "backend": self.backend, **parameters}

    def write(self, jobs: Sequence[Job], waveforms: np.ndarray) -> None:
        """Compute and write the features of clips of one length, (len(jobs), samples)."""
        for name, fe in self.frontends.items():
            values = self.compute[name](waveforms)
            images = self._images(fe, values) if self.write_pictures else [None] * len(jobs)
            for job, clip, image in zip(jobs, np.asarray(values), images, strict=True):
                job.target.parent.mkdir(parents=True, exist_ok=True)
                if image is not None:
                    _write_png(job.picture(name), image)
                with atomic_path(job.array(name)) as temporary, open(temporary, "wb") as file:
                    np.savez(
                        file,
                        values=clip.astype(np.float32),
                        sr_hz=fe.sr,
                        hop_length=fe.hop_length,
                        frame_rate_hz=fe.frame_rate_hz,
                        unit=fe.unit,
                        feature_names=np.array(fe.feature_names),
                        settings=json.dumps(self.settings(name)),
                        version=__version__,
                    )

    def _images(self, frontend: Frontend, values: jax.Array) -> np.ndarray:
        return np.asarray(np.rint(Image(frontend).draw(values)), np.uint8)


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def plan(paths: Sequence[Path], out: Path) -> list[Job]:
    """Which files to read and where their features go; the folders below a named folder are kept.

    Raises:
        mer_jax.checks.DataError: two files would be written to one place.
    """
    jobs: dict[Path, Job] = {}
    for path in paths:
        files = find_audio(path) if path.is_dir() else [path]
        for file in files:
            relative = file.relative_to(path) if path.is_dir() else Path(file.name)
            job = Job(file, out / relative.with_suffix(""))
            if job.target in jobs:
                raise checks.DataError(
                    file,
                    f"and {jobs[job.target].source} would be written to the same place",
                    expected="file names that differ before the dot",
                    remedy="run them with different --out folders",
                )
            jobs[job.target] = job
    return list(jobs.values())


def batches(
    jobs: Sequence[Job], sr: int, refuse: Callable[[checks.AudioError], None]
) -> Iterator[tuple[list[Job], np.ndarray]]:
    """Decoded clips of one length together, so that one program serves them; bad files go to ``refuse``.

    A batch holds at most :data:`BATCH_SAMPLES` samples, and what waits for clips of its length at most twice that.
    """
    waiting: dict[int, list[tuple[Job, np.ndarray]]] = {}
    held = 0
    for job in jobs:
        try:
            y, _ = audio.load(job.source, sr=sr)
        except checks.AudioError as error:
            refuse(error)
            continue
        waiting.setdefault(len(y), []).append((job, y))
        held += len(y)
        while held > 2 * BATCH_SAMPLES or (len(waiting.get(len(y), ())) + 1) * len(y) > BATCH_SAMPLES:
            length = max(waiting, key=lambda n: n * len(waiting[n]))
            held -= length * len(waiting[length])
            yield _stack(waiting.pop(length))
    for same in waiting.values():
        yield _stack(same)


def _stack(clips: list[tuple[Job, np.ndarray]]) -> tuple[list[Job], np.ndarray]:
    return [job for job, _ in clips], np.stack([y for _, y in clips])


def command(
    paths: Sequence[Path],
    *,
    features: Sequence[str],
    backend: str,
    out: Path,
    sr: int,
    write_pictures: bool,
) -> int:
    """Run the ``features`` command; 0 if every file was done, 2 if one was refused."""
    from rich.console import Console
    from rich.progress import Progress

    extractor = Extractor(features, backend=backend, sr=sr, write_pictures=write_pictures)
    jobs = plan(paths, out)
    todo = [job for job in jobs if not extractor.is_done(job)]
    refused = 0

    def refuse(error: checks.AudioError) -> None:
        nonlocal refused
        refused += 1
        print(f"mer-jax: {error}", file=sys.stderr)

    console = Console(file=sys.stdout)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("features", total=len(todo))
        for group, waveforms in batches(todo, sr, refuse):
            extractor.write(group, waveforms)
            progress.advance(task, len(group))
    written = len(todo) - refused
    print(f"{out}: {written} written, {len(jobs) - len(todo)} already there, {refused} refused")
    return 2 if refused else 0

"""Weights converted once: a folder that holds them as an orbax checkpoint with their record."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

from mer_jax import checks
from mer_jax.checkpoint_folder import CheckpointFolder
from mer_jax.models.pretrained.reading import Weights, read_file, shapes
from mer_jax.models.vgg19 import WeightRecord


class _WeightFolder(CheckpointFolder):
    def damaged_remedy(self, intact: list[int]) -> str:
        """There is only one: convert again."""
        del intact
        return f"delete {self.path} and convert the weights again with 'mer-jax weights'"


def convert(path: str | Path, out: str | Path, *, url: str = "") -> WeightRecord:
    """Read a weight file and keep its weights in the new folder ``out``.

    Args:
        path: a file that :func:`mer_jax.models.pretrained.load_vgg19` reads.
        out: folder, such as ``checkpoints/vgg19_imagenet``; new or empty.
        url: where the file came from, for the record.

    Raises:
        mer_jax.checks.CheckpointError: the file cannot be used, or ``out`` is not empty; then nothing has been written.
    """
    out = Path(out)
    check_new(out)
    weights, record = read_file(Path(path), url=url)
    with _opened(out, read_only=False) as folder:
        folder.save(0, weights, asdict(record))
    return record


def read_converted(path: Path) -> tuple[Weights, WeightRecord]:
    """What :func:`convert` wrote.

    Raises:
        mer_jax.checks.CheckpointError: there are no weights in the folder, or they are damaged.
    """
    with _opened(path, read_only=True) as folder:
        steps = folder.steps()
        if not steps:
            raise checks.CheckpointError(
                path, "holds no converted weights", remedy="convert some with 'mer-jax weights'"
            )
        like = {
            layer: {part: jax.ShapeDtypeStruct(shape, np.float32) for part, shape in parts.items()}
            for layer, parts in shapes().items()
        }
        weights, record = folder.restore(steps[-1], like)
    return weights, WeightRecord(**record)


def check_new(out: Path) -> None:
    """Raise unless ``out`` is a folder to be made, or one without anything but what a killed conversion left."""
    if out.exists() and not out.is_dir():
        raise checks.CheckpointError(out, "is a file", expected="a folder to write weights to")
    others = [p.name for p in out.iterdir() if ".orbax-checkpoint-tmp" not in p.name] if out.is_dir() else []
    if others:
        raise checks.CheckpointError(
            out,
            f"is not empty (it holds {others[0]})",
            expected="a new folder",
            remedy="delete it, or choose another with --out",
        )


@contextmanager
def _opened(path: Path, *, read_only: bool) -> Iterator[CheckpointFolder]:
    folder = _WeightFolder(path, keep=1, read_only=read_only)
    try:
        yield folder
    finally:
        folder.close()

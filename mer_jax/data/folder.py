"""A folder with one sub-folder a class."""

from pathlib import Path

import numpy as np

from mer_jax.checks import DataError
from mer_jax.data import files
from mer_jax.data.catalog import Catalog


def catalog(folder: str | Path, *, sr: int = 22050, read_headers: bool = True) -> Catalog:
    """List a data set whose sub-folders are its classes.

    Classes are the names of the sub-folders, letter for letter, in alphabetical order. Audio may lie at any depth below them.
    ``.DS_Store``, ``Thumbs.db``, ``__MACOSX`` and hidden files are passed over, other files that are not audio as well.

    **Groups**: a file's group is its name without extension, so a split keeps equal names together and nothing else: it is a
    split by file. Where several clips are cut from one song, list them in a manifest (:mod:`mer_jax.data.manifest`) that names
    the song, or the same song is trained and tested on.

    Args:
        folder: the data set.
        sr: rate to deliver, in Hz.
        read_headers: open each file to learn its duration; without it ``durations_s`` is None, and a bad file shows later.

    Raises:
        DataError: there is no such folder, it has no (or only one) class, a class has no audio, audio is of an unsupported
            type, or files cannot be opened.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(folder, "is not a folder", expected="a folder with one sub-folder a class")
    class_folders = sorted(p for p in folder.iterdir() if p.is_dir() and not files.is_clutter(p.name))
    by_class = {p.name: files.find_audio(p) for p in class_folders}
    _check(folder, by_class)
    paths = [path for found in by_class.values() for path in found]
    labels = [label for label, found in enumerate(by_class.values()) for _ in found]
    return Catalog(
        name=folder.resolve().name,
        classes=tuple(by_class),
        ids=tuple(path.relative_to(folder).as_posix() for path in paths),
        groups=tuple(path.stem for path in paths),
        labels=np.asarray(labels, dtype=np.int32),
        valence_arousal=None,
        sr=sr,
        durations_s=files.durations(paths, sr=sr, where=folder) if read_headers else None,
        source=files.FileSource(paths, sr=sr),
    )


def _check(folder: Path, by_class: dict[str, list[Path]]) -> None:
    layout = "a folder with one sub-folder a class, audio files inside"
    if not any(by_class.values()):
        loose = any(
            p.is_file() and p.suffix.lower() in files.audio.AUDIO_EXTENSIONS for p in folder.iterdir()
        )
        raise DataError(
            folder,
            "has audio files but no class folders" if loose else "holds no audio in sub-folders",
            expected=layout,
            remedy="sort the files into a folder for each class, or list them in a manifest CSV",
        )
    empty = [name for name, found in by_class.items() if not found]
    if empty:
        raise DataError(
            folder / empty[0], "holds no audio", expected=layout, remedy="remove it if it is not a class"
        )
    if len(by_class) == 1:
        only = next(iter(by_class))
        raise DataError(
            folder,
            f"has only one class folder, {only!r}",
            expected="at least two classes",
            remedy=f"if {only!r} itself holds the class folders, name {str(folder / only)!r}",
        )
    folded: dict[str, str] = {}
    for name in by_class:
        if (other := folded.setdefault(name.strip().casefold(), name)) != name:
            raise DataError(
                folder, f"has the class folders {other!r} and {name!r}", remedy="merge or rename them"
            )

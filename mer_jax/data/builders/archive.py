"""What a user fetched and unpacked by hand: files found by how their path ends, whatever folders were wrapped around."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mer_jax import audio
from mer_jax.checks import DataError
from mer_jax.data import files

_WRAPPERS = 3
_DEEPEST = 9


class Archive:
    """The files below a folder, found by the end of their path.

    Names are compared without regard to case, blanks equal underscores (``Set1/Set1``, ``DEAM_audio/MEMD_audio``
    and ``annotations_averaged_per_song`` are all in circulation), and at most three folders may be wrapped around a path. What
    file managers and archives leave behind is passed over.

    Args:
        folder: where the data set was put.
        page: where to get it.
        layout: what should be there, in words.

    Raises:
        DataError: there is no such folder, or nothing in it.
    """

    def __init__(self, folder: Path, *, page: str, layout: str) -> None:
        self.folder = folder
        self._page = page
        self._layout = layout
        if not folder.is_dir():
            raise self.error("is not a folder")
        self._files = sorted(_walk(folder))
        if not self._files:
            raise self.error("is empty")

    def error(self, problem: str, where: object = None) -> DataError:
        """An error that says what was expected and where to get it."""
        return DataError(
            where or self.folder, problem, expected=self._layout, remedy=f"get it from {self._page}"
        )

    def completed(self, error: DataError) -> DataError:
        """The same error, which says where to get the data set as well."""
        if self._page in str(error):
            return error
        remedy = "; ".join(filter(None, (error.remedy, f"get it from {self._page}")))
        return DataError(error.where, error.problem, expected=error.expected or self._layout, remedy=remedy)

    def find(self, *paths: str) -> Path | None:
        """The file whose path ends in the first of ``paths`` that any does; None if none does.

        Raises:
            DataError: several files do, none of them further up than the others.
        """
        for wanted in paths:
            parts = _normalised(wanted)
            ends = [(len(p), file) for p, file in self._files if p[-len(parts) :] == parts]
            if not ends or min(ends)[0] - len(parts) > _WRAPPERS:
                continue
            nearest = [file for depth, file in ends if depth == min(ends)[0]]
            if len(nearest) > 1:
                raise self.error(f"holds {wanted!r} twice: {nearest[0]} and {nearest[1]}")
            return nearest[0]
        return None

    def file(self, *paths: str) -> Path:
        """Like :meth:`find`, but there has to be one.

        Raises:
            DataError: there is none, or several.
        """
        found = self.find(*paths)
        if found is None:
            raise self.error(f"holds no {' or '.join(repr(path) for path in paths)}")
        return found

    def audio(self, within: str = "", *, below: Path | None = None) -> list[Path]:
        """Audio files, in the order of their paths.

        Args:
            within: name of a folder that they have to be in, at any depth; "" for any folder.
            below: a folder that they have to be in; None for any.
        """
        name = _normalised(within)
        return [
            file
            for parts, file in self._files
            if file.suffix.lower() in audio.AUDIO_EXTENSIONS
            and (not name or name[0] in parts[: min(len(parts) - 1, _WRAPPERS + 1)])
            and (below is None or below in file.parents)
        ]

    def audio_by_name(self, within: str = "", *, below: Path | None = None) -> dict[str, Path]:
        """Those of :meth:`audio` by their name without extension.

        Raises:
            DataError: two have the same.
        """
        found: dict[str, Path] = {}
        for path in self.audio(within, below=below):
            if (other := found.setdefault(path.stem, path)) != path:
                raise self.error(f"holds {path.stem!r} twice: {other} and {path}")
        return found


def _walk(folder: Path) -> Iterable[tuple[tuple[str, ...], Path]]:
    """(normalised parts of the path below ``folder``, path) of each file that is not clutter."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        inside = Path(parent).relative_to(folder)
        deep = len(inside.parts) >= _DEEPEST  # links may go in circles
        folders[:] = [] if deep else [name for name in folders if not files.is_clutter(name)]
        for name in names:
            if not files.is_clutter(name):
                yield _normalised((inside / name).as_posix()), Path(parent) / name


def _normalised(path: str) -> tuple[str, ...]:
    return tuple(part.casefold().replace(" ", "_") for part in PurePosixPath(path).parts)

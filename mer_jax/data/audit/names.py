"""What a check calls a clip, where two data sets are looked at together."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from mer_jax import audio
from mer_jax.data.catalog import Catalog


class Rows:
    """The rows of one data set or two, numbered on from one to the next.

    Args:
        catalogs: the data sets.
    """

    def __init__(self, catalogs: Sequence[Catalog]) -> None:
        self.catalogs = tuple(catalogs)
        self._places = [(c, row) for c in range(len(catalogs)) for row in range(len(catalogs[c]))]

    def __len__(self) -> int:
        return len(self._places)

    def place(self, number: int) -> tuple[int, int]:
        """Which data set, and which row of it."""
        return self._places[number]

    def catalog(self, number: int) -> Catalog:
        """The data set of a row."""
        return self.catalogs[self._places[number][0]]

    def name(self, number: int) -> str:
        """The clip's id; with the name of its data set before it where there are two."""
        which, row = self._places[number]
        id_ = self.catalogs[which].ids[row]
        return f"{self.catalogs[which].name}:{id_}" if len(self.catalogs) > 1 else id_

    def data(self, numbers: Sequence[int]) -> str:
        """The names of the data sets that rows are from."""
        return ", ".join(self.catalogs[c].name for c in sorted({self._places[n][0] for n in numbers}))

    def group(self, number: int) -> tuple[int, str]:
        """The group of a row; groups of different data sets are different."""
        which, row = self._places[number]
        return which, self.catalogs[which].groups[row]


def plain_ids(catalog: Catalog) -> tuple[str, ...]:
    """One id a row, as other data sets may spell them: no folder, no extension of an audio file, no case.

    The folder is kept where the name alone stands for several clips (``classical/1.mp3`` and ``rock/1.mp3``).
    """
    whole = [_without_extension(id_.casefold()) for id_ in catalog.ids]
    names = [PurePosixPath(id_).name or id_ for id_ in whole]
    times = Counter(names)
    return tuple(name if times[name] == 1 else id_ for name, id_ in zip(names, whole, strict=True))


def _without_extension(id_: str) -> str:
    for extension in audio.AUDIO_EXTENSIONS:
        if id_.endswith(extension) and id_ != extension:
            return id_.removesuffix(extension)
    return id_

"""Turkish Music Emotion: audio in four class folders, or the acoustic features that UCI ships in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_jax._shapes import Float, Int
from mer_jax.checks import DataError
from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.tables import read_table

_ROWS, _FEATURES = 400, 50


class Turkish(FetchedBuilder):
    """Any audio in folders named ``angry``, ``happy``, ``relax`` and ``sad``; 100 clips of 30 s each.

    No artist is known, so each file is a group of its own, and scores are optimistic.
    """

    about = About(
        title="Turkish Music Emotion",
        homepage="https://archive.ics.uci.edu/dataset/862/turkish+music+emotion",
        licence="CC BY 4.0 (features, UCI); audio: none stated",
        citation="M. B. Er, I. B. Aydilek: Music emotion recognition by using chroma spectrogram and deep visual features, "
        "International Journal of Computational Intelligence Systems 12(2), 2019, doi:10.2991/ijcis.d.191216.001",
        layout="folders angry, happy, relax and sad of audio files (UCI itself ships only 'Acoustic Features.csv', which "
        "mer_jax.data.builders.turkish.acoustic_features reads)",
        items={"": 400},
        labels="4 moods",
        groups="unknown (each file)",
    )
    classes = ("angry", "happy", "relax", "sad")

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """All audio whose folder is named like a class."""
        found = []
        for path in archive.audio():
            mood = path.parent.name.casefold()
            if mood in self.classes:
                found.append(Clip(id=f"{mood}/{path.name}", path=path, label=mood))
        if not found:
            raise archive.error("holds no audio in folders of these names")
        return found


@dataclass(frozen=True)
class AcousticFeatures:
    """The features of 400 clips whose audio is not published.

    Attributes:
        names: of the 50 features.
        values: shape (400, 50), float64.
        classes: relax, happy, sad, angry.
        labels: shape (400,), index into ``classes``.
        groups: shape (400,): rows with equal features (eleven repeat an earlier one) are one group, so that no split has a row
            in two parts.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "rows features"]
    classes: tuple[str, ...]
    labels: Int[np.ndarray, "rows"]
    groups: Int[np.ndarray, "rows"]


def acoustic_features(manual_dir: str | Path, *, partial: bool = False) -> AcousticFeatures:
    """Read ``Acoustic Features.csv``: numbers for a classifier, as there is no audio to prepare.

    Args:
        manual_dir: the folder that it was unpacked to.
        partial: take any number of rows and features.

    Raises:
        DataError: the file is missing, or is not the published one.
    """
    about = Turkish.about
    archive = Archive(Path(manual_dir), page=about.homepage, layout="'Acoustic Features.csv' of 400 rows")
    table = read_table(archive.file("Acoustic Features.csv"), needs=["class"])
    names = tuple(name for name in table.columns if name != "class")
    if not partial and (len(table.rows), len(names)) != (_ROWS, _FEATURES):
        raise archive.error(f"has {len(table.rows)} rows of {len(names)} features", table.path)
    classes = ("relax", "happy", "sad", "angry")
    for row in table.rows:
        if row["class"] not in classes:
            raise DataError(table.path, f"has a class {row['class']!r}", expected=f"one of {classes}")
    values = np.array([[table.number(row, name) for name in names] for row in table.rows])
    return AcousticFeatures(
        names=names,
        values=values,
        classes=classes,
        labels=np.array([classes.index(row["class"]) for row in table.rows]),
        groups=np.unique(values, axis=0, return_inverse=True)[1].reshape(-1),
    )

"""EMOPIA: pop piano performances, labelled clip by clip. Audio is not part of the archive."""

from collections.abc import Mapping, Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS
from mer_jax.data.builders.tables import read_table

# Where each split lies, and in which column its clips are named.
_SPLITS = {
    "archive": (("split/{}_clip.csv",), "clip_name"),
    "classifier": (("dataset/split/{}.csv", "split/{}.csv"), "fname"),
}
_PARTS = {"train": "train", "val": "validation", "test": "test"}


class Emopia(FetchedBuilder):
    """1078 clips of 387 songs. Audio (recorded, or rendered from the MIDI files) is found by its name in any folder."""

    about = About(
        title="EMOPIA",
        homepage="https://zenodo.org/records/5090631",
        licence="CC BY 4.0 (data set page) or CC BY-NC-SA 4.0 (classifier repository): treat as non-commercial",
        citation="H.-T. Hung, J. Ching, S. Doh, N. Kim, J. Nam, Y.-H. Yang: EMOPIA: a multi-modal pop piano dataset for "
        "emotion recognition and emotion-based music generation, ISMIR 2021, arXiv:2108.01374",
        layout="EMOPIA_1.0/ with label.csv and split/, and beside it the audio, which the archive lacks: any folder of "
        "<clip>.mp3 or <clip>.wav, such as Q1_0vLPYiPN7qY_0.mp3",
        items={"": 1078},
        labels="4 quadrants",
        groups="song",
        splits=tuple(_SPLITS),
    )
    classes = QUADRANTS

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """Quadrants of ``label.csv``; the song is the YouTube id in the name."""
        table = read_table(archive.file("label.csv"), needs=["id", "4q"])
        audio = archive.audio_by_name()
        parts = {name: self._parts(archive, *where) for name, where in _SPLITS.items()}
        found = []
        for row in table.rows:
            name = row["id"]
            quadrant, song = name[:2], name[3:].rpartition("_")[0]
            if quadrant != f"Q{row['4q']}" or not song:
                raise archive.error(f"labels {name!r} as quadrant {row['4q']}", table.path)
            found.append(
                Clip(
                    id=name,
                    path=audio.get(name),
                    group=song,
                    label=self.class_name(quadrant, table.path),
                    parts={split: of_clip.get(name, "") for split, of_clip in parts.items()},
                    extra={"annotator": row.get("annotator", "")},
                )
            )
        return found

    def _parts(self, archive: Archive, paths: tuple[str, ...], column: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for theirs, ours in _PARTS.items():
            path = archive.find(*(path.format(theirs) for path in paths))
            if path is not None:
                table = read_table(path, needs=[column])
                found |= {row[column].removesuffix(".mid"): ours for row in table.rows}
        return found

"""MERGE, its audio part: complete, or balanced between the quadrants."""

from collections.abc import Mapping, Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS
from mer_jax.data.builders.tables import read_table
from mer_jax.data.splits import normalised_group

_SPLITS = ("tvt_70_15_15", "tvt_40_30_30")
_PARTS = {"train": "train", "validate": "validation", "test": "test"}
_EXTRA = ("artist", "title", "year", "genres", "moods")


class Merge(FetchedBuilder):
    """Clips of 30 s with a quadrant, and valence and arousal in [0, 1]. Its splits may cut artists."""

    about = About(
        title="MERGE (audio)",
        homepage="https://zenodo.org/records/13939205",
        licence="CC BY-NC 4.0",
        citation="P. L. Louro, H. Redinho, R. Santos, R. Malheiro, R. Panda, R. P. Paiva: MERGE - a bimodal audio-lyrics "
        "dataset for static music emotion recognition, 2024, arXiv:2407.06060",
        layout="MERGE_Audio_Complete/ (or Balanced) with merge_audio_complete_metadata.csv, "
        "merge_audio_complete_av_values.csv, the folders Q1 to Q4 of <Song>.mp3, and tvt_dataframes/",
        items={"complete": 3554, "balanced": 3232},
        labels="4 quadrants; valence, arousal 0..1",
        groups="artist",
        splits=_SPLITS,
    )
    classes = QUADRANTS
    rating_range = (0.0, 1.0)

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """Quadrants of the metadata; ids are opaque (``A061-66`` is one)."""
        prefix = f"merge_audio_{self.variant}"
        metadata = read_table(
            archive.file(f"{prefix}_metadata.csv"), needs=["song", "quadrant", "artist", "title"]
        )
        values = read_table(
            archive.file(f"{prefix}_av_values.csv", f"{prefix}_av_value.csv"),
            needs=["song", "arousal", "valence"],
        )
        rated = {
            row["song"]: (values.number(row, "valence"), values.number(row, "arousal")) for row in values.rows
        }
        # The other variant may lie beside this one, with many of the same names.
        audio = archive.audio_by_name(below=metadata.path.parent)
        parts = {name: self._parts(archive, name) for name in _SPLITS}
        found = []
        for row in metadata.rows:
            if row["song"] not in rated:
                raise archive.error(f"has no valence and arousal for {row['song']!r}", values.path)
            found.append(
                Clip(
                    id=row["song"],
                    path=audio.get(row["song"]),
                    group=normalised_group(row["artist"]),
                    label=self.class_name(row["quadrant"], metadata.path),
                    rating=rated[row["song"]],
                    parts={name: of_clip.get(row["song"], "") for name, of_clip in parts.items()},
                    extra={name: row.get(name, "") for name in _EXTRA},
                )
            )
        return found

    def _parts(self, archive: Archive, split: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for theirs, ours in _PARTS.items():
            table = read_table(
                archive.file(f"{split}/{split}_{theirs}_audio_{self.variant}.csv"), needs=["song"]
            )
            found |= {row["song"]: ours for row in table.rows}
        return found

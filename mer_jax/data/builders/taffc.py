"""The 4Q audio emotion data set (MER_audio_taffc_dataset)."""

from collections.abc import Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS
from mer_jax.data.builders.tables import read_table
from mer_jax.data.splits import normalised_group


class Taffc(FetchedBuilder):
    """900 clips of 30 s, 225 a quadrant, labelled from AllMusic mood tags."""

    about = About(
        title="4Q audio emotion dataset (TAFFC)",
        homepage="http://mir.dei.uc.pt/downloads.html",
        licence="none stated: research use, do not redistribute",
        citation="R. Panda, R. Malheiro, R. P. Paiva: Novel audio features for music emotion recognition, IEEE Transactions on "
        "Affective Computing 11(4), 2020, doi:10.1109/TAFFC.2018.2820691",
        layout="MER_audio_taffc_dataset/ with panda_dataset_taffc_annotations.csv, panda_dataset_taffc_metadata.csv and the "
        "folders Q1 to Q4 of <Song>.mp3",
        items={"": 900},
        labels="4 quadrants",
        groups="artist",
    )
    classes = QUADRANTS

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """Quadrants of the annotations, artists of the metadata."""
        labels = read_table(archive.file("panda_dataset_taffc_annotations.csv"), needs=["song", "quadrant"])
        metadata = read_table(
            archive.file("panda_dataset_taffc_metadata.csv"), needs=["song", "artist", "title"]
        )
        known = {row["song"]: row for row in metadata.rows}
        audio = archive.audio_by_name()
        found = []
        for row in labels.rows:
            more = known.get(row["song"])
            if more is None:
                raise archive.error(f"does not list {row['song']!r}", metadata.path)
            found.append(
                Clip(
                    id=row["song"],
                    path=audio.get(row["song"]),
                    group=normalised_group(more["artist"]),
                    label=self.class_name(row["quadrant"], labels.path),
                    extra={name: more.get(name, "") for name in ("artist", "title", "genresstr", "moodsstr")},
                )
            )
        return found

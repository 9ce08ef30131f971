"""DEAM: MediaEval's clips and songs with valence and arousal, once for each and over time."""

from collections.abc import Mapping, Sequence
from typing import Any

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS, quadrant, wide_series
from mer_jax.data.builders.tables import read_rows, read_table
from mer_jax.data.splits import normalised_group

_AVERAGED = "annotations averaged per song"
_STATIC = [
    f"{_AVERAGED}/song_level/static_annotations_averaged_songs_{ids}.csv" for ids in ("1_2000", "2000_2058")
]
_DYNAMIC = f"{_AVERAGED}/dynamic (per second annotations)"
_YEARS = (2013, 2014, 2015)
EXCHANGED_UP_TO = 1000
"""The last song id whose static valence and arousal are exchanged in the published files."""


class Deam(FetchedBuilder):
    """1744 clips of 45 s and 58 full songs, rated on 1..9, and twice a second in [-1, 1].

    The published static annotations have **valence and arousal exchanged for the songs up to id 1000**: their ``valence_mean``
    equals ``mean_arousal`` of emoMusic, the same clips (r = 0.9998), and their static valence follows the dynamic arousal
    (``mer-jax audit`` shows it on any copy). The default variant puts them right; ``as_shipped`` leaves them. Either way the
    extra columns ``shipped_valence`` and ``shipped_arousal`` hold what the file says. Ids up to 1000 are the clips of emoMusic:
    never train on the one and test on the other.

    Args:
        fix_va_swap: exchange them back; False is the variant "as_shipped".
        **arguments: those of :class:`FetchedBuilder`.
    """

    about = About(
        title="DEAM",
        homepage="https://cvml.unige.ch/databases/DEAM/",
        licence="annotations CC BY-NC; audio Creative Commons, by track",
        citation="A. Aljanaki, Y.-H. Yang, M. Soleymani: Developing a benchmark for emotional analysis of music, PLoS ONE "
        "12(3) e0173392, 2017",
        layout="DEAM_audio.zip (MEMD_audio/<id>.mp3), DEAM_Annotations.zip (annotations/annotations averaged per song/) and "
        "metadata.zip (metadata/metadata_2013.csv, _2014, _2015), unpacked into one folder",
        items={"": 1802, "as_shipped": 1802},
        labels="valence, arousal 1..9, and at 2 Hz",
        groups="artist",
        splits=("mediaeval_2014",),
    )
    classes = QUADRANTS
    rating_range = (1.0, 9.0)
    dynamic_rate_hz = 2.0

    def __init__(self, *, variant: str | None = None, fix_va_swap: bool = True, **arguments: Any) -> None:
        super().__init__(variant=variant or ("" if fix_va_swap else "as_shipped"), **arguments)
        self.fix_va_swap = self.variant != "as_shipped"

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """Static means of both tables, series of the dynamic ones, artists of the three metadata files."""
        series = wide_series(
            archive.file(f"{_DYNAMIC}/valence.csv"), archive.file(f"{_DYNAMIC}/arousal.csv"), rate_hz=2.0
        )
        artists = self._artists(archive)
        audio = archive.audio_by_name("MEMD_audio")
        found = []
        for path in _STATIC:
            table = read_table(archive.file(path), needs=["song_id", "valence_mean", "arousal_mean"])
            for row in table.rows:
                song = row["song_id"]
                shipped = table.number(row, "valence_mean"), table.number(row, "arousal_mean")
                exchanged = self.fix_va_swap and int(song) <= EXCHANGED_UP_TO
                rating = shipped[::-1] if exchanged else shipped
                artist, genre = artists.get(song, ("", ""))
                found.append(
                    Clip(
                        id=song,
                        path=audio.get(song),
                        group=normalised_group(artist),
                        label=quadrant(*rating, self.rating_range),
                        rating=rating,
                        series=series.get(song),
                        parts={"mediaeval_2014": _campaign(int(song))},
                        extra={
                            "artist": artist,
                            "genre": genre,
                            "shipped_valence": shipped[0],
                            "shipped_arousal": shipped[1],
                        },
                    )
                )
        return found

    def _artists(self, archive: Archive) -> Mapping[str, tuple[str, str]]:
        """Artist and genre by song id; rows have any number of cells, so they are read by position."""
        found = {}
        for year in _YEARS:
            path = archive.file(f"metadata_{year}.csv")
            header, *rows = read_rows(path)
            places = [_place(header, name) for name in ("artist", "genre")]
            if places[0] is None:
                raise archive.error("has no column of artists", path)
            for row in rows:
                artist, genre = (
                    "" if at is None or at >= len(row) else row[at].strip('" \t') for at in places
                )
                found[row[0].strip('" \t')] = artist, genre
        return found


def _place(header: Sequence[str], name: str) -> int | None:
    return next((at for at, cell in enumerate(header) if name in cell.lower()), None)


def _campaign(song: int) -> str:
    """MediaEval 2014 trained on the clips of 2013 and tested on a thousand new ones."""
    return "train" if song <= EXCHANGED_UP_TO else "test" if song <= 2000 else ""

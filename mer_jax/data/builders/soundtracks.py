"""Soundtracks: excerpts of film music, rated by listeners; two sets, the second drawn from the first."""

from collections.abc import Mapping, Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS, quadrant
from mer_jax.data.builders.tables import Table, column_name, read_table
from mer_jax.data.splits import normalised_group

_NUMBERS = ("number", "nro", "no")
_ALBUMS = ("soundtrack", "album", "album name", "film")
# In set 2 the one is the same excerpt as, or of the same track as, the other.
_SAME = {95: 10, 88: 84}
_EMOTIONS = ("anger", "fear", "happy", "sad", "tender")


class Soundtracks(FetchedBuilder):
    """360 excerpts (``set1``) or 110 (``set2``) rated on 1..9; energy stands for arousal, further ratings are targets.

    Excerpts of set 2 are also in set 1: never train on the one and test on the other.
    """

    about = About(
        title="Soundtracks (Eerola & Vuoskoski)",
        homepage="https://osf.io/p6vkg",
        licence="CC BY 4.0 on OSF; excerpts of film scores: do not redistribute",
        citation="T. Eerola, J. K. Vuoskoski: A comparison of the discrete and dimensional models of emotion in music, "
        "Psychology of Music 39(1), 2011, doi:10.1177/0305735610362821",
        layout="Set1/001.mp3 to 360.mp3 with mean_ratings_set1.csv and set1_tracklist.csv (or set2/001.mp3 to 110.mp3 with "
        "mean_ratings_set2.csv)",
        items={"set1": 360, "set2": 110},
        labels="valence, energy and 6 emotions 1..9",
        groups="soundtrack",
    )
    classes = QUADRANTS
    rating_range = (1.0, 9.0)
    target_names = ("tension", "anger", "fear", "happy", "sad", "tender")

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """The rated excerpts; their album stands in the ratings of set 2, and in the track list of set 1."""
        table = read_table(
            archive.file(f"mean_ratings_{self.variant}.csv"), needs=["valence", "energy", *self.target_names]
        )
        albums = _albums(table)
        listed = archive.find(f"{self.variant}_tracklist.csv")
        if not albums and listed is not None:
            albums = _albums(read_table(listed))
        audio = {
            int(name): path for name, path in archive.audio_by_name(self.variant).items() if name.isdecimal()
        }
        found = []
        for row in table.rows:
            number = int(table.number(row, _column(table, _NUMBERS)))
            rating = table.number(row, "valence"), table.number(row, "energy")
            first = _SAME.get(number, number) if self.variant == "set2" else number
            target = row.get("target", "").upper()
            found.append(
                Clip(
                    id=f"{number:03d}",
                    path=audio.get(number),
                    group=normalised_group(albums.get(first, "")) or f"excerpt {first:03d}",
                    label=quadrant(*rating, self.rating_range),
                    rating=rating,
                    targets=tuple(table.number(row, name) for name in self.target_names),
                    extra={
                        "target": target,
                        "emotion": next((name for name in _EMOTIONS if name.upper() in target), ""),
                        "album": albums.get(first, ""),
                    },
                )
            )
        return found


def _albums(table: Table) -> Mapping[int, str]:
    """Album by number of the excerpt, if the table has such a column."""
    album = next((name for name in table.columns if name in _ALBUMS), None)
    if album is None:
        return {}
    number = _column(table, _NUMBERS)
    return {int(table.number(row, number)): row[album] for row in table.rows if row[number]}


def _column(table: Table, names: Sequence[str]) -> str:
    """The first of ``names`` that the table has; else its first column."""
    return next((name for name in names if column_name(name) in table.columns), table.columns[0])

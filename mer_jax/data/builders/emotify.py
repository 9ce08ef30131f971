"""Emotify: 400 tracks, and who felt which of nine emotions."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.tables import read_table

GENRES = ("classical", "rock", "electronic", "pop")
"""In the order of the track ids: a hundred each. File numbers begin again in each genre."""
_PER_GENRE = 100
_VOTES = 8407
SAME_RECORDING = {80: 54, 166: 163, 175: 172, 176: 170, 366: 359}
"""Track id -> the earlier track that holds the same recording; ``mer-jax audit`` finds them (correlation .96 to .985).

Such a pair is one group: cut by a split, a model would be tested on what it was trained on.
"""


class Emotify(FetchedBuilder):
    """400 tracks of a minute; targets are the shares of listeners who felt each of the nine GEMS emotions.

    Audio is found as ``<genre>/<number>.mp3`` or ``<genre>_<number>.<extension>``.
    """

    about = About(
        title="Emotify",
        homepage="http://www2.projects.science.uu.nl/memotion/emotifydata/",
        licence="research use; please cite (Magnatune excerpts)",
        citation="A. Aljanaki, F. Wiering, R. C. Veltkamp: Studying emotion induced by music through a crowdsourcing game, "
        "Information Processing and Management 52(1), 2016",
        layout="data.csv and emotifymusic/ with the folders classical, rock, electronic, pop of 1.mp3 to 100.mp3",
        items={"": 400},
        labels="9 emotions, share of votes",
        groups="track; five recordings that stand there twice are one each",
    )
    target_names = (
        *("amazement", "solemnity", "tenderness", "nostalgia", "calmness"),
        *("power", "joyful_activation", "tension", "sadness"),
    )

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """Mean vote of each track."""
        table = read_table(archive.file("data.csv"), needs=["track id", "genre", *self.target_names])
        if len(table.rows) != _VOTES and not self.partial:
            raise archive.error(f"has {len(table.rows)} votes where {_VOTES} were published", table.path)
        votes = defaultdict(list)
        for row in table.rows:
            votes[row["track id"]].append([table.number(row, name) for name in self.target_names])
        audio = {place: path for path in archive.audio() if (place := _place(path))}
        found = []
        for track, cast in votes.items():
            if not track.isdecimal() or not 0 < int(track) <= _PER_GENRE * len(GENRES):
                raise archive.error(f"has votes for a track {track!r}", table.path)
            genre, number = divmod(int(track) - 1, _PER_GENRE)
            recording = SAME_RECORDING.get(int(track), int(track))
            found.append(
                Clip(
                    id=track,
                    path=audio.get((GENRES[genre], number + 1)),
                    group=f"track {recording}",
                    targets=tuple(np.mean(cast, axis=0).tolist()),
                    extra={"genre": GENRES[genre], "votes": float(len(cast))},
                )
            )
        return found


def _place(path: Path) -> tuple[str, int] | None:
    """Genre and number of a file, if that is what its name says."""
    genres = "|".join(GENRES)
    match = re.search(rf"(?:^|/)({genres})[/_](\d+)$", path.with_suffix("").as_posix().casefold())
    return (match[1], int(match[2])) if match else None

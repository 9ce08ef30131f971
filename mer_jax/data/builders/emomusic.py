"""emoMusic ("1000 songs", MediaEval 2013): the clips that are also the first 744 of DEAM."""

import hashlib
import re
from collections.abc import Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS, quadrant, wide_series
from mer_jax.data.builders.tables import read_table
from mer_jax.data.splits import normalised_group


class Emomusic(FetchedBuilder):
    """744 clips of 45 s, rated on 1..9, and twice a second in [-1, 1].

    The split ``marble`` is that of jukemir, which MARBLE took over: 504, 115 and 125 clips on the full set. No artist is in
    both training and validation, but 43 artists are in training and test: the official evaluation part is not cut by artist.
    """

    about = About(
        title="emoMusic (1000 songs)",
        homepage="http://cvml.unige.ch/databases/emoMusic/",
        licence="audio Creative Commons (Free Music Archive), by track; research use",
        citation="M. Soleymani, M. N. Caro, E. M. Schmidt, C.-Y. Sha, Y.-H. Yang: 1000 songs for emotional analysis of music, "
        "CrowdMM 2013, doi:10.1145/2506364.2506365",
        layout="clips_45sec.tar.gz (clips_45seconds/<id>.mp3) and annotations.tar.gz (songs_info.csv, static_annotations.csv, "
        "arousal_cont_average.csv, valence_cont_average.csv), unpacked into one folder",
        items={"": 744},
        labels="valence, arousal 1..9, and at 2 Hz",
        groups="artist",
        splits=("marble", "mediaeval_2013"),
    )
    classes = QUADRANTS
    rating_range = (1.0, 9.0)
    dynamic_rate_hz = 2.0

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """The clips of the static annotations; sound files of songs that were dropped may lie beside theirs."""
        songs = archive.file("songs_info.csv")
        static = read_table(
            archive.file("static_annotations.csv"), needs=["song_id", "mean_arousal", "mean_valence"]
        )
        info = read_table(songs, needs=["song_id", "artist", "genre", "mediaeval 2013 set"])
        known = {row["song_id"]: row for row in info.rows}
        series = wide_series(
            archive.file("valence_cont_average.csv"), archive.file("arousal_cont_average.csv"), rate_hz=2.0
        )
        audio = archive.audio_by_name("clips_45seconds")
        found = []
        for row in static.rows:
            song = row["song_id"]
            if song not in known:
                raise archive.error(f"does not list song {song!r}", songs)
            artist, campaign = known[song]["artist"], known[song]["mediaeval 2013 set"].lower()
            if campaign not in ("development", "evaluation"):
                raise archive.error(f"puts song {song!r} into the set {campaign!r}", songs)
            rating = static.number(row, "mean_valence"), static.number(row, "mean_arousal")
            development = campaign == "development"
            found.append(
                Clip(
                    id=song,
                    path=audio.get(song),
                    group=normalised_group(artist),
                    label=quadrant(*rating, self.rating_range),
                    rating=rating,
                    series=series.get(song),
                    parts={
                        "marble": marble_part(artist) if development else "test",
                        "mediaeval_2013": "train" if development else "test",
                    },
                    extra={"artist": artist, "genre": known[song]["genre"]},
                )
            )
        return found


def marble_part(artist: str) -> str:
    """Where jukemir puts a development clip: 0 to 7 of SHA-1 of the artist, as an integer, modulo 10, train.

    The artist is written in lower case, with ASCII letters and single blanks alone. Source: ``iter_emomusic`` in
    ``jukemir/datasets/__init__.py`` of https://github.com/p-lambda/jukemir.

    >>> marble_part("The New Mystikal Troubadours")
    'validation'
    """
    letters = re.sub(r"[^a-z\s]", "", artist.lower(), flags=re.ASCII)
    name = " ".join(letters.split())
    return "train" if int(hashlib.sha1(name.encode()).hexdigest(), 16) % 10 < 8 else "validation"

"""PMEmo2019: choruses of chart songs with valence and arousal, once for each and over time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mer_jax.checks import DataError
from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.ratings import QUADRANTS, Series, quadrant, series
from mer_jax.data.builders.tables import read_table
from mer_jax.data.catalog import scaled
from mer_jax.data.splits import normalised_group

_CHORUSES = 794
_RATINGS = ("valence(mean)", "arousal(mean)")


class Pmemo(FetchedBuilder):
    """767 rated choruses of 794, in [0, 1], and twice a second; ratings over time begin after 15 s."""

    about = About(
        title="PMEmo2019",
        homepage="https://github.com/HuiZhangDB/PMEmo",
        licence="audio: none stated (chart music), research use; repository MIT",
        citation="K. Zhang, H. Zhang, S. Li, C. Yang, L. Sun: The PMEmo dataset for music emotion recognition, ICMR 2018, "
        "doi:10.1145/3206025.3206037",
        layout="PMEmo2019/ with metadata.csv, chorus/<id>.mp3, annotations/static_annotations.csv and "
        "annotations/dynamic_annotations.csv",
        items={"": 767},
        labels="valence, arousal 0..1, and at 2 Hz",
        groups="artist",
    )
    classes = QUADRANTS
    rating_range = (0.0, 1.0)
    dynamic_rate_hz = 2.0
    dynamic_rating_range = (0.0, 1.0)

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """The choruses with static ratings; the rest has audio and no labels."""
        if archive.find("annotations/static_annotations.csv") is None and archive.find(
            "annotations/arousal/1-a.csv"
        ):
            raise archive.error("is the release of 2018, whose files are arranged otherwise")
        static = read_table(archive.file("annotations/static_annotations.csv"), needs=["musicid", *_RATINGS])
        metadata = read_table(archive.file("metadata.csv"), needs=["musicid", "title", "artist"])
        over_time = _series(archive.file("annotations/dynamic_annotations.csv"), self.rating_range)
        if len(metadata.rows) != _CHORUSES and not self.partial:
            raise archive.error(f"lists {len(metadata.rows)} choruses, not {_CHORUSES}", metadata.path)
        known = {row["musicid"]: row for row in metadata.rows}
        audio = archive.audio_by_name("chorus")
        found = []
        for row in static.rows:
            song = row["musicid"]
            if song not in known:
                raise archive.error(f"does not list song {song!r}", metadata.path)
            rating = static.number(row, _RATINGS[0]), static.number(row, _RATINGS[1])
            found.append(
                Clip(
                    id=song,
                    path=audio.get(song),
                    group=normalised_group(known[song]["artist"]),
                    label=quadrant(*rating, self.rating_range),
                    rating=rating,
                    series=over_time.get(song),
                    extra={name: known[song].get(name, "") for name in ("artist", "title", "album")},
                )
            )
        return found


def _series(path: Path, scale: tuple[float, float]) -> Mapping[str, Series]:
    """Ratings over time by song: a row a moment, twice a second."""
    table = read_table(path, needs=["musicid", "frametime", *_RATINGS])
    moments: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for row in table.rows:
        rating = (scaled(table.number(row, name), scale) for name in _RATINGS)
        moments[row["musicid"]].append((table.number(row, "frametime"), *rating))
    found = {}
    for song, rows in moments.items():
        times, values = np.split(np.array(sorted(rows)), [1], axis=1)
        if len(rows) > 1 and not np.allclose(np.diff(times[:, 0]), 0.5):
            raise DataError(path, f"song {song!r} is not rated every half second")
        found[song] = series(times[:, 0], values)
    return found

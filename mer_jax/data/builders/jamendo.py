"""MTG-Jamendo, mood and theme: full tracks with any of 56 tags."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder
from mer_jax.data.builders.tables import read_rows

# Alphabetical: the order of columns in published scores.
TAGS = (
    *("action", "adventure", "advertising", "background", "ballad", "calm", "children", "christmas"),
    *("commercial", "cool", "corporate", "dark", "deep", "documentary", "drama", "dramatic", "dream"),
    *("emotional", "energetic", "epic", "fast", "film", "fun", "funny", "game", "groovy", "happy", "heavy"),
    *("holiday", "hopeful", "inspiring", "love", "meditative", "melancholic", "melodic", "motivational"),
    *("movie", "nature", "party", "positive", "powerful", "relaxing", "retro", "romantic", "sad", "sexy"),
    *("slow", "soft", "soundscape", "space", "sport", "summer", "trailer", "travel", "upbeat", "uplifting"),
)
_SPLITS = tuple(f"split-{number}" for number in range(5))
_TAG = "mood/theme---"


class Jamendo(FetchedBuilder):
    """17,982 tracks of the five splits (``split-0`` is the benchmark); targets are 1 or 0 for each tag.

    The variant "low" reads the mono files of lower bit rate (``<id>.low.mp3``).
    """

    about = About(
        title="MTG-Jamendo mood/theme",
        homepage="https://github.com/MTG/mtg-jamendo-dataset",
        licence="audio Creative Commons, by track; metadata CC BY-NC-SA 4.0",
        citation="D. Bogdanov, M. Won, P. Tovstogan, A. Porter, X. Serra: The MTG-Jamendo dataset for automatic music tagging, "
        "ML4MD workshop at ICML 2019",
        layout="the repository's data/splits/split-0 to split-4 (autotagging_moodtheme-train.tsv, -validation, -test), and the "
        "unpacked audio: 48/948.mp3 (or 48/948.low.mp3)",
        items={"": 17982, "low": 17982},
        labels="56 tags",
        groups="artist",
        splits=_SPLITS,
    )
    target_names = TAGS

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """The tracks of all splits. Rows have a cell for each tag, so they are read by position."""
        parts: dict[str, dict[str, str]] = {}
        rows: dict[str, list[str]] = {}
        for split in _SPLITS:
            for part in ("train", "validation", "test"):
                path = archive.file(f"{split}/autotagging_moodtheme-{part}.tsv")
                for row in read_rows(path)[1:]:
                    if len(row) < 6:
                        raise archive.error(f"has a row of {len(row)} cells: {row}", path)
                    rows[row[0]] = row
                    parts.setdefault(row[0], {})[split] = part
        audio = self._audio(archive)
        return [
            Clip(
                id=track,
                path=audio.get(row[3].removesuffix(".mp3")),
                group=row[1],
                targets=_targets(row[5:]),
                parts=parts[track],
                extra={"artist": row[1], "album": row[2]},
            )
            for track, row in rows.items()
        ]

    def _audio(self, archive: Archive) -> Mapping[str, Path]:
        """Files by ``<folder>/<id>``; the folder is the id modulo 100."""
        ending = ".low" if self.variant == "low" else ""
        found = {}
        for path in archive.audio():
            if path.stem.endswith(".low") == bool(ending) and re.fullmatch(r"\d\d", path.parent.name):
                found[f"{path.parent.name}/{path.stem.removesuffix(ending)}"] = path
        return found


def _targets(cells: Sequence[str]) -> tuple[float, ...]:
    """1 or 0 for each of the 56 tags; tags beyond them are passed over, as in the splits' own definition."""
    tags = {cell.removeprefix(_TAG) for cell in cells}
    return tuple(float(tag in tags) for tag in TAGS)

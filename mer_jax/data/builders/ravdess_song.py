"""RAVDESS, its sung part: two sentences in six emotions by 23 actors."""

import re
from collections.abc import Sequence

from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.fetched import About, Clip, FetchedBuilder

# modality-channel-emotion-intensity-statement-repetition-actor; channel 02 is song.
_NAME = re.compile(r"0\d-02-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


class RavdessSong(FetchedBuilder):
    """1012 recordings of 4 to 7 s; file names say everything. Group is the actor."""

    about = About(
        title="RAVDESS song",
        homepage="https://zenodo.org/records/1188976",
        licence="CC BY-NC-SA 4.0",
        citation="S. R. Livingstone, F. A. Russo: The Ryerson audio-visual database of emotional speech and song (RAVDESS), "
        "PLoS ONE 13(5) e0196391, 2018",
        layout="Audio_Song_Actors_01-24.zip: Actor_01 to Actor_24 (no Actor_18) of 03-02-01-01-01-01-01.wav and the like",
        items={"": 1012},
        labels="6 emotions",
        groups="actor",
    )
    classes = ("neutral", "calm", "happy", "sad", "angry", "fearful")

    def clips(self, archive: Archive) -> Sequence[Clip]:
        """All recordings of song; those of speech, which may lie beside them, are passed over."""
        found = []
        for name, path in archive.audio_by_name().items():
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            emotion, intensity, statement, _, actor = match.groups()
            if int(emotion) > len(self.classes):
                raise archive.error(f"has a song with the emotion {emotion}, which only speech has", path)
            found.append(
                Clip(
                    id=name,
                    path=path,
                    group=f"actor {actor}",
                    label=self.classes[int(emotion) - 1],
                    extra={
                        "intensity": "normal" if intensity == "01" else "strong",
                        "statement": statement,
                        "sex": "male" if int(actor) % 2 else "female",
                    },
                )
            )
        if not found:
            raise archive.error("holds no recordings of song")
        return found

"""Write the manifest of an EMOPIA audio folder: quadrant and song are read from the file names.

A clip is called ``Q<quadrant>_<YouTube id>_<segment>``; the id itself may contain ``_`` or start with ``-``, so only the first
and the last field are cut off. The group is the song (the YouTube id alone: some songs have clips in several quadrants).

Example:
    python experiments/emopia_manifest.py EMOPIA/audio emopia.csv
    mer-jax train --data emopia.csv --clip-s 15 --out runs/emopia_time_domain
"""

import sys
from pathlib import Path

import tyro
from tyro.conf import Positional

from mer_jax import audio, checks
from mer_jax.data import manifest


def song_and_quadrant(name: str) -> tuple[str, str]:
    """``"Q2_L3_TadjSQQ0_0"`` -> ``("L3_TadjSQQ0", "Q2")``."""
    quadrant, _, rest = name.partition("_")
    song, _, segment = rest.rpartition("_")
    if quadrant not in {"Q1", "Q2", "Q3", "Q4"} or not song or not segment.isdigit():
        raise checks.DataError(name, "is not an EMOPIA clip name", expected="Q<1-4>_<YouTube id>_<segment>")
    return song, quadrant


def main(audio_dir: Positional[Path], out: Positional[Path]) -> None:
    """Write ``out`` (path,label,group) for every audio file of ``audio_dir``."""
    files = sorted(p for p in audio_dir.glob("Q*") if p.suffix.lower() in audio.AUDIO_EXTENSIONS)
    if not files:
        raise checks.DataError(
            audio_dir, "holds no EMOPIA clips", expected="files such as Q1_0vLPYiPN7qY_0.ogg"
        )
    rows = []
    for path in files:
        song, quadrant = song_and_quadrant(path.stem)
        rows.append({"path": path.resolve(), "label": quadrant, "group": song, "id": path.stem})
    manifest.write(out, rows)
    print(f"{out}: {len(rows)} clips of {len({row['group'] for row in rows})} songs")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"emopia_manifest: {error}")

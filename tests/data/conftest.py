from pathlib import Path

import pytest
import soundfile
from small_sets import SR, tone


@pytest.fixture
def mood_folder(tmp_path) -> Path:
    """Two classes of 12 clips, 0.5 s to 1.6 s long, with what archives and file managers leave behind."""
    folder = tmp_path / "moods"
    for label, name in enumerate(("Happy", "Sad")):
        (folder / name / "disc 2").mkdir(parents=True)
        for i in range(12):
            place = folder / name / ("disc 2" if i >= 9 else "")
            soundfile.write(place / f"{name[0]}{i:02d}.flac", tone(20 * label + i, 0.5 + 0.1 * i), SR)
        (folder / name / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / name / "Thumbs.db").write_bytes(b"x")
        (folder / name / "._H00.flac").write_bytes(b"resource fork")
        (folder / name / "notes.txt").write_text("not audio")
    (folder / "__MACOSX" / "Happy").mkdir(parents=True)
    (folder / "__MACOSX" / "Happy" / "._H00.flac").write_bytes(b"resource fork")
    return folder

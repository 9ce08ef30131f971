"""What the audit misses and what it mistakes, on real music: clips are encoded anew and looked for among the originals.

    python experiments/audit_rates.py EMOPIA/audio EMOTIFY/audio --every 6 --out audit_rates.json      # minutes on 2 cores

Each encoding is applied to one clip in ``every``, after a resampling, a gain and up to 0.13 s of silence before it; excerpts
are cut out before that. A clip is found if it and its original are reported as one recording; a pair of other clips that is
reported as one recording is false unless the originals themselves are reported so.
"""

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import tyro
from tyro.conf import Positional

from mer_jax import audio, checks
from mer_jax.data.atomic import atomic_path
from mer_jax.data.audit import listening, pairing
from mer_jax.data.catalog import Catalog
from mer_jax.data.files import FileSource
from mer_jax.machine import describe_machine, describe_versions


@dataclass(frozen=True)
class Encoding:
    """How a copy is made: libsndfile's format, rate, gain and compression level (0 best, 1 smallest), and what is cut out."""

    format: str
    subtype: str
    sr: int
    gain: float
    level: float | None
    excerpt_s: float | None = None


ENCODINGS = (
    Encoding("MP3", "MPEG_LAYER_III", 44100, 0.5, 0.0),
    Encoding("MP3", "MPEG_LAYER_III", 32000, 1.0, 0.7),
    Encoding("MP3", "MPEG_LAYER_III", 16000, 0.5, 0.9),
    Encoding("OGG", "VORBIS", 32000, 0.3, 1.0),
    Encoding("OGG", "VORBIS", 8000, 0.7, 0.5),
    Encoding("OGG", "OPUS", 48000, 0.6, 0.8),
    Encoding("OGG", "OPUS", 48000, 0.6, 0.9),
    Encoding("OGG", "OPUS", 48000, 0.6, 0.95),
    Encoding("WAV", "PCM_U8", 11025, 0.2, None),
    Encoding("MP3", "MPEG_LAYER_III", 32000, 1.0, 0.7, 10.0),
    Encoding("MP3", "MPEG_LAYER_III", 32000, 1.0, 0.7, 5.0),
)


class Copies:
    """Encoded anew when they are asked for: the source of a catalog at the encoding's rate."""

    def __init__(self, paths: list[Path], encoding: Encoding) -> None:
        self.paths, self.encoding = paths, encoding
        self.bits_per_second: list[float] = []

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> np.ndarray:
        how = self.encoding
        y, sr = audio.load(self.paths[row], sr=None)
        draw = np.random.default_rng(row)
        if how.excerpt_s is not None:
            length = round(how.excerpt_s * sr)
            begin = int(draw.integers(max(1, len(y) - length)))
            y = y[begin : begin + length]
        y = how.gain * soxr.resample(y, sr, how.sr).astype(np.float32)
        y = np.pad(y, (int(draw.integers(round(0.13 * how.sr))), 0))
        file = io.BytesIO()
        options = {} if how.level is None else {"compression_level": how.level}
        with soundfile.SoundFile(file, "w", how.sr, 1, how.subtype, format=how.format, **options) as out:
            out.write(y)
        self.bits_per_second.append(8 * file.tell() / (len(y) / how.sr))
        file.seek(0)
        return soundfile.read(file, dtype="float32")[0]


def catalog(name: str, paths: list[Path], source: Any, sr: int) -> Catalog:
    """Clips of no class, each a group."""
    ids = tuple(path.stem for path in paths)
    return Catalog(name, (), ids, ids, np.full(len(ids), -1, np.int32), None, sr, None, source)


def measure(paths: list[Path], every: int, encoding: Encoding, heard: list, known: set) -> dict[str, Any]:
    """Look for encoded clips among the originals."""
    source = Copies(paths[::every], encoding)
    copies = catalog("copies", source.paths, source, encoding.sr)
    originals = catalog("originals", paths, FileSource(paths, sr=22050), 22050)
    found = pairing.matches([originals, copies], [heard, listening.listen(copies)])
    of_copy = {len(paths) + i: i * every for i in range(len(source.paths))}
    right = {of_copy[m.second]: m for m in found if m.second in of_copy and of_copy[m.second] == m.first}
    same = {row: m for row, m in right.items() if m.same_recording}
    others = {
        (of_copy.get(m.first, m.first), of_copy.get(m.second, m.second)) for m in found if m.same_recording
    }
    wrong = [pair for pair in others if pair[0] != pair[1] and tuple(sorted(pair)) not in known]
    return {
        **vars(encoding),
        "kbit_per_s": round(float(np.mean(source.bits_per_second)) / 1000, 1),
        "clips": len(source.paths),
        "found": len(same),
        "alike_only": len(right) - len(same),
        "false": len(wrong),
        "bit_error_rate": _quantiles([m.bit_error_rate for m in right.values()]),
        "correlation": _quantiles([abs(m.correlation) for m in right.values()]),
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    return {
        name: round(float(np.quantile(values, q)), 3) for name, q in (("min", 0), ("median", 0.5), ("max", 1))
    }


def main(folders: Positional[tuple[Path, ...]], out: Path, every: int = 6) -> None:
    """Measure each data set and write ``out``.

    Args:
        folders: audio folders, one a data set.
        out: JSON file to write.
        every: take one clip in this many.
    """
    results = {}
    for folder in folders:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in audio.AUDIO_EXTENSIONS)
        originals = catalog("originals", paths, FileSource(paths, sr=22050), 22050)
        heard = listening.listen(originals)
        known = {(m.first, m.second) for m in pairing.matches([originals], [heard]) if m.same_recording}
        rows = []
        for encoding in ENCODINGS:
            rows.append(measure(paths, every, encoding, heard, known))
            print(folder.parent.name, rows[-1], flush=True)
        results[folder.parent.name] = {"clips": len(paths), "copies": len(known), "encodings": rows}
    with atomic_path(out) as temporary:
        facts = {"machine": describe_machine(), "versions": describe_versions(), "results": results}
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except checks.InputError as error:
        sys.exit(f"audit_rates: {error}")

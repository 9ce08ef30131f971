"""How fast data sets are prepared and read back, and what memory that takes.

    python experiments/benchmark/preparing.py --emotify EMOTIFY           # the folder with data.csv and the audio; some minutes

Every measurement is a process of its own, so that its peak memory is its own. Results: results/preparing.json.

* ``prepare_ogg``: the folder as it is. ``prepare_mp3``: 400 files of 60 s, 44.1 kHz stereo, 128 kbit/s, made from it: as the
  archive has them.
* ``read``: the prepared set through the Grain pipeline, shuffled, whole clips in batches of 16, nothing kept in memory
  (``read_kept``: kept, after the first epoch).
* ``prepare_20000`` and ``read_20000``: 20,000 made-up clips of 10 s, for the memory; ``prepare_long``: MP3 files of 20 minutes.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from mer_jax import audio, machine
from mer_jax.data import loading
from mer_jax.data.catalog import Catalog
from mer_jax.data.pipeline import Loader
from mer_jax.data.prepare import prepare

RESULTS = Path(__file__).parent / "results" / "preparing.json"
SR = 22050
BATCH = 16
DISTINCT = 20


class Made:
    """Clips that cost nothing to make."""

    def __init__(self, count: int, num_samples: int) -> None:
        self.count, self.num_samples = count, num_samples

    def __len__(self) -> int:
        return self.count

    def clip(self, row: int) -> np.ndarray:
        """A clip in 16 bits."""
        return np.full(self.num_samples, row % 1000, np.int16)


def made_up(count: int, seconds: float) -> Catalog:
    return Catalog(
        name="made up",
        classes=("a", "b"),
        ids=tuple(f"clip {i}" for i in range(count)),
        groups=tuple(f"song {i // 3}" for i in range(count)),
        labels=(np.arange(count) % 2).astype(np.int32),
        valence_arousal=None,
        sr=SR,
        durations_s=np.full(count, seconds),
        source=Made(count, int(seconds * SR)),
    )


def as_mp3(source: Path, target: Path, *, files: int, seconds: float) -> None:
    """Write ``files`` MP3s like those of the archive; after the first twenty, copies of them."""
    import soundfile

    originals = sorted((source / "audio").iterdir())[:: 400 // DISTINCT]
    for number in range(files):
        genre, place = ("classical", "rock", "electronic", "pop")[number // 100], number % 100 + 1
        path = target / "emotifymusic" / genre / f"{place}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number >= DISTINCT:
            before = target / "emotifymusic" / "classical" / f"{number % DISTINCT + 1}.mp3"
            path.write_bytes(before.read_bytes())
            continue
        y = audio.load(originals[number % DISTINCT], sr=44100)[0]
        y = np.resize(y, int(44100 * seconds))
        stereo = np.stack([y, np.roll(y, 20)], axis=1)
        soundfile.write(
            path,
            stereo,
            44100,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="CONSTANT",
            compression_level=0.6,
        )
    (target / "data.csv").write_bytes((source / "data.csv").read_bytes())


def prepare_named(source: str, out: str) -> tuple[float, float]:
    return timed(lambda: prepare("emotify", out, manual_dir=source, partial=True).seconds)


def prepare_made(out: str) -> tuple[float, float]:
    return timed(lambda: prepare(made_up(20_000, 10.0), out).seconds)


def read(folder: str, steps: str, budget_mib: str) -> tuple[float, float]:
    """Some batches after as many others; with a budget for decoded audio, the ones before are a whole epoch."""
    catalog = loading.open_catalog(folder, sr=SR, read_headers=False)
    clip_s = float(np.median(catalog.durations_s))
    loader = Loader(
        catalog,
        range(len(catalog)),
        batch_size=BATCH,
        num_samples=int(clip_s * SR),
        shuffle=True,
        seed=0,
        crop="center",
        drop_remainder=True,
        budget_bytes=int(budget_mib) << 20,
    )
    batches = iter(loader)

    def take(count: int) -> float:
        for _ in range(count):
            next(batches)
        return BATCH * count * clip_s

    take(loader.steps_per_epoch if int(budget_mib) else 3)
    return timed(lambda: take(int(steps)))


JOBS = {"prepare_named": prepare_named, "prepare_made": prepare_made, "read": read}


def timed(work: Callable[[], float]) -> tuple[float, float]:
    """Seconds of audio that ``work`` went through, and seconds that it took."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def job(name: str, *arguments: str) -> None:
    """In the process that is measured."""
    seconds, wall_s = JOBS[name](*arguments)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"audio_s": round(seconds), "wall_s": round(wall_s, 2), "times_real_time": round(seconds / wall_s)}
    print(json.dumps({**told, "peak_mib": round(peak_mib)}))


def measured(name: str, *arguments: str | Path) -> dict:
    command = [sys.executable, __file__, "--job", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@dataclass
class Options:
    """Command line."""

    emotify: Path
    """The folder with data.csv and the audio of Emotify."""
    scratch: Path | None = None
    """Where to write (12 GB for a while); the system's folder for temporary files unless given."""
    skip_large: bool = False
    """Leave out the 20,000 clips and the long files."""


def main(options: Options) -> None:
    told = {"machine": machine.describe_machine(), "versions": machine.describe_versions(), "rows": {}}

    def note(name: str, result: dict) -> None:
        told["rows"][name] = result
        print(name, result, flush=True)
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")

    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        place = Path(scratch)
        as_mp3(options.emotify, place / "mp3", files=400, seconds=60.0)
        note("prepare_ogg", measured("prepare_named", options.emotify, place / "ogg"))
        note("prepare_mp3", measured("prepare_named", place / "mp3", place / "prepared"))
        note("read", measured("read", place / "prepared", 75, 0))
        note("read_kept", measured("read", place / "ogg", 200, 2048))
        if not options.skip_large:
            note("prepare_20000", measured("prepare_made", place / "large"))
            note("read_20000", measured("read", place / "large", 400, 0))
            as_mp3(options.emotify, place / "long", files=8, seconds=1200.0)
            note("prepare_long", measured("prepare_named", place / "long", place / "long_prepared"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        job(*sys.argv[2:])
    else:
        main(tyro.cli(Options))

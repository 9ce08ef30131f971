"""The ``export`` command."""

from collections.abc import Sequence
from pathlib import Path

from mer_jax.export import archive
from mer_jax.export.writing import write


def command(run: Path, *, out: Path, platforms: Sequence[str]) -> None:
    """Write the file and say what is in it."""
    write(run, out, platforms=platforms)
    metadata = archive.read_metadata(out)
    print(
        f"{out}: {metadata['task']} of windows of {metadata['num_samples'] / metadata['sr']:g} s at {metadata['sr']} Hz; "
        f"programs for {', '.join(metadata['programs'])}; {out.stat().st_size / 1e6:.1f} MB"
    )

"""What ``mer-jax weights`` does: one file of VGG19 weights, downloaded or local, into a folder of converted ones."""

import tempfile
from pathlib import Path

from mer_jax import checks
from mer_jax.models.pretrained.converted import check_new, convert, read_converted
from mer_jax.models.pretrained.download import CHECKSUM, URL, fetch
from mer_jax.models.pretrained.reading import sha256_of
from mer_jax.models.vgg19 import WeightRecord


def command(out: Path, *, file: Path | None, url: str | None, checksum: str | None) -> None:
    """Convert ``file``, or what is at ``url``, into ``out``; what is there already is kept.

    Args:
        out: the folder of converted weights.
        file: a local weight file; None downloads.
        url: address to download from; None is the file that Keras publishes.
        checksum: of the file at ``url``; None is that of the file that Keras publishes.

    Raises:
        mer_jax.checks.ArgumentError: both ``file`` and an address.
        mer_jax.checks.CheckpointError: the file cannot be had or used, or ``out`` holds something else.
    """
    if file and (url or checksum):
        raise checks.ArgumentError("--file", "is given with --url or --checksum", expected="one or the other")
    url = url or URL
    record = _present(out)
    if record and (record.sha256 == sha256_of(file) if file else record.url == url):
        print(f"{out} holds these weights already: {_shown(record)}")
        return
    check_new(out)
    if file:
        record = convert(file, out)
    else:
        print(f"downloading {url}", flush=True)
        with tempfile.TemporaryDirectory(prefix="mer_jax_weights_") as folder:
            record = convert(fetch(url, Path(folder), checksum=checksum or CHECKSUM), out, url=url)
    print(f"wrote {out}: {_shown(record)}")


def _present(out: Path) -> WeightRecord | None:
    """The record of the weights in ``out``, whose checksum is compared; None where there are none."""
    return read_converted(out)[1] if (out / "0").is_dir() else None


def _shown(record: WeightRecord) -> str:
    return f"{record.file} ({record.origin}; sha256 {record.sha256[:12]}...)"

"""The folder of a run or a study: claimed by one configuration, its JSON files whole or not there."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mer_jax import checks, config
from mer_jax.data.atomic import atomic_path


def claim(out: Path, settings: Any, *, resume: bool) -> None:
    """Make a folder one configuration's own: nothing that is there is overwritten by another.

    Args:
        out: the folder.
        settings: a configuration with a field ``out``.
        resume: the folder must hold this configuration already, rather than none.

    Raises:
        mer_jax.checks.ConfigError: the folder holds something already, nothing to resume, or other settings.
    """
    path = out / "config.json"
    if path.exists():
        before = config.from_json(path.read_text(encoding="utf-8"), where=path, build=type(settings))
        if not resume:
            raise checks.ConfigError(
                out, "holds a run already", remedy="go on with --resume, or choose another --out"
            )
        if dataclasses.replace(before, out=settings.out) != settings:
            raise checks.ConfigError(
                out,
                "holds a run with other settings",
                remedy="resume with the same flags, or choose another --out",
            )
        return
    if resume:
        raise checks.ConfigError(out, "holds no run to go on with", remedy="start it without --resume")
    write_config(out, settings)


def write_config(out: Path, settings: Any) -> None:
    """Write ``config.json`` into a folder, which is made if it is not there."""
    with atomic_path(out / "config.json") as temporary:
        temporary.write_text(config.to_json(settings), encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON; whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")

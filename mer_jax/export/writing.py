"""Writing an exported run: checks, programs, and what has to be known of them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jax import export as jax_export

from mer_jax import checks, experiment, machine
from mer_jax.experiment import TrainedRun, folder
from mer_jax.export import archive, lowering
from mer_jax.export.loaded import require_flatbuffers

# Fields of a configuration that are paths: only the last part goes into the file.
_PATHS = ("data", "out", "start_from", "base_weights")


def write(run: str | Path, out: str | Path, *, platforms: Sequence[str]) -> Path:
    """See :func:`mer_jax.export.export`."""
    out = Path(out)
    chosen = _check_platforms(platforms)
    if out.exists():
        raise checks.ConfigError(out, "exists already", remedy="choose another --out, or delete it")
    require_flatbuffers()
    trained = experiment.restore(run)
    _check_run(trained)
    programs = {platform: lowering.lower(trained, platform) for platform in chosen}
    weights = lowering.weights_of(trained)
    archive.write(
        out,
        describe(trained, programs, weights),
        weights,
        {platform: program.serialize() for platform, program in programs.items()},
    )
    return out


def _check_platforms(platforms: Sequence[str]) -> list[str]:
    if isinstance(platforms, str) or not platforms:
        raise checks.ArgumentError(
            "platforms", f"is {platforms!r}", expected=f"some of {', '.join(archive.PLATFORMS)}"
        )
    for platform in platforms:
        checks.one_of("platforms", platform, archive.PLATFORMS)
    return list(dict.fromkeys(platforms))


def _check_run(trained: TrainedRun) -> None:
    if trained.config.backend != "jax":
        raise checks.CheckpointError(
            trained.path,
            f"was trained with --backend {trained.config.backend}, whose features torch computes: no XLA program holds them",
            expected="a run whose features are computed by jax",
            remedy="train it again with --backend jax (the same features to 1e-5), then export that",
        )
    if "finished" not in trained.facts:
        raise checks.CheckpointError(
            trained.path,
            "was not trained to its end",
            expected="a finished run",
            remedy="go on with 'mer-jax train ... --resume', then export it",
        )


def describe(
    trained: TrainedRun, programs: Mapping[str, jax_export.Exported], weights: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The metadata of an exported run, as docs/export.md explains it."""
    first = next(iter(programs.values()))
    facts, known = trained.facts, trained.facts["data"]
    return {
        **trained.signature.to_json(),
        "arguments": {
            "weights": f"{len(weights)} arrays of weights.npz by name",
            "waveforms": _shape(first.in_avals[-2]),
            "lengths": _shape(first.in_avals[-1]),
        },
        "result": _shape(first.out_avals[0]),
        "programs": {
            platform: {
                "file": archive.program_name(platform),
                "algorithms": lowering.ALGORITHMS[platform],
                "calling_convention_version": program.calling_convention_version,
            }
            for platform, program in programs.items()
        },
        "num_weights": sum(x.size for x in weights.values()),
        "run": {
            "name": trained.path.resolve().name,
            "checkpoint": "best",
            "epoch": facts.get("best_epoch"),
            "finished": facts["finished"],
            "data": known["name"],
            "synthetic": known["synthetic"],
            "trained_with": facts["versions"],
            "config": _config(trained),
        },
        "versions": {
            k: v
            for k, v in machine.describe_versions().items()
            if k in ("python", "mer_jax", "jax", "jaxlib", "flax", "numpy")
        },
        "written": folder.now(),
    }


def _shape(aval: Any) -> str:
    """Type and shape, such as ``float32 (b, 22050)``."""
    return f"{aval.dtype} ({', '.join(map(str, aval.shape))}{',' if len(aval.shape) == 1 else ''})"


def _config(trained: TrainedRun) -> dict[str, Any]:
    """The configuration; of paths the last part alone: a file that is handed on names no folder of this machine."""
    stored = json.loads(json.dumps(dataclasses.asdict(trained.config), default=str))
    return stored | {name: Path(stored[name]).name for name in _PATHS if stored[name] is not None}

"""Cross-validation of one configuration: every fold the test part in turn, repeated over seeds."""

import dataclasses
import json
from pathlib import Path

from mer_jax import checks, config
from mer_jax.evaluation import repeated, run_facts, text_table
from mer_jax.experiment import folder, together


def cross_validate(
    run: str | Path,
    *,
    folds: int = 10,
    seeds: int = 1,
    progress: bool = True,
    population: together.Population = "auto",
) -> Path:
    """Train the configuration of a run on every fold, under several seeds, and score all of them together.

    The test part of fold k and seed s is fold k of ``StratifiedGroupKFold(folds, shuffle=True, random_state=s)``; ``s`` seeds
    the training too. What is finished is kept: the same call after an interruption goes on where it stopped.

    Args:
        run: a run folder, whose ``config.json`` is taken.
        folds: number of folds; each is the test part once a seed.
        seeds: seeds 0 to ``seeds - 1``.
        progress: show progress.
        population: "auto" trains the splits together where that is quicker (:mod:`.together`), "off" one after the other.

    Returns:
        The folder ``crossval`` of the run: a run folder for each split, and ``crossval.json`` with the scores
        (:func:`mer_jax.evaluation.repeated.summarise`).

    Raises:
        mer_jax.checks.InputError: the run, or its data, cannot be used.
    """
    checks.positive_int("folds", folds, minimum=2)
    checks.positive_int("seeds", seeds)
    path = Path(run) / "config.json"
    if not path.is_file():
        raise checks.CheckpointError(
            run, "has no config.json", expected="a run folder written by mer-jax train"
        )
    settings = config.from_json(path.read_text(encoding="utf-8"), where=path)
    out = Path(run) / repeated.FOLDER
    runs = [
        dataclasses.replace(
            settings,
            split="grouped",
            folds=folds,
            fold=fold,
            seed=seed,
            out=out / f"folds{folds}" / f"fold{fold}_seed{seed}",
        )
        for seed in range(seeds)
        for fold in range(folds)
    ]
    # Its report is the last thing that a run writes.
    left = [one for one in runs if not (one.out / "report.html").is_file()]
    done = len(runs) - len(left)
    if progress and done:
        print(f"{done} of {len(runs)} were done before", flush=True)
    for one in together.run_all(left, population=population, say=print if progress else None):
        done += 1
        if progress:
            print(f"{done} of {len(runs)}: fold {one.fold} of {folds}, seed {one.seed}", flush=True)
    finished = [one.out for one in runs]
    folder.write_json(out / repeated.FILE_NAME, repeated.summarise(finished, folder=out))
    return out


def describe(out: Path) -> str:
    """The scores of a cross-validation as text."""
    found = json.loads((out / repeated.FILE_NAME).read_text(encoding="utf-8"))
    rows = []
    for metric, value in found["scores"].items():
        span, over = found["intervals"][metric], found["over_splits"].get(metric)
        rows.append(
            [
                metric,
                run_facts.number(value),
                "" if span is None else f"{span[0]:.3f} to {span[1]:.3f}",
                "" if over is None else f"{over['mean']:.3f}, {over['low']:.3f} to {over['high']:.3f}",
            ]
        )
    lines = text_table.columns(["", "pooled", "95 % (songs)", "mean over splits, 95 %"], rows)
    lines.append(
        f"{found['num_clips']} clips of {found['num_groups']} groups, {len(found['splits'])} splits: {out}"
    )
    return "\n".join(lines)

"""The report of a sweep: what won and by how much, every candidate's course, where good settings lie."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_jax import config
from mer_jax.data.atomic import atomic_path
from mer_jax.evaluation import html, run_facts, text_table
from mer_jax.evaluation.report import SYNTHETIC
from mer_jax.evaluation.shared_sections import SharedSections
from mer_jax.sweep import plots
from mer_jax.sweep.config import SweepConfig, Values
from mer_jax.sweep.flags import flags_of
from mer_jax.sweep.halving import best_first

FILE_NAME = "sweep.json"

_HEADER = ["Candidate", "Learning rate", "Weight decay", "Dropout"]
_NAMES = {
    "learning_rate": "Learning rate",
    "weight_decay": "Weight decay",
    "dropout": "Dropout",
}


def write(out: Path) -> Path:
    """Write ``report.html`` and its pictures from ``sweep.json``."""
    found = read(out)
    note = SYNTHETIC if found["data"]["synthetic"] in ("yes", True) else ""
    page = html.Page(title="Hyper-parameters searched", subtitle=_subtitle(found), label=note)
    sections = SharedSections(path=out, classes=tuple(found["data"]["classes"]), page=page, note=note)
    page.section(
        "Winner",
        html.tiles(_tiles(found)),
        html.paragraph(_explained(found), class_="note"),
        page.table("The best candidates", *_table(found, 5), align="lrrrrrr"),
        html.paragraph(
            "Its run folder is ",
            html.element("code", found["winner"]["folder"]),
            "; to train it anew (the same but for rounding):",
        ),
        html.code_block(command(out)),
    )
    caption = f"Validation {found['monitor']} of every candidate by epoch; vertical lines: where candidates were dropped."
    figures = [
        sections.picture("courses", lambda **look: plots.courses(found, **look), alt=caption, caption=caption)
    ]
    for x, y in (("learning_rate", "weight_decay"), ("learning_rate", "dropout")):

        def draw(x=x, y=y, **look) -> bytes:
            return plots.values(found, (x, _NAMES[x]), (y, _NAMES[y]), **look)

        caption = (
            f"{_NAMES[x]} and {_NAMES[y].lower()} of every candidate; colour: rank after the first rung, "
            "size: how many rungs it was taken to."
        )
        figures.append(sections.picture(f"{x}_{y}", draw, alt=caption, caption=caption))
    page.section("Candidates", html.gallery(figures))
    page.section("All candidates", page.table("Best first", *_table(found, None), align="lrrrrrr"))
    page.section("Rungs", page.table("When candidates were dropped", *_rungs(found), align="rrrr"))
    page.section("Settings", html.code_block((out / "config.json").read_text(encoding="utf-8")))
    facts = {
        key: found[key] for key in ("seed", "split", "fold", "folds", "versions", "hardware") if key in found
    }
    page.section("Run", html.code_block(json.dumps(facts, indent=1)))
    target = out / "report.html"
    with atomic_path(target) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")
    return target


def read(out: Path) -> dict[str, Any]:
    """The record of a finished sweep."""
    found: dict[str, Any] = json.loads((out / FILE_NAME).read_text(encoding="utf-8"))
    return found


def summary_table(out: Path) -> str:
    """The best five as text, and the command that trains the winner."""
    found = read(out)
    return "\n".join(
        [
            _subtitle(found),
            "",
            *text_table.columns(*_table(found, 5)),
            "",
            _explained(found),
            f"test part, scored once: {_scores(found)}",
            f"run folder: {out / found['winner']['folder']}; to train it anew (the same but for rounding):",
            command(out),
        ]
    )  # fmt: skip


def command(out: Path) -> str:
    """The command line that trains the winner."""
    path = out / "config.json"
    settings = config.from_json(path.read_text(encoding="utf-8"), where=path, build=SweepConfig)
    found = read(out)
    trial = found["candidates"][found["winner"]["number"]]
    values = Values(**{name: trial[name] for name in _NAMES})
    return shlex.join(["mer-jax", "train", *flags_of(settings.of_candidate(values, Path("runs/winner")))])


def _subtitle(found: Mapping[str, Any]) -> str:
    data = found["data"]
    epochs = sum(trial["epochs"] for trial in found["candidates"])
    return (
        f"{data['name']}, {data['num_clips']:,} clips; {found['network']} network on {found['frontend']}; "
        f"{len(found['candidates'])} candidates, {epochs:,} epochs in all, {found['seconds']:.0f} s; "
        f"{run_facts.split_name(found)}, seed {found['seed']}"
    )


def _tiles(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    winner = found["candidates"][found["winner"]["number"]]
    own = found["candidates"][0]
    tiles = [(_NAMES[name], f"{winner[name]:g}", f"given: {own[name]:g}") for name in _NAMES]
    given = run_facts.number(own["score"])
    tiles.append((f"Validation {found['monitor']}", run_facts.number(winner["score"]), f"given: {given}"))
    scores = _test_scores(found)
    name = "accuracy" if "accuracy" in scores else next(iter(scores))
    tiles.append((f"Test {name}", run_facts.number(scores[name]), "scored once"))
    return tiles


def _test_scores(found: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in found["winner"]["test"].items()
        if isinstance(value, float)
    }  # fmt: skip


def _scores(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {run_facts.number(value)}" for name, value in _test_scores(found).items())


def _table(found: Mapping[str, Any], count: int | None) -> tuple[list[str], list[list[str]]]:
    """The best ``count`` and the settings given, or all."""
    header = [*_HEADER, f"Validation {found['monitor']}", "Epochs", "Seconds"]
    ranked = best_first(found["candidates"], found["monitor"])
    shown = [*ranked, *(trial for trial in found["candidates"] if trial["score"] is None)]
    if count is not None:
        # What was given has its place below the best, too.
        shown = [trial for place, trial in enumerate(shown) if place < count or trial["number"] == 0]
    rows = []
    for trial in shown:
        remark = " (given)" if trial["number"] == 0 else ""
        rows.append(
            [
                f"{trial['number']}{remark}",
                *(f"{trial[name]:g}" for name in _NAMES),
                "failed" if trial["failed"] else run_facts.number(trial["score"]),
                str(trial["epochs"]),
                f"{trial['seconds']:.1f}",
            ]
        )
    return header, rows


def _rungs(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            str(rung["epochs"]),
            str(len(rung["candidates"])),
            str(len(rung["survivors"])),
            f"{rung['seconds']:.1f}",
        ]
        for rung in found["rungs"]
    ]
    return ["Epochs", "Candidates", "Go on", "Seconds"], rows


def _explained(found: Mapping[str, Any]) -> str:
    return (
        f"Scores: best validation {found['monitor']} so far, over the epochs that each was trained for; the best of many is "
        "optimistic. Candidate 0 has the settings given and is never dropped. All share split, initial weights and order of "
        "clips."
    )

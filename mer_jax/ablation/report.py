"""The report of an ablation: scores with intervals, each front-end against the first, what it costs, and what it learnt."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax.ablation import plots
from mer_jax.ablation.config import AblationConfig, Member
from mer_jax.data.atomic import atomic_path
from mer_jax.evaluation import comparison, html, repeated, run_folder, text_table
from mer_jax.evaluation.report import SYNTHETIC
from mer_jax.evaluation.shared_sections import SharedSections

_SHOWN = ("accuracy", "macro_f1", "mcc")
_TITLES = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "mcc": "MCC"}


def summarise(out: Path, settings: AblationConfig) -> dict[str, Any]:
    """Scores, comparisons and costs of all front-ends, for ``ablation.json``."""
    rows: list[dict[str, Any]] = []
    first: repeated.Repeats | None = None
    for member in settings.members:
        cells = _cells(out, settings, member)
        folder = out / "cells" / member.folder
        repeats = repeated.read_runs(cells, folder)
        pooled = repeated.summary(repeats, [cell.name for cell in cells])
        with atomic_path(folder / repeated.FILE_NAME) as temporary:
            temporary.write_text(json.dumps(pooled, indent=1), encoding="utf-8")
        against: Any = None if first is None else comparison.compare_repeats(repeats, first)["metrics"]
        first = first or repeats
        records = [json.loads((cell / "cell.json").read_text(encoding="utf-8")) for cell in cells]
        rows.append(
            {
                "frontend": member.spec,
                "scores": {name: pooled["scores"][name] for name in _SHOWN},
                "intervals": {name: pooled["intervals"][name] for name in _SHOWN},
                "over_splits": {name: pooled["over_splits"][name] for name in _SHOWN},
                "less_first": None if against is None else {name: against[name] for name in _SHOWN},
                "splits": len(cells),
                "frontend_parameters": records[0]["frontend_parameters"],
                "parameters": records[0]["parameters"],
                "step_ms": records[0]["step_ms"],
                "step_temporary_mib": records[0]["step_temporary_mib"],
                "computed_once": records[0]["computed_once"],
                "train_s": float(np.median([record["train_s"] for record in records])),
                "epochs": float(np.median([record["epochs"] for record in records])),
                "movement": {
                    name: float(np.mean([record["movement"][name] for record in records]))
                    for name in records[0]["movement"]
                },
            }
        )
    facts = run_folder.read_object(cells[0] / "facts.json", required=("data", "versions", "hardware"))
    return {
        "model": settings.model,
        "folds": settings.folds,
        "seeds": settings.seeds,
        "data": facts["data"],
        "versions": facts["versions"],
        "hardware": facts["hardware"],
        "rows": rows,
    }


def _cells(out: Path, settings: AblationConfig, member: Member) -> list[Path]:
    return [
        settings.of_cell(member, fold=fold, seed=seed).out
        for seed in range(settings.seeds)
        for fold in range(settings.folds)
    ]


def write(out: Path) -> Path:
    """Write ``report.html`` and its pictures from ``ablation.json`` and the cells."""
    found = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    synthetic = found["data"]["synthetic"] in ("yes", True)
    note = SYNTHETIC if synthetic else ""
    page = html.Page(title="Front-ends compared", subtitle=_subtitle(found), label=note)
    sections = SharedSections(path=out, classes=tuple(found["data"]["classes"]), page=page, note=note)
    picture = sections.picture(
        "scores",
        lambda **look: plots.scores(found["rows"], **look),
        alt="Accuracy of each front-end with its interval",
        caption="Accuracy, 95 % intervals over songs.",
    )
    first = found["rows"][0]["frontend"]
    page.section(
        "Scores",
        _html_table(page, "Test parts of all splits", *_scores(found)),
        _html_table(page, f"Less {first}", *_differences(found), left=2) if len(found["rows"]) > 1 else "",
        html.paragraph(_explained(found), class_="note"),
        picture,
    )
    page.section("Costs", _html_table(page, "What each front-end costs", *_costs(found)))
    settings = _settings(out)
    figures, moved, courses = [], [], []
    for member, row in zip(settings.members, found["rows"], strict=True):
        cell = _cells(out, settings, member)[0]
        probes = run_folder.read_arrays(cell / "probes.npz", required=("before_tones", "after_tones"))
        caption = f"{row['frontend']}: answers to pure tones and to noise, before training and after (seed 0, fold 0)."
        figures.append(
            sections.picture(
                f"learnt_{member.folder}",
                lambda probes=probes, row=row, **look: plots.responses(row["frontend"], probes, **look),
                alt=caption,
                caption=caption,
                wide=True,
            )
        )
        epochs = run_folder.read_epochs(cell / "metrics.jsonl")
        if epochs[0].get("watched"):
            caption = f"{row['frontend']}: parameters on their way from the start (seed 0, fold 0)."
            courses.append(
                sections.picture(
                    f"moved_{member.folder}",
                    lambda epochs=epochs, row=row, **look: plots.movement(row["frontend"], epochs, **look),
                    alt=caption,
                    caption=caption,
                )
            )
        moved += [[row["frontend"], name, f"{100 * value:.2f} %"] for name, value in row["movement"].items()]
    page.section("What was learnt", html.gallery(figures))
    if moved:
        page.section(
            "Movement",
            page.table(
                "How far each parameter went, relative to its root mean square at the start (mean over splits)",
                ["Front-end", "Parameter", "Moved"],
                moved,
                align="llr",
            ),
            html.gallery(courses) if courses else "",
        )
    page.section("Settings", html.code_block((out / "config.json").read_text(encoding="utf-8")))
    page.section(
        "Run", html.code_block(json.dumps({k: found[k] for k in ("versions", "hardware")}, indent=1))
    )
    target = out / "report.html"
    with atomic_path(target) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")
    return target


def summary_table(out: Path) -> str:
    """The table as text, for a terminal."""
    found = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    lines = [_subtitle(found), "", *text_table.columns(*_scores(found))]
    if len(found["rows"]) > 1:
        lines += [
            "",
            f"Less {found['rows'][0]['frontend']}:",
            *text_table.columns(*_differences(found), left=2),
        ]
    return "\n".join([*lines, "", _explained(found)])


def _html_table(
    page: html.Page, caption: str, header: list[str], rows: list[list[str]], *, left: int = 1
) -> Any:
    return page.table(caption, header, rows, align="l" * left + "r" * (len(header) - left))


def _settings(out: Path) -> AblationConfig:
    from mer_jax import config

    path = out / "config.json"
    return config.from_json(path.read_text(encoding="utf-8"), where=path, build=AblationConfig)


def _subtitle(found: dict[str, Any]) -> str:
    data = found["data"]
    return (
        f"{data['name']}, {len(data['classes'])} classes, {data['num_clips']:,} clips; {found['model']}; "
        f"{found['folds']} of 10 folds, {found['seeds']} seeds"
    )


def _scores(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["Front-end"]
    for name in _SHOWN:
        header += [_TITLES[name], "95 % (songs)"]
    rows = []
    for row in found["rows"]:
        cells = [row["frontend"]]
        for name in _SHOWN:
            cells += [f"{row['scores'][name]:.3f}", _span(row["intervals"][name])]
        rows.append(cells)
    return header, rows


def _differences(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["Front-end", "Score", "Difference", "95 % (songs)", "p", "95 % (splits)", "p"]
    rows = []
    for row in found["rows"][1:]:
        for name in _SHOWN:
            less = row["less_first"][name]
            boot, over = less["bootstrap"], less["over_splits"]
            cells = [row["frontend"], _TITLES[name], f"{less['difference']:+.3f}"]
            cells += ["", ""] if boot is None else [_span(boot["interval"], "+"), f"{boot['p']:.3g}"]
            cells += (
                ["", ""]
                if over is None
                else [_span([over["low"], over["high"]], "+"), f"{over['p_value']:.3g}"]
            )
            rows.append(cells)
    return header, rows


def _costs(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["Front-end", "Learnt numbers", "Parameters in all", "Step (ms)", "Temporary memory (MiB)"]
    header += ["Epochs", "Cell (s)", "Features"]
    rows = []
    for row in found["rows"]:
        memory = row["step_temporary_mib"]
        rows.append(
            [
                row["frontend"],
                f"{row['frontend_parameters']:,}",
                f"{row['parameters']:,}",
                f"{row['step_ms']:.1f}",
                "" if memory is None else f"{memory:.0f}",
                f"{row['epochs']:.0f}",
                f"{row['train_s']:.0f}",
                "computed once" if row["computed_once"] else "in every step",
            ]
        )
    return header, rows


def _explained(found: dict[str, Any]) -> str:
    text = (
        "Same network, splits and seeds for all. Scores: pooled test parts of a seed, mean over seeds. Songs: (paired) "
        "bootstrap over groups, which songs were tested on. Splits: t interval over folds and seeds, corrected for shared "
        "training clips (Nadeau & Bengio 2003)."
    )
    if found["folds"] == 1 and found["seeds"] > 1:
        text += " With one fold the seeds share their clips: the interval over splits holds the spread of training runs only."
    return text


def _span(interval: list[float] | None, sign: str = "") -> str:
    return "" if interval is None else f"{interval[0]:{sign}.3f} to {interval[1]:{sign}.3f}"

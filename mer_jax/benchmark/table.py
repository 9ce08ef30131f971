"""Markdown from result files: every figure in the documentation is printed by this, none is typed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mer_jax.benchmark.results import Report, milliseconds

Row = dict[str, Any]


def markdown(report: Report) -> str:
    """A heading with machine and versions, and one table a suite.

    Times are medians in milliseconds; ``speed-up`` is the best peer of the same precision over ours.
    """
    parts = [_heading(report)]
    for suite in dict.fromkeys(row["suite"] for row in report.rows):
        parts.append(f"### {suite}\n\n" + _suite_table([row for row in report.rows if row["suite"] == suite]))
    notes = _skipped(report)
    return "\n\n".join(parts + ([notes] if notes else [])) + "\n"


def _heading(report: Report) -> str:
    machine = report.machine
    place = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['platform']}"
    if machine["accelerator"] != "none":
        place = f"{machine['accelerator']} ({place})"
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [f"Measured on: {place}.", f"Versions: {versions}."]
    for condition in report.conditions:
        lines.append(_condition(condition))
    return "\n".join(line for line in dict.fromkeys(lines) if line)


def _condition(condition: dict[str, Any]) -> str:
    before, after = condition.get("load_average_before"), condition.get("load_average_after")
    ceilings = condition.get("ceilings")
    text = f"Load average {before} before and {after} after the run." if before is not None else ""
    if ceilings:
        listed = ", ".join(f"{name} {value:.4g}" for name, value in ceilings.items() if value is not None)
        text += f" Ceilings measured in the same run: {listed}."
    return text.strip()


def _skipped(report: Report) -> str:
    """What was asked for and is not in the tables: peers that are not installed, cases that time did not allow."""
    absent: dict[str, str] = {}
    left_out: list[str] = []
    for condition in report.conditions:
        absent |= condition.get("absent", {})
        left_out += condition.get("left_out", [])
    parts = []
    if absent:
        parts.append(
            "Peers not measured: " + "; ".join(f"{name} ({why})" for name, why in absent.items()) + "."
        )
    if left_out:
        parts.append("Cases left out at the time limit: " + "; ".join(left_out) + ".")
    return "\n".join(parts)


def _suite_table(rows: list[Row]) -> str:
    columns = _columns(rows)
    lines = [
        "| " + " | ".join(title for title, _ in columns) + " |",
        "|---|" + "--:|" * (len(columns) - 2) + "---|",
    ]
    lines += ["| " + " | ".join(cell(row) for _, cell in columns) + " |" for row in rows]
    return "\n".join(lines)


def _columns(rows: list[Row]) -> list[tuple[str, Callable[[Row], str]]]:
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("case", lambda row: row["name"]),
        ("ours, ms", _ours),
    ]
    for peer in dict.fromkeys(name for row in rows for name in row["peers"]):
        columns.append((f"{peer}, ms", partial(_peer, peer)))
    columns.append(("speed-up", _speedup))
    optional: list[tuple[str, str, str]] = [
        ("audio_s_per_s", "audio s/s", ",.0f"),
        ("compile_s", "first call, s", ".2f"),
        ("peak_mib", "peak MiB", ",.0f"),
        ("fraction_of_bound", "of the bound", ".0%"),
    ]
    for key, title, form in optional:
        if any(row.get(key) is not None for row in rows):
            columns.append((title, partial(_number, key, form)))
    columns.append(("note", lambda row: row["note"].replace("|", "/")))
    return columns


def _ours(row: Row) -> str:
    """Median, and the quartiles where the suite states them."""
    text = milliseconds(row["ours_s"])
    quartiles = row.get("quartiles_s", {}).get("ours")
    return f"{text} ({milliseconds(quartiles[0])}-{milliseconds(quartiles[1])})" if quartiles else text


def _speedup(row: Row) -> str:
    return "-" if row["speedup"] is None else f"**{row['speedup']:.2f}** ({row['best_peer']})"


def _peer(name: str, row: Row) -> str:
    return milliseconds(row["peers"].get(name))


def _number(key: str, form: str, row: Row) -> str:
    value = row.get(key)
    return "-" if value is None else format(value, form)

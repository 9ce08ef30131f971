"""Result files: one JSON a run, read back, merged, compared and turned into Markdown.

``{"machine": {...}, "versions": {...}, "rows": [{"suite", "name", "ours_s", "peers", "best_peer", "speedup", "compile_s",
"peak_mib", "note", ...}], "conditions": [{...}]}``. Figures of different machines are never put side by side.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mer_jax.checks import DataError
from mer_jax.machine import describe_machine, describe_versions

# Every row has these; a suite may add its own.
ROW_KEYS = (
    "suite",
    "name",
    "ours_s",
    "peers",
    "best_peer",
    "speedup",
    "compile_s",
    "peak_mib",
    "note",
)


@dataclass
class Report:
    """One run's figures and what they were measured on.

    Attributes:
        machine: see :func:`mer_jax.machine.describe_machine`.
        versions: package name to version.
        rows: one measured case each; all keys of ``ROW_KEYS`` and whatever else the suite states.
        conditions: one entry a run: options, ceilings, load average, skipped peers.
    """

    machine: dict[str, Any] = field(default_factory=describe_machine)
    versions: dict[str, str] = field(default_factory=describe_versions)
    rows: list[dict[str, Any]] = field(default_factory=list)
    conditions: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: str | Path) -> None:
        """Write as JSON; a reader sees the old file or the new one, never half of one."""
        path = Path(path)
        if not path.parent.is_dir():
            raise DataError(path, "its folder does not exist", remedy=f"create it: mkdir -p {path.parent}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")
        os.replace(temporary, path)


def row(
    suite: str,
    name: str,
    ours_s: float,
    peers: Mapping[str, float],
    *,
    compile_s: float | None = None,
    peak_mib: float | None = None,
    note: str = "",
    **more: Any,
) -> dict[str, Any]:
    """A row of a suite all of whose peers count: with the best of them, and how many times as fast we are.

    Args:
        suite: the suite's name.
        name: of the case.
        ours_s: our median, in seconds.
        peers: those of the others, by name; none, and there is no best one.
        compile_s: what our first call took beyond.
        peak_mib: of memory.
        note: what is to be known of the figures.
        **more: what this suite states besides.
    """
    best = min(peers, key=lambda peer: peers[peer]) if peers else None
    return {
        "suite": suite,
        "name": name,
        "ours_s": ours_s,
        "peers": dict(peers),
        "best_peer": best,
        "speedup": None if best is None else peers[best] / ours_s,
        "compile_s": compile_s,
        "peak_mib": peak_mib,
        "note": note,
        **more,
    }


def read(path: str | Path) -> Report:
    """Read a file that :meth:`Report.write` wrote.

    Raises:
        DataError: the file is missing, is not JSON, or lacks a part of the schema.
    """
    path = Path(path)
    try:
        fields = json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(path, "does not exist", expected="a result file written with --json") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            path, f"is not JSON ({error})", expected="a result file written with --json"
        ) from None
    names = ("machine", "versions", "rows", "conditions")
    if not isinstance(fields, dict) or any(name not in fields for name in names):
        raise DataError(path, "is not a result file", expected=f"an object with {', '.join(names)}")
    for row in fields["rows"]:
        missing = [key for key in ROW_KEYS if key not in row]
        if missing:
            raise DataError(path, f"has a row without {', '.join(missing)}", expected=", ".join(ROW_KEYS))
    return Report(**{name: fields[name] for name in names})


def merge(paths: Sequence[str | Path]) -> Report:
    """Put the rows of several files of one machine and one set of versions together.

    Raises:
        DataError: machines or versions differ, or a case is there twice.
    """
    reports = [read(path) for path in paths]
    whole = reports[0]
    seen = {_key(row) for row in whole.rows}
    for path, report in zip(paths[1:], reports[1:], strict=True):
        check_same_machine(paths[0], whole, path, report)
        differing = _differences(whole.versions, report.versions)
        if differing:
            raise DataError(
                path,
                f"was measured with other versions than {paths[0]} ({differing})",
                expected="the same versions in files that are merged",
                remedy="use 'compare' to set two versions against each other",
            )
        for row in report.rows:
            if _key(row) in seen:
                raise DataError(path, f"measures {' '.join(_key(row))!r} again", expected="each case once")
            seen.add(_key(row))
        whole.rows += report.rows
        whole.conditions += report.conditions
    return whole


def check_same_machine(first: str | Path, a: Report, second: str | Path, b: Report) -> None:
    """Raise :class:`DataError` unless both reports come from the same kind of machine."""
    differing = _differences(a.machine, b.machine)
    if differing:
        raise DataError(
            second,
            f"was measured on another machine than {first} ({differing})",
            expected="files of one machine",
            remedy="run the benchmark on one machine and use its files",
        )


def compare(old: str | Path, new: str | Path) -> str:
    """Markdown table of the cases that both files hold: our time before and after.

    Raises:
        DataError: the machines differ, or no case is in both.
    """
    before, after = read(old), read(new)
    check_same_machine(old, before, new, after)
    old_rows = {_key(row): row for row in before.rows}
    pairs = [(old_rows[_key(row)], row) for row in after.rows if _key(row) in old_rows]
    if not pairs:
        raise DataError(new, f"shares no case with {old}", expected="the same suite and sizes in both")
    lines = ["| suite | case | before, ms | after, ms | before / after |", "|---|---|--:|--:|--:|"]
    for a, b in pairs:
        ratio = a["ours_s"] / b["ours_s"]
        times = f"{milliseconds(a['ours_s'])} | {milliseconds(b['ours_s'])} | {ratio:.2f}"
        lines.append(f"| {b['suite']} | {b['name']} | {times} |")
    changed = _differences(before.versions, after.versions)
    if changed:
        lines += ["", f"Versions differ: {changed}."]
    return "\n".join(lines) + "\n"


def milliseconds(seconds: float | None) -> str:
    """Three significant digits of a time in milliseconds, or a dash.

    >>> milliseconds(0.0123456), milliseconds(1.5), milliseconds(None)
    ('12.3', '1500', '-')
    """
    if seconds is None:
        return "-"
    value = 1e3 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["suite"], row["name"]


def _differences(a: dict[str, Any], b: dict[str, Any]) -> str:
    changed = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    return ", ".join(f"{key}: {a.get(key, 'none')} against {b.get(key, 'none')}" for key in changed)

"""An audit as a table and as JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_jax._version import __version__
from mer_jax.data.atomic import atomic_path
from mer_jax.data.audit.findings import SEVERITIES, Checked, Finding
from mer_jax.data.audit.pairing import Match

_IDS_SHOWN = 3
_WIDTH = 160  # of a table that goes into a file


@dataclass(frozen=True)
class DataSet:
    """What was audited.

    Attributes:
        name: the data set's.
        clips: how many.
        groups: how many.
        seconds: audio that could be decoded.
    """

    name: str
    clips: int
    groups: int
    seconds: float


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        data: the data sets.
        findings: errors first.
        checked: what each check looked at.
        matches: all pairs of clips that share a passage; clips are numbered through the data sets.
        seconds: how long it took.
    """

    data: tuple[DataSet, ...]
    findings: tuple[Finding, ...]
    checked: tuple[Checked, ...]
    matches: tuple[Match, ...]
    seconds: float

    def count(self, severity: str) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Everything but the matches, which the findings repeat, as JSON holds it."""
        return {
            "format": 1,
            "version": __version__,
            "data": [vars(data) for data in self.data],
            "findings": [finding.to_json() for finding in self.findings],
            "checked": [vars(checked) for checked in self.checked],
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "seconds": round(self.seconds, 2),
        }

    def write(self, path: str | Path) -> None:
        """Write the JSON; ``path`` is replaced only when that is whole."""
        with atomic_path(path) as temporary:
            temporary.write_text(
                json.dumps(self.to_json(), ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8"
            )

    def show(self) -> None:
        """Print what was checked and what was found to standard output."""
        from rich.console import Console
        from rich.table import Table

        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
        looked = Table("check", "data", "looked at", title="Checked")
        for checked in self.checked:
            looked.add_row(checked.check, checked.data, checked.what)
        console.print(looked, markup=False)
        if self.findings:
            table = Table(
                "", "check", "data", "found", "measured; expected", "clips", "remedy", title="Findings"
            )
            for alike in _alike(self.findings):
                table.add_row(*_row(alike))
            console.print(table, markup=False)
        counted = ", ".join(f"{self.count(s)} {s}{'' if self.count(s) == 1 else 's'}" for s in SEVERITIES)
        hours = sum(data.seconds for data in self.data) / 3600
        console.print(f"{counted} in {hours:.2f} hours of audio ({self.seconds:.0f} s)", markup=False)


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that differ only in their clips and measures, together: a row for 744 copies is enough."""
    together: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        together.setdefault((f.severity, f.check, f.data, f.what, f.remedy), []).append(f)
    return list(together.values())


def _row(alike: Sequence[Finding]) -> tuple[str, ...]:
    first = alike[0]
    if len(alike) == 1:
        more = len(first.ids) - _IDS_SHOWN
        clips = list(first.ids[:_IDS_SHOWN]) + ([f"and {more} more"] if more > 0 else [])
    else:
        clips = [" = ".join(f.ids[:_IDS_SHOWN]) for f in alike[:_IDS_SHOWN]]
        clips += [f"and {len(alike) - _IDS_SHOWN} more"] if len(alike) > _IDS_SHOWN else []
    return (
        first.severity,
        first.check,
        first.data,
        first.what if len(alike) == 1 else f"{len(alike)} times: {first.what}",
        f"{first.measure}; expected: {first.expected}",
        "\n".join(clips),
        first.remedy,
    )

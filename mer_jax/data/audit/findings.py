"""What an audit says: findings, and what each check looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Error: results on the data are wrong or cannot be had. Warning: they may be biased. Note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        check: which check found it: "splits", "duplicates", "ids", "labels", "ratings", "signal" or "files".
        severity: see :data:`SEVERITIES`.
        data: name of the data set, or "A, B" for two.
        what: what was found.
        measure: the number that shows it, with its unit.
        expected: what would have been right.
        remedy: what to do.
        ids: the clips; those of a second data set as "name:id".
        each: what was measured for each clip or item, by id.
    """

    check: str
    severity: Severity
    data: str
    what: str
    measure: str
    expected: str
    remedy: str
    ids: tuple[str, ...] = ()
    each: Mapping[str, float | str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as JSON holds them."""
        return {**vars(self), "ids": list(self.ids), "each": dict(self.each)}


@dataclass(frozen=True)
class Checked:
    """That a check ran, on what, and with which result; no finding without it means "not looked at".

    Attributes:
        check: as in :class:`Finding`.
        data: as in :class:`Finding`.
        what: what was looked at, in one line.
    """

    check: str
    data: str
    what: str


@dataclass
class Log:
    """What the checks of one audit write to."""

    findings: list[Finding] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Record a finding."""
        self.findings.append(finding)

    def looked(self, check: str, data: str, what: str) -> None:
        """Record that a check ran."""
        self.checked.append(Checked(check, data, what))

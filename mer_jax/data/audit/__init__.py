"""Faults of a data set that would spoil a result: copies, leaks, exchanged ratings, damaged audio. See docs/audit.md."""

from mer_jax.data.audit.engine import audit
from mer_jax.data.audit.findings import Checked, Finding
from mer_jax.data.audit.report import Audit, DataSet

__all__ = ["Audit", "Checked", "DataSet", "Finding", "audit"]

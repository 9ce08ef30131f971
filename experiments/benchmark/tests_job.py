"""A part of the test suite as a result file: how many tests passed, which failed, how long it took, on which machine.

    python experiments/benchmark/tests_job.py --json signal.json --paths tests/signal
    python experiments/benchmark/tests_job.py --json gpu.json --marker gpu

Needs pytest, pytest-xdist and the packages of the extra ``test`` but Keras and TensorFlow; a file of tests that needs another
one which is not installed is counted as failed, and says which.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paths", nargs="+", default=["tests"], help="folders or files of tests")
    parser.add_argument("--marker", default="not slow", help="as pytest -m: 'not slow'")
    parser.add_argument("--workers", type=int, default=max(1, min(8, (os.cpu_count() or 2) // 2)))
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()

    from mer_jax import machine
    from mer_jax.experiment import folder

    found: dict[str, Any] = {"paths": args.paths, "marker": args.marker, "workers": args.workers}
    found |= {"machine": machine.describe_machine(), "versions": machine.describe_versions()}
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", args.marker, f"--junitxml={report}"]
        # Files that need a package which is not here are counted as failed, and the others run.
        command += ["--continue-on-collection-errors"]
        command += ["-n", str(args.workers), "--dist", "loadfile"] if args.workers > 1 else []
        # Workers share the accelerator's memory.
        environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        started = time.perf_counter()
        status = subprocess.run([sys.executable, *command, *args.paths], env=environment).returncode
        found |= {"exit_status": status, "seconds": round(time.perf_counter() - started, 1)}
        if report.is_file():
            found |= counted(report)
    folder.write_json(args.json, found)
    # 5: no test was chosen.
    return 0 if status in (0, 5) else 1


def counted(report: Path) -> dict[str, Any]:
    """Numbers and names from pytest's JUnit report."""
    failed: dict[str, str] = {}
    skipped: dict[str, int] = {}
    passed = 0
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        left_out = case.find("skipped")
        if bad is not None:
            failed[name] = " ".join(bad.get("message", "").split())[:300]
        elif left_out is not None:
            reason = " ".join(left_out.get("message", "").split())[:200]
            skipped[reason] = skipped.get(reason, 0) + 1
        else:
            passed += 1
    return {"passed": passed, "failed": failed, "skipped": skipped}


if __name__ == "__main__":
    sys.exit(main())

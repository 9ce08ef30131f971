"""The command line: ``python -m mer_jax.benchmark``, also ``mer-jax benchmark``."""

import argparse
import importlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax

from mer_jax.benchmark import SUITES, plot, results, table
from mer_jax.benchmark.results import Report, milliseconds
from mer_jax.checks import DataError, InputError
from mer_jax.signal.devices import use_all_cores

_EXAMPLES = """examples:
  python -m mer_jax.benchmark frontends --quick
  python -m mer_jax.benchmark frontends --batch 32 --clip-s 30 --transforms stft mel --json frontends.json
  python -m mer_jax.benchmark all --out results/
  python -m mer_jax.benchmark table frontends.json
  python -m mer_jax.benchmark plot frontends.json models.json --out speed.png
  python -m mer_jax.benchmark compare before.json after.json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Raises:
        InputError: an option or a file cannot be used.
    """
    args = _parser().parse_args(argv)
    if args.command == "table":
        print(table.markdown(results.merge(args.files)), end="")
    elif args.command == "compare":
        print(results.compare(args.before, args.after), end="")
    elif args.command == "plot":
        plot.write(results.merge(args.files), args.out)
    elif args.command == "all":
        return _run_all(args)
    else:
        _run_suite(args)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mer-jax benchmark",
        description="Measure speed against other libraries.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in SUITES.items():
        suite = importlib.import_module(module)
        command = commands.add_parser(name, help=suite.SUMMARY, description=f"Measure {suite.SUMMARY}.")
        command.add_argument(
            "--quick", action="store_true", help="fewer rounds, smaller batches: 1 to 4 minutes"
        )
        command.add_argument(
            "--json", type=Path, metavar="FILE", help="write the figures here, after each case"
        )
        suite.add_arguments(command)
    every = commands.add_parser(
        "all", help="every suite, quickly, into a folder, with a picture (20 minutes)"
    )
    every.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="gets SUITE.json and speed.png"
    )
    every.add_argument(
        "--full", action="store_true", help="as many rounds and sizes as each suite has by itself (hours)"
    )
    every.add_argument("--suites", nargs="+", choices=SUITES, help="which; default: all")
    drawn = commands.add_parser("plot", help="draw result files of one machine")
    drawn.add_argument("files", nargs="+", type=Path, metavar="FILE")
    drawn.add_argument("--out", type=Path, required=True, metavar="PNG")
    show = commands.add_parser("table", help="print result files of one machine as Markdown")
    show.add_argument("files", nargs="+", type=Path, metavar="FILE")
    pair = commands.add_parser("compare", help="set two result files of one machine against each other")
    pair.add_argument("before", type=Path)
    pair.add_argument("after", type=Path)
    return parser


def _run_all(args: argparse.Namespace) -> int:
    """Each suite in a process of its own (devices and libraries are settled once a process); 1 if one of them failed."""
    args.out.mkdir(parents=True, exist_ok=True)
    done, failed = [], []
    for suite in args.suites or SUITES:
        path = args.out / f"{suite}.json"
        started = time.perf_counter()
        command = [sys.executable, "-m", "mer_jax.benchmark", suite, "--json", str(path)]
        status = subprocess.run(
            command + ([] if args.full else ["--quick"]), stdout=subprocess.DEVNULL
        ).returncode
        print(f"{suite}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        if status:
            failed.append(suite)
        elif path.is_file():
            done.append(path)
    if done:
        merged = results.merge(done)
        print(table.markdown(merged), end="")
        plot.write(merged, args.out / "speed.png")
    if failed:
        print(f"mer-jax benchmark: {', '.join(failed)} failed", file=sys.stderr)
    return 1 if failed else 0


def _run_suite(args: argparse.Namespace) -> None:
    if args.json is not None and not args.json.parent.is_dir():
        raise DataError(
            args.json, "its folder does not exist", remedy=f"create it: mkdir -p {args.json.parent}"
        )
    use_all_cores()
    # A program found in a cache on disk would make the first call look like a compilation that took no time.
    jax.config.update("jax_enable_compilation_cache", False)

    def on_row(report: Report) -> None:
        row = report.rows[-1]
        peers = ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in row["peers"].items())
        print(f"{row['name']}: ours {milliseconds(row['ours_s'])} ms; {peers or 'no peer'}", file=sys.stderr)
        if args.json is not None:
            report.write(args.json)

    report = importlib.import_module(SUITES[args.command]).run(args, on_row)
    if args.json is not None:
        report.write(args.json)
    print(table.markdown(report), end="")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"mer-jax benchmark: {error}", file=sys.stderr)
        sys.exit(2)

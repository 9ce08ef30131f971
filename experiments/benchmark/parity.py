"""Value and gradient error of every transform, by dtype and mode, as JSON and as docs/parity.md.

    python experiments/benchmark/parity.py --json parity.json --markdown docs/parity.md
    python experiments/benchmark/parity.py --transforms stft cqt --json part.json
    python experiments/benchmark/parity.py --merge part.json rest.json --markdown docs/parity.md
    python experiments/benchmark/parity.py --write-reference          # where librosa is installed

Exit status 0 when every value is within its bound and every gradient finite and right, 1 otherwise.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import parity_reference
from parity_cases import CASES, Case, energy
from parity_reference import References
from parity_table import markdown

from mer_jax.benchmark.engine import describe_error
from mer_jax.checks import DataError, InputError, one_of
from mer_jax.machine import describe_machine, describe_versions

MODES = ("eager", "jit", "vmap", "batched")
# A result rounded to bfloat16 (8 bits) is off by up to 2^-9 of itself; so is one computed from a rounded operand.
BFLOAT16_BOUND = 2.0**-8
# Relative step of the central differences. Small, because maxima, rectifiers and quiet bins make the transforms smooth only
# over short distances: with 1e-5 flux is off by 5e-3, with 1e-8 by 6e-8, and rounding in float64 stays below 1e-6.
STEP = 1e-8
DIRECTIONS = 4
FINITE_DIFFERENCE_BOUND = 1e-4

Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    if args.write_reference:
        parity_reference.write()
        return 0
    if args.merge:
        document = merged([json.loads(path.read_text()) for path in args.merge])
        return _finish(document, args.markdown)
    for name in args.transforms:
        one_of("--transforms", name, CASES)
    references = parity_reference.load(args.reference)
    document: dict[str, Any] = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "reference": references.origin,
        "rows": [],
        "failures": [],
    }
    judged = {name: judge(CASES[name], references) for name in args.transforms}
    # JAX (0.10.2) keeps a NumPy constant on the device in the precision it first met it in, and a program of the other
    # precision that finds it there fails: forget such constants when the precision changes.
    jax.clear_caches()
    for name in args.transforms:
        row, gradient = judged[name]
        rows = [row, *measure(CASES[name], references, gradient, args.modes)]
        document["rows"] += rows
        document["failures"] += [_named(row) for row in rows if row["fault"]]
        print(f"{name}: {_worst(rows)}", file=sys.stderr, flush=True)
        if args.json:  # After each transform: a run that is cut off keeps what it measured.
            args.json.write_text(json.dumps(document, indent=1) + "\n")
    return _finish(document, args.markdown)


def _finish(document: dict[str, Any], page: Path | None) -> int:
    if page:
        page.write_text(markdown(document))
    for failure in document["failures"]:
        print(f"outside its bound: {failure}", file=sys.stderr)
    return 1 if document["failures"] else 0


def merged(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of several runs on one machine, in the order of the cases.

    Raises:
        DataError: machine, versions or references differ.
    """
    whole = dict(documents[0])
    for key in ("machine", "versions", "reference"):
        if any(document[key] != whole[key] for document in documents):
            raise DataError(
                "--merge", f"files differ in {key}", expected="runs of one machine and one set-up"
            )
    order = list(CASES)
    rows = [row for document in documents for row in document["rows"]]
    whole["rows"] = sorted(rows, key=lambda row: order.index(row["transform"]))
    whole["failures"] = [failure for document in documents for failure in document["failures"]]
    return whole


def measure(
    case: Case, references: References, gradient: np.ndarray | None, modes: Sequence[str] = MODES
) -> list[Row]:
    """Rows of one transform: float32 and bfloat16 in each mode, the gradients against the float64 one."""
    rows = []
    for dtype in (jnp.float32, jnp.bfloat16):
        bound = case.bound if dtype == jnp.float32 else max(case.bound, BFLOAT16_BOUND)
        x = jnp.asarray(references.inputs[case.name], dtype)
        for mode in modes:
            rows.append(_row(case, x, mode, references.results[case.name], gradient, bound))
    return rows


def _row(
    case: Case, x: jax.Array, mode: str, expected: np.ndarray, gradient: np.ndarray | None, bound: float
) -> Row:
    row = _blank(case, str(x.dtype), mode, bound, "float64 autodiff of the same function")
    try:
        row["value_error"] = relative_l2(_in_mode(case.ours, mode)(x), expected)
        if mode != "batched":  # A batch's gradient is the one that vmap has.
            found = _in_mode(jax.grad(energy(case)), mode)(x)
            row["gradient_finite"] = bool(np.all(np.isfinite(np.asarray(found, np.float64))))
            if gradient is not None:
                row["gradient_error"] = relative_l2(found, gradient)
    except Exception as error:
        row["fault"] = describe_error(error)
        return row
    row["fault"] = _fault(row)
    return row


def judge(case: Case, references: References) -> tuple[Row, np.ndarray | None]:
    """The float64 row, whose gradient is judged by finite differences, and that gradient for the other dtypes."""
    row = _blank(case, "float64", "eager", case.bound, "central finite differences")
    try:
        with jax.enable_x64(True):
            wide = jnp.asarray(references.inputs[case.name], jnp.float64)
            total = energy(case)
            row["value_error"] = relative_l2(case.ours(wide), references.results[case.name])
            gradient = np.asarray(jax.grad(total)(wide))
            row["gradient_finite"] = bool(np.all(np.isfinite(gradient)))
            if case.stepwise:  # A step that crosses an edge has no slope to compare with.
                row["gradient_error"] = relative_l2(gradient, np.zeros_like(gradient))
            else:
                row["gradient_error"] = _finite_difference_error(total, wide, gradient)
    except Exception as error:
        row["fault"] = describe_error(error)
        return row, None
    row["fault"] = _fault(row)
    if not row["fault"] and row["gradient_error"] > FINITE_DIFFERENCE_BOUND:
        row["fault"] = f"gradient differs from finite differences by {row['gradient_error']:.1e}"
    return row, gradient


def _blank(case: Case, dtype: str, mode: str, bound: float, judge: str) -> Row:
    return {
        "transform": case.name,
        "dtype": dtype,
        "mode": mode,
        "value_error": None,
        "value_bound": bound,
        "gradient_error": None,
        "gradient_finite": None,
        "gradient_reference": judge,
        "fault": "",
    }


def _fault(row: Row) -> str:
    if not row["value_error"] <= row["value_bound"]:  # NaN is not within any bound.
        return f"value error {row['value_error']:.1e} over {row['value_bound']:.1e}"
    return "gradient is not finite" if row["gradient_finite"] is False else ""


def _in_mode(function: Callable[[jax.Array], jax.Array], mode: str) -> Callable[[jax.Array], jax.Array]:
    """The function called in a mode; with a batch, the clip has another one beside it."""

    def pair(x: jax.Array) -> jax.Array:
        return jnp.stack([jnp.flip(x, -1), x])

    if mode == "eager":
        return function
    if mode == "jit":
        return jax.jit(function)
    if mode == "vmap":
        return lambda x: jax.vmap(function)(pair(x))[1]
    return lambda x: function(pair(x))[1]


def _finite_difference_error(
    total: Callable[[jax.Array], jax.Array], x: jax.Array, gradient: np.ndarray
) -> float:
    """Distance of directional derivatives from central differences, relative; 0 where both are zero."""
    rng = np.random.default_rng(1)
    slopes, differences = [], []
    for _ in range(DIRECTIONS):
        direction = np.asarray(x) * rng.standard_normal(x.shape)
        above, below = total(x + STEP * direction), total(x - STEP * direction)
        differences.append(float(above - below) / (2 * STEP))
        slopes.append(float(np.vdot(gradient, direction)))
    return relative_l2(np.array(slopes), np.array(differences))


def relative_l2(found: jax.Array | np.ndarray, expected: np.ndarray) -> float:
    """``|found - expected| / |expected|``; where the expected is all zero, 0 if both are equal and infinity if not."""
    wide = np.complex128 if np.iscomplexobj(found) else np.float64
    found = np.asarray(found).astype(wide)
    if found.shape != expected.shape:
        raise ValueError(f"shape {found.shape} where {expected.shape} was expected")
    distance, size = float(np.linalg.norm(found - expected)), float(np.linalg.norm(expected))
    if size == 0:
        return 0.0 if distance == 0 else float("inf")
    return distance / size


def _named(row: Row) -> str:
    return f"{row['transform']}, {row['dtype']}, {row['mode']}: {row['fault']}"


def _worst(rows: list[Row]) -> str:
    parts = []
    for dtype in ("float32", "bfloat16"):
        errors = [row["value_error"] for row in rows if row["dtype"] == dtype]
        failed = any(error is None for error in errors)
        parts.append(f"{dtype} " + ("failed" if failed else f"{max(errors):.1e}"))
    return ", ".join(parts)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Value and gradient error of every transform.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here")
    parser.add_argument("--transforms", nargs="+", default=list(CASES), metavar="NAME")
    parser.add_argument(
        "--merge", nargs="+", type=Path, metavar="FILE", help="measure nothing, join these files"
    )
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--reference", choices=("auto", "librosa", "file"), default="auto")
    parser.add_argument(
        "--write-reference", action="store_true", help="make the committed reference file anew"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"parity: {error}", file=sys.stderr)
        sys.exit(2)

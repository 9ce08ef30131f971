"""The committed references: librosa's float64 results, kept in float32, for machines without librosa."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from parity_cases import CASES, SEED, clip, digest, exact_in_bfloat16

from mer_jax.checks import DataError

FILE = Path(__file__).parent / "reference" / "parity.npz"


@dataclass(frozen=True)
class References:
    """Inputs and expected results by case.

    Attributes:
        origin: where the results come from, for the table.
        inputs: exact in bfloat16, as float64.
        results: float64 (computed now) or float32 (from the file).
    """

    origin: str
    inputs: dict[str, np.ndarray]
    results: dict[str, np.ndarray]


def load(origin: str = "auto") -> References:
    """References computed now with librosa, or from the file where it is not installed.

    Args:
        origin: ``"librosa"``, ``"file"``, or ``"auto"``: librosa where it is installed.
    """
    if origin == "auto":
        origin = "librosa" if importlib.util.find_spec("librosa") else "file"
    return compute() if origin == "librosa" else read()


def compute() -> References:
    """Every reference, in float64, by librosa."""
    import librosa

    inputs: dict[str, np.ndarray] = {}
    results: dict[str, np.ndarray] = {}
    y = clip()
    for case in CASES.values():
        inputs[case.name] = y if case.source == "y" else exact_in_bfloat16(results[case.source])
        results[case.name] = y if case.reference is None else case.reference(inputs[case.name])
    return References(f"librosa {librosa.__version__}, float64, computed in this run", inputs, results)


def write() -> None:
    """Compute the references and put them into the file, with what they were made by."""
    import librosa

    computed = compute()
    about = {"librosa": librosa.__version__, "numpy": np.__version__, "seed": SEED, "clip": digest(clip())}
    arrays = {
        name: result.astype(np.complex64 if np.iscomplexobj(result) else np.float32)
        for name, result in computed.results.items()
        if CASES[name].reference is not None
    }
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FILE, about=np.array(json.dumps(about)), **arrays)


def read() -> References:
    """The references in the file.

    Raises:
        DataError: it is missing, lacks a case, or was made from another clip than the one regenerated here.
    """
    if not FILE.is_file():
        raise DataError(
            FILE, "does not exist", remedy="make it where librosa is: parity.py --write-reference"
        )
    with np.load(FILE, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        stored = {name: arrays[name] for name in arrays.files if name != "about"}
    y = clip()
    if digest(y) != about["clip"]:
        raise DataError(FILE, "was made from another clip than the one regenerated from its seed here")
    inputs: dict[str, np.ndarray] = {}
    results: dict[str, np.ndarray] = {}
    for case in CASES.values():
        if case.reference is not None and case.name not in stored:
            raise DataError(FILE, f"lacks {case.name}", remedy="make it anew: parity.py --write-reference")
        inputs[case.name] = y if case.source == "y" else exact_in_bfloat16(results[case.source])
        results[case.name] = y if case.reference is None else stored[case.name]
    return References(f"librosa {about['librosa']}, float64, from the committed file", inputs, results)

"""The front-end table on this machine: the whole suite, into experiments/benchmark/results/frontends.json.

    python experiments/benchmark/frontends.py                  # 40 minutes or so on two cores; keep the machine quiet
    python experiments/benchmark/frontends.py --quick

Takes the options of ``python -m mer_jax.benchmark frontends``; print the file with ``python -m mer_jax.benchmark table``.
"""

import sys
from pathlib import Path

from mer_jax.benchmark.__main__ import main

RESULTS = Path(__file__).parent / "results"

if __name__ == "__main__":
    RESULTS.mkdir(exist_ok=True)
    sys.exit(main(["frontends", "--json", str(RESULTS / "frontends.json"), *sys.argv[1:]]))

"""The study's whole table on any data set: the same as ``mer-jax study``.

python experiments/study.py --data manifest.csv --clip-s 15 --out runs/study
"""

import sys

from mer_jax.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", *sys.argv[1:]]))

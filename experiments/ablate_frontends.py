"""Front-ends compared behind the same network: the same as ``mer-jax ablate``.

python experiments/ablate_frontends.py --frontends log_mel mfcc log_cqt --model cnn --data manifest.csv --folds 10 --seeds 3
"""

import sys

from mer_jax.cli import main

if __name__ == "__main__":
    sys.exit(main(["ablate", *sys.argv[1:]]))

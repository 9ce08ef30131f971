"""``python -m mer_jax``: the same as the ``mer-jax`` command."""

import sys

from mer_jax.cli import main

if __name__ == "__main__":
    sys.exit(main())

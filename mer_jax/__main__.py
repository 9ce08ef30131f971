"""The ``mer-jax`` command, also ``python -m mer_jax``."""

import sys

from mer_jax.large_pages import restart_with_large_pages


def main() -> int:
    """Run the command line of this process and return its exit status."""
    restart_with_large_pages()
    # Not above: nothing is to be imported twice.
    from mer_jax.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())

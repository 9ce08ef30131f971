"""The ``mer-jax`` command, also ``python -m mer_jax``."""

import sys

from mer_jax.large_pages import restart_with_large_pages


def main() -> int:
    """Run the command line of this process and return its exit status."""
    # Not where other libraries are measured in the same process: with TensorFlow in it, VGG19 took 1.9 s in place of 1.5.
    if sys.argv[1:2] != ["benchmark"]:
        restart_with_large_pages()
    # Not above: nothing is to be imported twice.
    from mer_jax.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())

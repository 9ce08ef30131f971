"""Measured speed: ours against the libraries people use, side by side in one run.

``python -m mer_jax.benchmark SUITE`` measures, ``all`` measures every suite, ``table`` prints a result file as Markdown,
``plot`` draws it, ``compare`` sets two files of one machine against each other. Needs only jax, flax, optax and numpy, and
matplotlib for a picture; peers are imported where they are measured, and one that is not installed is left out by name.

A suite is a module with ``SUMMARY``, ``add_arguments(parser)`` and ``run(args, on_row) -> Report``; it is entered in
:data:`SUITES`.
"""

# Suite to its module, imported when the suite is chosen.
SUITES: dict[str, str] = {
    "frontends": "mer_jax.benchmark.frontends",
    "models": "mer_jax.benchmark.models",
    "whole-job": "mer_jax.benchmark.whole_job",
    "population": "mer_jax.benchmark.population",
    "scaling": "mer_jax.benchmark.scaling",
    "first-step": "mer_jax.benchmark.first_step",
    "input": "mer_jax.benchmark.feeding",
}

__all__ = ["SUITES"]

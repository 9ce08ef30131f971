"""Compiled programs kept on disk, so that a command that ran before starts at once."""

import os
from pathlib import Path

import jax

VARIABLE = "MER_JAX_COMPILATION_CACHE"
"""Environment variable: a folder, or ``off``."""
# Shorter compilations cost less than reading the file.
_WORTH_KEEPING_S = 0.3


def use_compilation_cache() -> Path | None:
    """Keep what JAX compiles in the user's cache folder, unless a place was chosen for it already.

    The folder is ``mer_jax/xla`` in ``$XDG_CACHE_HOME`` (``~/.cache``), or what ``MER_JAX_COMPILATION_CACHE`` names; ``off``
    there keeps nothing. It is readable and writable by its owner only: who can write there decides what is computed. Programs
    are found again by their content, the versions of JAX and XLA, and the device.

    Returns:
        The folder; None where nothing is kept, or where JAX has a folder already (``JAX_COMPILATION_CACHE_DIR``).
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen.casefold() == "off" or jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return None
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(home) / "mer_jax" / "xla"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None  # a home that cannot be written to: compile anew, as without a cache
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING_S)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder

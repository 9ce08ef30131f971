"""A trained run as one file that needs no code of this package: a program for each platform, its weights, what they mean.

:func:`export` writes it, :func:`load` makes a function of it again. The file and ten lines that run it without this package are
in docs/export.md.
"""

from collections.abc import Sequence
from pathlib import Path

from mer_jax.export.archive import PLATFORMS
from mer_jax.export.loaded import Exported, load

__all__ = ["Exported", "PLATFORMS", "export", "load"]


def export(run: str | Path, out: str | Path, *, platforms: Sequence[str] = PLATFORMS) -> Path:
    """Write the whole computation of a trained run, from waveform to outputs, into one file.

    The computation is that of :mod:`mer_jax.predict` for a window: front-end, standardisation, network, then softmax, sigmoid
    or the targets' own units. It takes batches of any size. An algorithm is chosen by platform
    (:mod:`mer_jax.signal.platform`), so the file holds one program for each; weights are in it once.

    Args:
        run: a run folder written by ``mer-jax train`` or ``mer-jax demo``.
        out: the file to write, usually called ``something.mer``; it must not be there yet.
        platforms: of :data:`PLATFORMS`; none of them has to be on this machine.

    Returns:
        ``out``.

    Raises:
        mer_jax.checks.CheckpointError: the folder holds no finished run, or one that no program can hold (``--backend
            nnaudio``).
        mer_jax.checks.ConfigError: ``out`` is there already.
        mer_jax.checks.ArgumentError: an unknown platform, or none.
    """
    # Writing needs the models, and so flax; loading does not.
    from mer_jax.export.writing import write

    return write(run, out, platforms=platforms)

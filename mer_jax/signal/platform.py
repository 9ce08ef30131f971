"""Where an algorithm is chosen by platform: the one place.

A CPU wants one clip at a time (its working set stays in cache); a GPU or TPU wants the whole batch at once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import jax
import jax.numpy as jnp

# Independent FFTs in one turn of a CPU loop. XLA's executor hands work to another core (to four at most) only while more than
# eight operations are ready to run (`kSplitThreshold` in xla/backends/cpu/runtime/thunk.h).
_FFTS_PER_TURN = 12

# Part of the key under which JAX keeps what it has traced: a function traced for one platform is traced anew for another.
_TRACED_FOR = jax.make_user_context(None)


def platform() -> str:
    """The platform a computation traced now will run on: ``"cpu"``, ``"gpu"`` or ``"tpu"``."""
    if _TRACED_FOR.value is not None:
        return _TRACED_FOR.value
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    if device is not None:
        return device if isinstance(device, str) else device.platform
    return jax.default_backend()


def traced_for(name: Literal["cpu", "gpu", "tpu"]) -> AbstractContextManager[None]:
    """Within it, what is traced chooses the algorithms of this platform: for a program that is to run on another machine.

    It moves no computation. What is compiled and run inside gives the same values by algorithms that may be slow here.

    >>> with traced_for("tpu"):
    ...     platform()
    'tpu'
    """
    return _TRACED_FOR(name)


def ffts_per_turn() -> int:
    """How many FFTs, independent of each other, one turn of a loop on a CPU should hold.

    One where the batch is divided over devices (:mod:`mer_jax.signal.devices`): the other cores have loops of their own, and
    the shorter program compiles three times as fast.
    """
    return 1 if jax.sharding.get_abstract_mesh().manual_axes else _FFTS_PER_TURN


def per_clip(fn: Callable[..., Any], *arrays: jax.Array, core_ndim: int = 1, recompute: bool = False) -> Any:
    """Apply ``fn`` to every clip of a batch.

    On a CPU clips take turns in one loop. Two loops over half the clips each, in one program, do not run side by side: XLA
    gives both the same temporary buffers, which makes the second wait for the first (measured with jax 0.10.2 and 0.11.2); on
    two devices they do (:mod:`mer_jax.signal.devices`). Operations inside one turn do too (see :func:`busy`), so ``fn``
    should not hold several large FFTs that do not depend on each other (see :func:`mer_jax.signal.spectra.rows_per_step`).

    Args:
        fn: maps arrays of ``core_ndim`` axes (one clip) to an array or a pytree of arrays.
        *arrays: shape (..., core axes); all share their leading axes.
        core_ndim: how many trailing axes belong to one clip.
        recompute: a reverse pass computes the values inside ``fn`` again, clip by clip, in place of keeping those of all clips:
            what is differentiated by the parameters of a front-end then needs the memory of one clip, however large the batch.

    Returns:
        What ``fn`` returns with the leading axes of ``arrays`` in front.

    >>> per_clip(lambda clip: clip - clip.max(), jax.numpy.array([[1.0, 2.0], [5.0, 3.0]])).tolist()
    [[-1.0, 0.0], [0.0, -2.0]]
    """
    if recompute:
        fn = jax.checkpoint(fn)
    lead = arrays[0].shape[: arrays[0].ndim - core_ndim]
    if not lead:
        return fn(*arrays)
    flat = [a.reshape((-1, *a.shape[a.ndim - core_ndim :])) for a in arrays]
    # A batch of any size, as in an exported program, does not equal 1.
    in_turn = platform() == "cpu" and flat[0].shape[0] != 1
    out = jax.lax.map(lambda clip: fn(*clip), tuple(flat)) if in_turn else jax.vmap(fn)(*flat)
    return jax.tree.map(lambda x: x.reshape(lead + x.shape[1:]), out)


def busy(buffer: jax.Array) -> jax.Array:
    """Return 0, to be added to the index at which a result is written; it keeps ``buffer`` reserved until then (on a CPU).

    XLA runs the operations of a program side by side where neither reads nor writes what the other writes. But it plans
    memory as if they ran one after the other: the second FFT of a loop's turn gets the buffer that the first has just read,
    and so waits for it; the third waits for the second. An index that depends on a buffer, though never on its values, puts
    the end of its life behind the last of them. It is a matter of speed alone.

    Args:
        buffer: a real array of at least one element, made on the way to the result that is written.

    >>> int(busy(jax.numpy.ones((2, 2))))
    0
    """
    # Nothing is larger than infinity, but the compiler does not look that far.
    return (buffer[(0,) * buffer.ndim] > jnp.inf).astype(int)

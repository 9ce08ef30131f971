"""Frames of a signal: counting, padding, cutting, and reductions over them that never build them.

Conventions (librosa's): frame ``t`` starts at sample ``t * hop_length``; with ``center=True`` the signal is
first padded by ``frame_length // 2`` samples on either side, so that frame ``t`` is centred at sample ``t *
hop_length``. Only whole frames count.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from mer_jax import checks
from mer_jax._shapes import Array, Float, Shaped
from mer_jax.signal.platform import platform

#: Names of ``numpy.pad`` modes that depend at most on the samples next to the edge.
PAD_MODES = ("constant", "edge", "linear_ramp", "reflect", "symmetric")

# Up to this many hops a frame, frames are cut by concatenating shifted reshapes (contiguous copies); beyond
# it the program would grow with every hop, so they are gathered instead.
_MAX_CONCATENATED_BLOCKS = 32


def count_frames(num_samples: int, *, frame_length: int, hop_length: int, center: bool = True) -> int:
    """How many whole frames a signal of ``num_samples`` gives.

    >>> count_frames(22050, frame_length=2048, hop_length=512)
    44
    >>> count_frames(2047, frame_length=2048, hop_length=512, center=False)
    0
    """
    padded = num_samples + (2 * (frame_length // 2) if center else 0)
    return max(0, 1 + (padded - frame_length) // hop_length)


def check_frames(
    num_samples: int, *, frame_length: int, hop_length: int, center: bool, name: str = "frame_length"
) -> None:
    """Raise :class:`~mer_jax.checks.ArgumentError` unless a frame can be cut; ``name`` is what its length is called."""
    checks.positive_int(name, frame_length)
    checks.positive_int("hop_length", hop_length)
    if not count_frames(num_samples, frame_length=frame_length, hop_length=hop_length, center=center):
        raise checks.ArgumentError(
            "y",
            f"has {num_samples} samples",
            expected=f"at least {name}={frame_length}, one frame",
            remedy="use center=True, a shorter frame or a longer signal",
        )


def pad_centered(
    y: Shaped[Array, "*batch samples"], frame_length: int, *, mode: str
) -> Shaped[Array, "*batch padded"]:
    """Pad the last axis by ``frame_length // 2`` on either side; ``mode`` is one of :data:`PAD_MODES`."""
    half = frame_length // 2
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(half, half)], mode=mode)


def padded_section(
    y: Shaped[Array, "*batch samples"], start: int, stop: int, *, half: int, mode: str
) -> Shaped[Array, "*batch section"]:
    """Samples ``start`` to ``stop`` of a signal padded by ``half`` samples on either side, and by zeros after that.

    Zero padding is only written where the section reaches into it, so that a section from the middle stays a view.

    >>> padded_section(jnp.arange(1, 5), 1, 5, half=2, mode="constant").tolist()
    [0, 1, 2, 3]
    """
    no_pad = [(0, 0)] * (y.ndim - 1)
    if half and mode != "constant":
        y, half = jnp.pad(y, [*no_pad, (half, half)], mode=mode), 0
    first, last = start - half, stop - half
    inside = y[..., max(first, 0) : max(last, 0)]
    before = min(max(-first, 0), stop - start)
    return jnp.pad(inside, [*no_pad, (before, stop - start - before - inside.shape[-1])])


def split_frames(
    y: Shaped[Array, "*batch samples"], *, frame_length: int, hop_length: int
) -> Shaped[Array, "*batch frames frame_length"]:
    """Cut the last axis into overlapping frames, one frame a row (no padding).

    Note the axis order: rows are contiguous, which is what a transform along the last axis wants.

    >>> split_frames(jnp.arange(7), frame_length=3, hop_length=2).tolist()
    [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    """
    frames = count_frames(y.shape[-1], frame_length=frame_length, hop_length=hop_length, center=False)
    blocks_per_frame = -(-frame_length // hop_length)
    if blocks_per_frame > _MAX_CONCATENATED_BLOCKS:
        starts = hop_length * jnp.arange(frames)[:, None]
        return y[..., starts + jnp.arange(frame_length)[None, :]]
    num_blocks = frames - 1 + blocks_per_frame
    blocks = fit(y, num_blocks * hop_length).reshape(*y.shape[:-1], num_blocks, hop_length)
    shifted = [blocks[..., k : k + frames, :] for k in range(blocks_per_frame)]
    return jnp.concatenate(shifted, axis=-1)[..., :frame_length]


def overlap_add(rows: Float[Array, "frames frame_length"], *, hop_length: int) -> Float[Array, "samples"]:
    """Add frames up at their places: the transpose of :func:`split_frames`.

    >>> overlap_add(jnp.ones((3, 2)), hop_length=1).tolist()
    [1.0, 2.0, 2.0, 1.0]
    """
    frames, frame_length = rows.shape
    samples = frame_length + hop_length * (frames - 1)
    split = partial(split_frames, frame_length=frame_length, hop_length=hop_length)
    (y,) = jax.linear_transpose(split, jax.ShapeDtypeStruct((samples,), rows.dtype))(rows)
    return y


def fit(y: jax.Array, length: int) -> jax.Array:
    """Cut the last axis to ``length``, or fill it up with zeros."""
    missing = length - y.shape[-1]
    if missing <= 0:
        return y[..., :length]
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, missing)])


def reduce_frames(
    x: Shaped[Array, "samples"],
    value: Callable[[jax.Array], jax.Array],
    kind: Literal["sum", "max"],
    *,
    frame_length: int,
    hop_length: int,
    frames: int,
    left: int,
) -> Shaped[Array, "frames"]:
    """Sum or maximum of ``value(x)`` over each frame of a signal with zeros around it, in one pass over the samples.

    A frame of ``q * hop + r`` samples is ``q`` whole hops and the first ``r`` samples of the next one, so each hop is reduced
    once (twice when ``r > 0``) however many frames share it, and neither the padding nor the values are ever written.

    Args:
        x: samples of one clip.
        value: elementwise; 0 at 0, and not negative for a maximum, so that the zeros around the clip do not count.
        kind: the reduction.
        frame_length: samples in a frame.
        hop_length: samples between frames.
        frames: how many.
        left: zeros before the first sample.

    >>> reduce_frames(jnp.arange(1, 7), jnp.square, "sum", frame_length=3, hop_length=2, frames=3, left=1).tolist()
    [5, 29, 77]
    """
    combine = jnp.add if kind == "sum" else jnp.maximum

    def reduce(rows: jax.Array) -> jax.Array:
        return _reduce(value(rows), kind)

    whole, rest = divmod(frame_length, hop_length)
    out = None
    if whole:
        hops = _reduce_hops(x, reduce, hop_length, hop_length, frames - 1 + whole, left)
        out = _combine_windows(hops, combine, whole, frames)
    if rest:
        hops = _reduce_hops(x, reduce, hop_length, rest, frames + whole, left)[whole:]
        out = hops if out is None else combine(out, hops)
    assert out is not None  # frame_length >= 1, so there are whole hops or a rest
    return out


def _reduce_hops(
    x: jax.Array, reduce: Callable[[jax.Array], jax.Array], hop_length: int, width: int, count: int, left: int
) -> jax.Array:
    """Reduce the first ``width`` samples of each of ``count`` hops of ``x`` with ``left`` zeros before it and zeros after.

    Hops that the signal fills are a reshape of it; the one that it enters and the one that it leaves are reduced apart.
    """
    before = -(-left // hop_length)  # hops with zeros before the signal
    start = before * hop_length - left  # samples in the last of them
    full = max(0, min((x.shape[-1] - start) // hop_length, count - before))
    inside = reduce(x[start : start + full * hop_length].reshape(full, hop_length)[:, :width])
    entered = reduce(x[: max(0, start - (hop_length - width))][None])
    after = reduce(x[start + full * hop_length :][:width][None])
    zeros = jnp.zeros((max(0, before - 1),), inside.dtype)
    parts = [zeros, entered, inside, after] if before else [inside, after]
    return fit(jnp.concatenate(parts), count)


def _reduce(rows: jax.Array, kind: Literal["sum", "max"]) -> jax.Array:
    """Reduce each row; an empty one gives 0.

    On a CPU to a few lanes first, where they divide the row: adding up lanes is vectorised, adding up the last axis is not.
    """
    count, width = rows.shape
    if width == 0:
        return jnp.zeros(count, rows.dtype)
    reduce = partial(jnp.sum, dtype=rows.dtype) if kind == "sum" else jnp.max
    lanes = next((n for n in (64, 32, 16) if width % n == 0), 1)
    if platform() == "cpu" and lanes > 1:
        rows = reduce(rows.reshape(count, width // lanes, lanes), axis=1)
    return reduce(rows, axis=-1)


def _combine_windows(
    x: jax.Array, combine: Callable[[jax.Array, jax.Array], jax.Array], width: int, count: int
) -> jax.Array:
    """Combine ``width`` neighbours along the last axis, for the first ``count`` positions.

    Doubling: ``power[i]`` covers ``size`` neighbours from ``i``; the binary digits of ``width`` say which to join.
    Log2(width) steps instead of ``width``, which matters for hops of a few samples.
    """
    out, covered = None, 0
    power, size = x, 1
    while True:
        if width & size:
            part = power[..., covered : covered + count]
            out = part if out is None else combine(out, part)
            covered += size
        size *= 2
        if size > width:
            break
        power = combine(power[..., : -(size // 2)], power[..., size // 2 :])
    assert out is not None  # width >= 1 has a binary digit
    return out

"""One short-time Fourier transform for every feature that needs one, without storing it.

:func:`map_spectra` hands the windowed spectra of a few frames at a time to a function and keeps only what that returns. On a
CPU the frames, their spectra and the function's intermediate values so stay in cache, and memory does not grow with the
length of the clip; a GPU or TPU gets the whole batch in one piece.
"""

import platform as _machine
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax._shapes import Array, Float
from mer_jax.signal import framing
from mer_jax.signal.platform import busy, ffts_per_turn, platform

#: Maps the spectra of some frames, complex (rows, bins), to one array or a pytree of arrays (rows, features).
SpectrumFn = Callable[[jax.Array], Any]

# A CPU's FFT library transforms this many float32 rows at once in vector registers.
_SIMD_ROWS = 8 if _machine.machine().lower() in ("x86_64", "amd64") else 4


def rows_per_step(n_fft: int, itemsize: int) -> int:
    """Frames that one FFT in a CPU loop may transform.

    As many as keep the FFT on the thread that calls it. From jax 0.11 on a larger FFT is split over XLA's thread pool and
    waits for its parts while it occupies one of the pool's threads: as many such FFTs as there are threads, from one program
    or from several, wait for each other for ever (seen with 4 on 2 cores; openxla/xla #46347). The library splits an FFT of
    1000 points or more from two full vectors of rows on, a shorter one from eight. Small FFTs cost nothing: their rows never
    leave the L2 cache.
    """
    vector = _SIMD_ROWS * 4 // itemsize
    return vector if n_fft >= 1000 else 4 * vector


def map_spectra(
    fn: SpectrumFn,
    y: Float[Array, "*batch samples"],
    window: Float[Array, "n_fft"],
    *,
    hop_length: int,
    center: bool = True,
    pad_mode: str = "constant",
) -> Any:
    """Apply ``fn`` to the windowed spectrum of every frame.

    Args:
        fn: maps spectra, complex (rows, 1 + n_fft // 2), to features (rows, features): any pytree of arrays. Rows are frames
            of any clip in any grouping, so it must treat each on its own.
        y: samples, float32 or float64.
        window: as long as the transform, already centred and of the dtype of ``y``.
        hop_length: samples between frames.
        center: frame ``t`` is centred at ``t * hop_length``; otherwise it starts there.
        pad_mode: how ``center`` pads.

    Returns:
        What ``fn`` returns, each array as (..., features, frames).
    """
    n_fft = window.shape[-1]
    frames = framing.count_frames(y.shape[-1], frame_length=n_fft, hop_length=hop_length, center=center)
    lead = y.shape[:-1]
    clips = y.reshape(-1, y.shape[-1])

    half = n_fft // 2 if center else 0

    def section(y: jax.Array, start: int, stop: int) -> jax.Array:
        return framing.padded_section(y, start, stop, half=half, mode=pad_mode)

    run = _map_in_turns if platform() == "cpu" else _map_whole
    out = run(fn, clips, window, section, hop_length, frames)
    return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), out)


def _map_whole(
    fn: SpectrumFn,
    clips: jax.Array,
    window: jax.Array,
    section: Callable[[jax.Array, int, int], jax.Array],
    hop_length: int,
    frames: int,
) -> Any:
    """All frames of all clips in one transform."""
    n_fft = window.shape[-1]
    padded = section(clips, 0, n_fft + (frames - 1) * hop_length)
    rows = framing.split_frames(padded, frame_length=n_fft, hop_length=hop_length).reshape(-1, n_fft)
    out = fn(jnp.fft.rfft(rows * window[None, :]))
    return jax.tree.map(lambda x: x.reshape(clips.shape[0], frames, -1).swapaxes(-1, -2), out)


def _map_in_turns(
    fn: SpectrumFn,
    clips: jax.Array,
    window: jax.Array,
    section: Callable[[jax.Array, int, int], jax.Array],
    hop_length: int,
    frames: int,
) -> Any:
    """Some frames a turn, clip after clip, each result written to its place.

    A turn is cut into :func:`~mer_jax.signal.platform.ffts_per_turn` FFTs that do not wait for each other, so that all cores
    take part. Consecutive turns share ``n_fft - hop_length`` samples; the loop carries them over (rather than slicing the clip
    at a moving index) so that the reverse pass adds up gradients of those samples only, not of the whole clip, in every turn.
    """
    n_fft = window.shape[-1]
    # No more than a vector of rows: a turn is laid out frame by frame in the program, which should not grow.
    rows = min(frames, rows_per_step(n_fft, clips.dtype.itemsize), _SIMD_ROWS * 4 // clips.dtype.itemsize)
    turn = min(frames, ffts_per_turn() * rows)
    full, rest = divmod(frames, turn)
    overlap = max(0, n_fft - hop_length)
    fresh = turn * hop_length  # samples that a turn adds to those carried over
    hops_per_frame = -(-n_fft // hop_length)

    def cut(samples: jax.Array, first: int, count: int) -> jax.Array:
        # Few long, vectorised copies: hop by hop of all frames, or frame by frame where a frame has more hops than these.
        buffer = jnp.zeros((count, n_fft), samples.dtype)
        if hops_per_frame < count:
            hops = framing.fit(samples, -(-samples.shape[0] // hop_length) * hop_length)
            hops = hops.reshape(-1, hop_length)[first:]
            for k in range(hops_per_frame):
                part = slice(k * hop_length, min(n_fft, (k + 1) * hop_length))
                new = hops[k : k + count, : part.stop - part.start] * window[None, part]
                buffer = buffer.at[:, part].set(new)
        else:
            for row in range(count):
                start = (first + row) * hop_length
                buffer = buffer.at[row].set(samples[start : start + n_fft] * window)
        return buffer

    def one_turn(out: Any, samples: jax.Array, clip: jax.Array, frame: jax.Array | int, count: int) -> Any:
        for first in range(0, count, rows):
            windowed = cut(samples, first, min(rows, count - first))
            features = fn(jnp.fft.rfft(windowed))
            out = _write(out, features, clip, frame + first + busy(windowed))
        return out

    def one_clip(out: Any, indexed: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        index, clip = indexed

        def next_turn(carry: tuple[jax.Array, Any], block: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
            tail, out = carry
            number, new = block
            samples = jnp.concatenate([tail, new])
            return (samples[fresh:], one_turn(out, samples, index, number * turn, turn)), None

        blocks = section(clip, overlap, overlap + full * fresh).reshape(full, fresh)
        (tail, out), _ = lax.scan(next_turn, (section(clip, 0, overlap), out), (jnp.arange(full), blocks))
        if rest:
            last = section(clip, overlap + full * fresh, overlap + full * fresh + rest * hop_length)
            out = one_turn(out, jnp.concatenate([tail, last]), index, full * turn, rest)
        return out, None

    shapes = jax.eval_shape(
        fn, jax.ShapeDtypeStruct((rows, 1 + n_fft // 2), jnp.result_type(clips.dtype, jnp.complex64))
    )
    empty = jax.tree.map(lambda s: jnp.zeros((clips.shape[0], s.shape[1], frames), s.dtype), shapes)
    out, _ = lax.scan(one_clip, empty, (jnp.arange(clips.shape[0]), clips))
    return out


def _write(out: Any, features: Any, clip: jax.Array, frame: jax.Array | int) -> Any:
    """Put features (rows, features) into (clips, features, frames) at a clip and frame."""
    # The barrier keeps the arithmetic of `fn` out of the transposing copy, where it would not be vectorised.
    features = lax.optimization_barrier(features)
    return jax.tree.map(lambda whole, part: _put(whole, part.T[None], clip, frame), out, features)


@jax.custom_jvp
def _put(whole: jax.Array, part: jax.Array, clip: jax.Array, frame: jax.Array | int) -> jax.Array:
    """``whole`` with ``part`` at (clip, 0, frame), where it was 0."""
    return lax.dynamic_update_slice(whole, part, (clip, 0, frame))


@_put.defjvp
def _put_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    """The derivative, as a sum: writing over zeros is adding.

    A reverse pass transposes it into one read of the place written; transposing the write itself would also copy all of the
    result in every step, to clear that place.
    """
    whole, part, clip, frame = primals
    new = lax.dynamic_update_slice(jnp.zeros_like(whole), tangents[1], (clip, 0, frame))
    return _put(whole, part, clip, frame), tangents[0] + new


def magnitude_power(z: jax.Array, power: float) -> jax.Array:
    """``|z| ** power`` with a finite gradient where ``z`` is 0.

    >>> magnitude_power(jnp.array([3.0 + 4.0j, 0.0]), 2.0).tolist()
    [25.0, 0.0]
    """
    if power == 2:
        return jnp.square(z.real) + jnp.square(z.imag)
    magnitude = jnp.abs(z)
    if power == 1:
        return magnitude
    present = magnitude > 0
    return jnp.where(present, jnp.where(present, magnitude, 1) ** power, 0)

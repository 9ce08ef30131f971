"""Where the spectra of a spectral feature come from: a waveform with the options of its transform, or a spectrogram."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax._shapes import ArrayLike, Shaped
from mer_jax.signal import descriptors
from mer_jax.signal.descriptors import Frequencies
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import compute_dtype, widen
from mer_jax.signal.spectra import map_spectra
from mer_jax.signal.stft import frame_options
from mer_jax.signal.windows import WindowSpec

#: Frequencies of bins in hertz: (bins,), or a set for each frame.
Hertz = Sequence[float] | Shaped[ArrayLike, "..."]


class Source:
    """Where spectra come from: a waveform with the options of its transform, or a spectrogram."""

    def __init__(self, y: jax.Array | None, S: jax.Array | None, n_fft: int, framed: dict) -> None:
        self.y = y
        self.S = S
        self.n_fft = n_fft
        self.bins = 1 + n_fft // 2 if S is None else S.shape[-2]
        given = S if y is None else y
        assert given is not None  # spectra_of sees to it
        self.dtype = jnp.real(given).dtype
        self._window = framed.pop("window", None)
        self._framed = framed

    def __call__(self, descriptor: Callable, **of_rows: jax.Array | None) -> jax.Array:
        """Apply a descriptor of single spectra; (..., values, frames).

        ``of_rows`` are its further arguments, like ``S`` in (..., bins, frames); they need ``S``.
        """
        given = {name: value for name, value in of_rows.items() if value is not None}
        if self.y is None:
            return _from_spectrogram(self.S, given, descriptor=descriptor)
        return _from_waveform(self.y, self._window, descriptor=descriptor, **self._framed)

    def of_clips(self, fn: Callable) -> jax.Array:
        """Apply a function of the magnitudes of a whole clip, (bins, frames) to (values, frames)."""
        if self.y is None:
            return _clips_of_spectrogram(self.S, fn=fn)
        return _clips_of_waveform(self.y, self._window, fn=fn, **self._framed)

    def like_frames(self, name: str, values: ArrayLike, bins: int) -> jax.Array:
        """``values`` broadcast to ``bins`` values for each frame of ``S``, in the dtype of the computation."""
        assert self.S is not None  # the callers check it, each with its own words
        wanted = (*self.S.shape[:-2], bins, self.S.shape[-1])
        values = jnp.asarray(values, compute_dtype(self.dtype))
        try:
            return jnp.broadcast_to(values, wanted)
        except ValueError:
            raise checks.ArgumentError(
                name, f"has shape {tuple(values.shape)}", expected=f"one that broadcasts to {wanted}"
            ) from None


def spectra_of(
    y: ArrayLike | None,
    S: ArrayLike | None,
    n_fft: int,
    hop_length: int,
    win_length: int | None,
    window: WindowSpec,
    center: bool,
    pad_mode: str,
) -> Source:
    """Check where spectra come from and how.

    Raises:
        ArgumentError: unless exactly one of ``y`` and ``S`` is given and every option of the transform can be used.
    """
    checks.exactly_one(("y", "S"), (y, S))
    if S is not None:
        S = checks.spectrogram(S)
        fits = n_fft // 2 + 1 == S.shape[-2]
        return Source(None, S, n_fft if fits else 2 * (S.shape[-2] - 1), {})
    assert y is not None  # exactly one is given
    y = checks.waveform(y)
    return Source(y, None, n_fft, frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode))


def frequencies_of(sr: float, freq: Hertz | None, source: Source) -> tuple[Frequencies, jax.Array | None]:
    """Frequencies that are the same in all frames, and, where they are not (or are traced), those of each frame."""
    checks.positive("sr", sr)
    usual = Frequencies(float(sr), source.n_fft)
    if freq is None:
        return usual, None
    if np.ndim(freq) == 1 and not isinstance(freq, jax.core.Tracer):
        values = np.asarray(freq, np.float64)
        usual = Frequencies(float(sr), source.n_fft, tuple(values.tolist()))
        usual.hertz(source.bins)  # one that does not fit is named here, not while the program is traced
        return usual, None
    hz = jnp.asarray(freq)
    if source.S is None:
        raise checks.ArgumentError(
            "freq", f"has shape {hz.shape} without S", expected="(bins,), or S, whose frames they belong to"
        )
    return usual, source.like_frames("freq", hz[:, None] if hz.ndim == 1 else hz, bins=source.bins)


@partial(jax.jit, static_argnames=("descriptor", "hop_length", "center", "pad_mode"))
def _from_waveform(
    y: jax.Array, window: jax.Array, *, descriptor: Callable, hop_length: int, center: bool, pad_mode: str
) -> jax.Array:
    def describe(z: jax.Array) -> jax.Array:
        return descriptor(descriptors.magnitude(z))

    out = map_spectra(describe, widen(y), window, hop_length=hop_length, center=center, pad_mode=pad_mode)
    return out.astype(y.dtype)


@partial(jax.jit, static_argnames=("descriptor",))
def _from_spectrogram(S: jax.Array, of_rows: dict[str, jax.Array], *, descriptor: Callable) -> jax.Array:
    def rows(x: jax.Array) -> jax.Array:
        return jnp.swapaxes(x, -1, -2).reshape(-1, x.shape[-2])

    out = descriptor(descriptors.magnitude(rows(_widened(S))), **jax.tree.map(rows, of_rows))
    frames = out.reshape(*S.shape[:-2], S.shape[-1], -1)
    return jnp.swapaxes(frames, -1, -2).astype(jnp.real(S).dtype)


@partial(jax.jit, static_argnames=("fn", "hop_length", "center", "pad_mode"))
def _clips_of_waveform(
    y: jax.Array, window: jax.Array, *, fn: Callable, hop_length: int, center: bool, pad_mode: str
) -> jax.Array:
    def of_clip(clip: jax.Array) -> jax.Array:
        S = map_spectra(jnp.abs, clip, window, hop_length=hop_length, center=center, pad_mode=pad_mode)
        return fn(S)

    return per_clip(of_clip, widen(y)).astype(y.dtype)


@partial(jax.jit, static_argnames=("fn",))
def _clips_of_spectrogram(S: jax.Array, *, fn: Callable) -> jax.Array:
    out = per_clip(lambda clip: fn(jnp.abs(clip)), _widened(S), core_ndim=2)
    return out.astype(jnp.real(S).dtype)


def _widened(S: jax.Array) -> jax.Array:
    """``S``, real or complex, in the precision in which it is processed."""
    return S if jnp.iscomplexobj(S) else widen(S)

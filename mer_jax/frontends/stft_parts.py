"""The parts of front-ends that start from a short-time Fourier transform, as they are when they are learnt."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from mer_jax._shapes import Array, Float
from mer_jax.frontends.learnable import about, between, free_of
from mer_jax.signal import filterbanks, framing
from mer_jax.signal.filterbanks import FilterBank
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.spectra import map_spectra
from mer_jax.signal.windows import centered_window

MEL_PARAMETERS = ("matrix", "triangles")


class Spectra(nnx.Module):
    """Windowed spectra of frames, with a window or Fourier kernels that are learnt.

    ``X[k, t] = sum_n w[n] y[t hop + n] K[n, k]``: the window ``w`` (n_fft,) starts as a named one, the kernels ``K`` (n_fft, 2
    bins; real parts, then imaginary ones) as ``exp(-2 pi i k n / n_fft)``. Kernels that are not learnt are an FFT.

    Args:
        n_fft: samples a frame.
        hop_length: samples between frames.
        window: name of a SciPy window.
        parts: which of ``window`` and ``kernels`` are learnt.
    """

    def __init__(self, *, n_fft: int, hop_length: int, window: str, parts: tuple[str, ...]) -> None:
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window = window
        samples = jnp.asarray(centered_window(window, n_fft, n_fft), jnp.float32)
        self.learnt_window = nnx.Param(samples) if "window" in parts else None
        kernels = _fourier_kernels(n_fft) if "kernels" in parts else None
        self.kernels = None if kernels is None else nnx.Param(jnp.asarray(kernels, jnp.float32))

    def map(self, fn: Callable[[jax.Array], jax.Array], waveforms: jax.Array) -> jax.Array:
        """Apply ``fn``, from spectra (rows, bins) to values (rows, features); (batch, features, frames)."""
        x = widen(waveforms)
        if self.learnt_window is None:
            window = jnp.asarray(centered_window(self.window, self.n_fft, self.n_fft, x.dtype))
        else:
            window = self.learnt_window[...].astype(x.dtype)
        kernels = None if self.kernels is None else self.kernels[...].astype(x.dtype)

        def of_clip(clip: jax.Array) -> jax.Array:
            if kernels is None:
                return map_spectra(fn, clip, window, hop_length=self.hop_length)
            padded = framing.pad_centered(clip, self.n_fft, mode="constant")
            rows = framing.split_frames(padded, frame_length=self.n_fft, hop_length=self.hop_length)
            parts = jnp.dot(rows * window[None, :], kernels, precision=lax.Precision.HIGHEST)
            real, imaginary = jnp.split(parts, 2, axis=1)
            return fn(lax.complex(real, imaginary)).T

        return per_clip(of_clip, x, recompute=True).astype(waveforms.dtype)


def _fourier_kernels(n_fft: int) -> np.ndarray:
    # Only the product modulo n_fft counts: small angles keep all digits.
    turns = np.outer(np.arange(n_fft), np.arange(1 + n_fft // 2)) % n_fft / n_fft
    return np.concatenate([np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)], axis=1)


class MelBank(nnx.Module):
    """Mel filters that are learnt, applied to power spectra.

    ``matrix``: every weight is free, held relative to its filter's peak. A filter may take negative weights; the magnitude of
    its output is taken, so energies never fall below 0.

    ``triangles``: each filter stays a triangle of unit area (Slaney's), of which the centre, within 0..sr/2, and the widths
    below and above it, within a factor of 16 of where they start, are learnt.

    Args:
        form: ``matrix`` or ``triangles``.
        options: keyword arguments of :func:`mer_jax.signal.filterbanks.mel`.
    """

    def __init__(self, *, form: str, options: dict[str, Any]) -> None:
        self.form = form
        self.options = tuple(options.items())
        self.nyquist_hz = options["sr"] / 2
        if form == "matrix":
            weights = filterbanks.mel(**options)
            self.weights = nnx.Param(jnp.asarray(weights / _peaks(weights), jnp.float32))
        else:
            centre_hz = self._corners_hz()[1]
            self.centre = nnx.Param(jnp.asarray(free_of(centre_hz, 0.0, self.nyquist_hz), jnp.float32))
            self.below = nnx.Param(jnp.zeros(len(centre_hz)))
            self.above = nnx.Param(jnp.zeros(len(centre_hz)))

    def _corners_hz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        known = dict(self.options)
        fmax = self.nyquist_hz if known["fmax"] is None else known["fmax"]
        corners = filterbanks.mel_frequencies(
            known["n_mels"] + 2, fmin=known["fmin"], fmax=fmax, htk=known["htk"]
        )
        return corners[:-2], corners[1:-1], corners[2:]

    def triangles(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Centre of each triangle and its widths below and above it, in hertz (form ``triangles``)."""
        low, centre, high = self._corners_hz()
        below = about(self.below[...], centre - low, 16.0)
        above = about(self.above[...], high - centre, 16.0)
        return between(self.centre[...], 0.0, self.nyquist_hz), below, above

    def matrix(self) -> Float[Array, "filters bins"]:
        """Weights of the filters, in the unit of :func:`mer_jax.signal.filterbanks.mel`."""
        if self.form == "matrix":
            peaks = _peaks(filterbanks.mel(**dict(self.options)))
            return self.weights[...] * jnp.asarray(peaks, jnp.float32)
        known = dict(self.options)
        centre, below, above = (hz[:, None] for hz in self.triangles())
        bins_hz = jnp.asarray(np.fft.rfftfreq(known["n_fft"], 1.0 / known["sr"]), jnp.float32)[None, :]
        distance = bins_hz - centre
        height = jnp.minimum(1 + distance / below, 1 - distance / above)
        return jnp.maximum(0.0, height) * (2.0 / (below + above))

    def rows(self) -> Callable[[jax.Array], jax.Array]:
        """The function from power spectra (rows, bins) to energies (rows, filters)."""
        weights = self.matrix().T

        def apply(power: jax.Array) -> jax.Array:
            found = jnp.dot(power, weights.astype(power.dtype), precision=lax.Precision.HIGHEST)
            return jnp.abs(found) if self.form == "matrix" else found

        return apply


def fixed_rows(options: dict[str, Any]) -> Callable[[jax.Array], jax.Array]:
    """The same function with mel filters that are not learnt."""
    return FilterBank(filterbanks.mel(**options)).on_rows


def _peaks(weights: np.ndarray) -> np.ndarray:
    """Largest weight of each filter, (filters, 1); 1 for one that lies between two bins."""
    peaks = weights.max(axis=1, keepdims=True)
    return np.where(peaks > 0, peaks, 1.0)

"""Constant-Q magnitudes where only the low bins pay for a constant-Q transform.

Kernels that fit into two hops gain nothing from being moved sample by sample: for those bins, the highest, the magnitudes
of an ordinary Hann-windowed STFT are weighted with the magnitudes of the kernels' spectra. Phases are lost.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax._shapes import Array, Float
from mer_jax.signal.constantq import build_bank
from mer_jax.signal.cq_kernels import ConstantQ, Step, check_band, sparse_spectrum
from mer_jax.signal.cq_response import responder
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen
from mer_jax.signal.stft import stft


def hybrid_cqt(y: Float[Array, "*batch samples"], transform: ConstantQ) -> Float[Array, "*batch bins frames"]:
    """Magnitudes of each bin of a constant-Q transform (``gamma`` 0).

    Raises:
        ArgumentError: if the highest kernel passes half the sampling rate, or the clip is too short.

    Source:
        ``librosa.hybrid_cqt`` 0.11.
    """
    check_band(transform)
    two_hops = 2 * transform.hop_length
    high = int(np.sum(2.0 ** np.ceil(np.log2(transform.lengths(transform.sr))) < two_hops))
    low = transform.n_bins - high

    basis, n_fft = None, 0
    if high:
        upper = replace(transform, fmin=float(transform.frequencies_hz[low]), n_bins=high)
        # The frame holds the longest kernel and two hops, both rounded up to powers of two.
        n_fft = 2 ** int(np.ceil(np.log2(max(upper.lengths(upper.sr).max(), two_hops))))
        basis = np.abs(sparse_spectrum(upper, slice(0, high), upper.sr, n_fft)) / np.sqrt(n_fft)
    kernels: tuple[np.ndarray, ...] = ()
    steps: tuple[Step, ...] = ()
    if low:
        bank = build_bank(replace(transform, n_bins=low), method="librosa", num_samples=y.shape[-1])
        kernels, steps = bank.kernels, bank.steps
    return _hybrid(y, kernels, basis, steps=steps, n_fft=n_fft, hop_length=transform.hop_length)


@partial(jax.jit, static_argnames=("steps", "n_fft", "hop_length"))
def _hybrid(
    y: jax.Array,
    kernels: tuple[jax.Array, ...],
    basis: jax.Array | None,
    *,
    steps: tuple[Step, ...],
    n_fft: int,
    hop_length: int,
) -> jax.Array:
    wide = widen(y)
    respond = (
        responder(kernels, steps, pad_mode="constant", num_samples=y.shape[-1], dtype=wide.dtype)
        if steps
        else None
    )

    def clip(x: jax.Array) -> jax.Array:
        parts = []
        if respond is not None:
            parts.append(jnp.abs(lax.complex(*respond(x))).T)
        if basis is not None:
            spectrum = jnp.abs(stft(x, n_fft=n_fft, hop_length=hop_length))
            parts.append(jnp.dot(basis.astype(x.dtype), spectrum, precision=lax.Precision.HIGHEST))
        frames = min(part.shape[1] for part in parts)
        return jnp.concatenate([part[:, :frames] for part in parts])

    return per_clip(clip, wide).astype(y.dtype)

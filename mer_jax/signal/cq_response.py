"""The response of one clip to the kernels of a constant-Q transform, step by step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from mer_jax.signal.correlation import correlator
from mer_jax.signal.cq_kernels import Step
from mer_jax.signal.decimation import decimated_length, decimator
from mer_jax.signal.first_halving import pays, shortcut

Parts = tuple[jax.Array, jax.Array]


def responder(
    kernels: tuple[jax.Array, ...],
    steps: tuple[Step, ...],
    *,
    pad_mode: str,
    num_samples: int,
    dtype: DTypeLike,
) -> Callable[[jax.Array], Parts]:
    """Return the function that maps one clip, shape (num_samples,), to the bins' real and imaginary parts.

    Both parts have shape (frames, n_bins): what is done with them next is left to the caller. The kernels are laid out
    here, so call this outside the loop over clips.
    """
    kernels = tuple(jnp.asarray(kernel, dtype) for kernel in kernels)
    correlators = [correlator(k, stride=step.hop_length) for k, step in zip(kernels, steps, strict=True)]
    decimators = {factor: decimator(factor, dtype) for factor in {step.decimation for step in steps} - {1}}
    frames = _count_frames(num_samples, steps)
    quarter = None
    if pad_mode == "constant" and pays(steps, kernels, num_samples):
        quarter = shortcut(kernels[1], steps[1], dtype)

    def correlate(x: jax.Array, index: int) -> jax.Array:
        center = steps[index].center
        if pad_mode == "constant":
            return correlators[index](x, center, frames)
        padded = jnp.pad(x, (center, kernels[index].shape[0] - center), mode=pad_mode)
        return correlators[index](padded, 0, frames)

    def respond(x: jax.Array) -> Parts:
        outs = []
        for index, step in enumerate(steps):
            if quarter is not None and index == 1:
                out, x = quarter(x, frames)  # x is then at the rate of the next step
            else:
                if step.decimation > 1 and (quarter is None or index != 2):
                    x = decimators[step.decimation](x)
                out = correlate(x, index)
            outs.append(out)
        real, imaginary = zip(*(jnp.split(out, 2, axis=1) for out in reversed(outs)), strict=True)
        return jnp.concatenate(real, axis=1), jnp.concatenate(imaginary, axis=1)

    return respond


def _count_frames(num_samples: int, steps: tuple[Step, ...]) -> int:
    """Frames that every octave has; rounding up at a decimation may give the lower ones more."""
    counts = []
    for step in steps:
        num_samples = decimated_length(num_samples, step.decimation)
        counts.append(1 + num_samples // step.hop_length)
    return min(counts)

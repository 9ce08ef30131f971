"""A shorter way from the first octave of a constant-Q transform to the third (on a CPU).

Half of all the work of the octave recursion is its first decimation: 381 taps for every second sample of the clip. But what
the sharp edge of that filter ``D`` separates matters to nobody except the second octave's kernels ``K``, whose frames lie a
whole hop apart. So

* the second octave is taken from the clip itself, with the kernels ``K * D`` (longer, but needed once a hop only), and
* the rest of the recursion continues with a signal halved by a short half-band filter ``H`` instead. Below the band
  that the next ``D`` passes, both filters are flat to 5e-7; what ``H`` leaves above it, that ``D`` removes.

The recursion also cuts each decimated signal at the ends of the clip, where ``D`` rings on for 95 samples. What is cut off
there is computed, and subtracted from both: ``K cut(D y) = (K D) y - K ring`` and ``D cut(D y) = D (H y - ring)``.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from mer_jax.signal.correlation import correlator
from mer_jax.signal.cq_kernels import Step
from mer_jax.signal.decimation import decimated_length, decimation_filters, inner_halver
from mer_jax.signal.platform import platform

# Samples, at half the rate, by which D rings on before the clip; and after it, which may end on an odd sample.
RING = len(decimation_filters(2)[0]) // 4 + 1
_HALF_BAND = decimation_filters(8)[0]


def pays(steps: tuple[Step, ...], kernels: tuple[jax.Array, ...], num_samples: int) -> bool:
    """Whether there is a third octave, the clip is long enough, and the longer kernels cost less than they save.

    Args:
        steps: of the whole transform.
        kernels: of each step, shape (taps, channels).
        num_samples: of a clip.
    """
    if platform() != "cpu" or len(steps) < 3 or not steps[1].decimation == steps[2].decimation == 2:
        return False
    if num_samples < 16 * RING or steps[1].center < RING:
        return False
    # Products per frame: those that K * D takes more than K, against D's (384 for each sample of the hop) less H's.
    taps, channels = kernels[1].shape
    return channels * (taps + len(decimation_filters(2)[0])) < 250 * steps[1].hop_length


def shortcut(
    kernel: jax.Array, step: Step, dtype: DTypeLike
) -> Callable[[jax.Array, int], tuple[jax.Array, jax.Array]]:
    """Return ``quarter(x, frames)``: the second octave's response (frames, channels), and the third's signal.

    Args:
        kernel: the second octave's kernels ``K``, shape (taps, channels).
        step: their hop and centre at half the rate.
        dtype: of the clips.
    """
    sharp = decimation_filters(2)[0]
    side = len(sharp) // 2
    decimate = correlator(jnp.asarray(sharp[:, None], dtype), stride=2)
    at_half_rate = correlator(kernel, stride=step.hop_length)
    at_full_rate = correlator(_with_filter(kernel, sharp), stride=2 * step.hop_length)
    halve_again = inner_halver(RING, dtype)

    def quarter(x: jax.Array, frames: int) -> tuple[jax.Array, jax.Array]:
        length, hop = decimated_length(x.shape[0], 2), step.hop_length
        before = decimate(x[:side], 2 * RING + side, RING)[:, 0]
        after = decimate(x[2 * length - side :], 0, RING)[:, 0]

        out = at_full_rate(x, 2 * step.center + side, frames)
        # The first frames reach before the clip, those from `last` on past its end.
        first = min(frames, -(-step.center // hop))
        last = max(0, (length - kernel.shape[0] + step.center) // hop + 1)
        out = out.at[:first].add(-at_half_rate(before, step.center - RING, first))
        if last < frames:
            out = out.at[last:].add(-at_half_rate(after, length + step.center - last * hop, frames - last))

        soft = _half_band(x, length + 2 * RING)
        soft = jnp.concatenate([soft[:RING] - before, soft[RING:-RING], soft[-RING:] - after])
        return out, halve_again(soft)

    return quarter


def _with_filter(kernel: jax.Array, taps: np.ndarray) -> jax.Array:
    """Kernels at twice the rate that answer a signal as ``kernel`` answers it filtered by ``taps`` and halved."""
    num = kernel.shape[0]
    shifted = np.zeros((num, 2 * num - 2 + len(taps)))
    for n in range(num):
        shifted[n, 2 * n : 2 * n + len(taps)] = taps
    return jnp.dot(jnp.asarray(shifted.T, kernel.dtype), kernel, precision=lax.Precision.HIGHEST)


def _half_band(x: jax.Array, num: int) -> jax.Array:
    """``num`` samples of ``x`` after the half-band filter, every second one, from ``RING`` before the first on.

    Apart from its centre the filter reads odd samples only: even and odd ones are laid out apart, and each tap is then
    one multiplication of two whole, shifted arrays.
    """
    one_side = _HALF_BAND[len(_HALF_BAND) // 2 + 1 :: 2]
    reach = len(one_side)
    start = 2 * (RING + reach)
    padded = jnp.pad(x, (start, 2 * (num + 2 * reach) - start - x.shape[0])).reshape(-1, 2)
    even, odd = lax.optimization_barrier((padded[:, 0], padded[:, 1]))
    out = 0.5 * even[reach : reach + num]
    for j, tap in enumerate(one_side):
        later, earlier = odd[reach + j : reach + j + num], odd[reach - 1 - j : reach - 1 - j + num]
        out = out + float(tap) * (later + earlier)
    return out

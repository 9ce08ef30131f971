"""A network that says something of every step of a clip, such as each half second: one output a step and not one a clip."""

import dataclasses
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Float
from mer_jax.models.recurrent import RecurrentConfig, RecurrentNetwork


class SequenceNetwork(RecurrentNetwork):
    """[Conv1D, ReLU, max-pool 2] -> [recurrent layer, all states] -> mean over each step -> dense, ReLU, dropout -> outputs.

    Step k is the samples from ``k * step_samples`` to ``(k + 1) * step_samples`` of the clip; its vector is the mean of the
    states whose frames have their centre in it. Frame t is centred on sample ``t * hop_length``, and after the max-pooling on
    the middle of its two frames. The dense layers are the same for every step. A step without a valid frame gives the outputs
    of a vector of zeros.

    Args:
        config: sizes and architecture; ``pool`` is not used.
        num_features: size of the last axis of the input.
        num_outputs: numbers a step.
        num_steps: steps of a clip.
        hop_length: samples from one frame to the next.
        step_samples: samples of a step.
        dtype: as of :class:`RecurrentNetwork`.
        rngs: keys of the initial values.

    Raises:
        mer_jax.checks.ConfigError: frames are too far apart for each step to hold two.
    """

    def __init__(
        self,
        config: RecurrentConfig,
        *,
        num_features: int,
        num_outputs: int,
        num_steps: int,
        hop_length: int,
        step_samples: float,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("num_steps", num_steps)
        apart = hop_length * (2 if config.convolution else 1)
        if step_samples < 2 * apart:
            raise checks.ConfigError(
                "frontend.options",
                f"give a state every {apart} samples, and an output every {step_samples:g} is asked for",
                expected="at least two states an output",
                remedy="choose a smaller hop_length",
            )
        super().__init__(
            # Any number of frames: a step takes those that lie in it.
            dataclasses.replace(config, pool="mean"),
            num_features=num_features,
            num_classes=num_outputs,
            num_frames=2,
            dtype=dtype,
            rngs=rngs,
        )
        self.num_steps = num_steps
        self.hop_length = hop_length
        self.step_samples = step_samples

    def _pool(self, x: jax.Array, valid: jax.Array) -> jax.Array:
        """(batch, frames, width) to (batch, steps, width): the mean over the valid frames of each step."""
        of_step = jnp.asarray(
            frames_of_steps(
                x.shape[1],
                self.num_steps,
                hop_length=self.hop_length,
                step_samples=self.step_samples,
                pooled=self.config.convolution,
            ),
            x.dtype,
        )
        weight = valid.astype(x.dtype)
        total = jnp.einsum("sf,bfw->bsw", of_step, x * weight[:, :, None])
        count = weight @ of_step.T
        return total / jnp.maximum(count, 1)[:, :, None]


@lru_cache(maxsize=32)
def frames_of_steps(
    num_frames: int, num_steps: int, *, hop_length: int, step_samples: float, pooled: bool
) -> Float[np.ndarray, "steps frames"]:
    """1 where a frame's centre lies in a step, else 0; a frame lies in one step at most.

    >>> frames_of_steps(5, 2, hop_length=4, step_samples=8, pooled=False).tolist()
    [[1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0]]
    """
    frames = np.arange(num_frames)
    centres = (2 * frames + 0.5) * hop_length if pooled else frames * float(hop_length)
    found = np.floor(centres / step_samples)[None, :] == np.arange(num_steps)[:, None]
    found = found.astype(np.float32)
    found.flags.writeable = False
    return found

"""Standardisation of features with the mean and standard deviation of the training fold."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Bool, Float

Moments = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Of some frames: their number, and for each feature the mean and the sum of squared deviations from it."""


class Statistic(nnx.Variable):
    """A value measured on the training fold: saved with the model, never trained."""


class Normalizer(nnx.Module):
    """(features - mean) / std, feature by feature. A new one changes nothing: mean 0, std 1.

    Args:
        num_features: size of the last axis.

    Attributes:
        mean: (features,) mean over the valid frames of the training fold.
        std: (features,) their standard deviation; 1 for a feature that is constant there.

    Raises:
        mer_jax.checks.ArgumentError: ``num_features`` is not a positive integer.
    """

    def __init__(self, num_features: int) -> None:
        checks.positive_int("num_features", num_features)
        self.mean = Statistic(jnp.zeros((num_features,)))
        self.std = Statistic(jnp.ones((num_features,)))

    def __call__(self, features: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
        """Standardised features."""
        shape = (1,) * (features.ndim - 1) + (-1,)
        return (features - self.mean[...].reshape(shape)) / self.std[...].reshape(shape)

    def take(self, other: "Normalizer") -> None:
        """Take over what another one measured."""
        self.mean[...], self.std[...] = other.mean[...], other.std[...]

    @classmethod
    def fit(cls, batches: Iterable[tuple[ArrayLike, ArrayLike | None]]) -> "Normalizer":
        """Measure mean and standard deviation in one pass over batches of (features, mask).

        Args:
            batches: features (batch, frames, features), mask (batch, frames) True on frames that count, or None if all do.

        Raises:
            mer_jax.checks.DataError: no frame at all, or a value that is not finite.
        """
        return cls.from_moments(
            moments(jnp.asarray(x), jnp.ones(x.shape[:2], bool) if mask is None else jnp.asarray(mask))
            for x, mask in batches
        )

    @classmethod
    def from_moments(cls, parts: Iterable[Moments]) -> "Normalizer":
        """Build from the :func:`moments` of parts of the data, merged in float64 (Chan, Golub & LeVeque 1983)."""
        count, mean, m2 = 0.0, np.zeros(()), np.zeros(())
        for part in parts:
            n, part_mean, part_m2 = (np.asarray(value, np.float64) for value in part)
            if n == 0:
                continue
            delta, total = part_mean - mean, count + float(n)
            mean = mean + delta * (n / total)
            m2 = m2 + part_m2 + delta**2 * (count * n / total)
            count = total
        if count == 0:
            raise checks.DataError("training features", "hold no valid frame", expected="at least one clip")
        bad = np.flatnonzero(~np.isfinite(mean + m2))
        if bad.size:
            raise checks.DataError(
                "training features",
                f"hold a value that is not finite (feature {bad[0]})",
                expected="finite numbers",
            )
        std = np.sqrt(m2 / count)
        # Below the resolution of float32 a spread is rounding error: dividing by it would make noise of a constant.
        std[std <= 1e-6 * np.abs(mean)] = 1.0
        normalizer = cls(mean.size)
        normalizer.mean[...] = jnp.asarray(mean, jnp.float32)
        normalizer.std[...] = jnp.asarray(std, jnp.float32)
        return normalizer


@jax.jit
def moments(
    features: Float[Array, "batch frames features"], mask: Bool[Array, "batch frames"]
) -> tuple[Array, Array, Array]:
    """Number of valid frames, and each feature's mean and sum of squared deviations over them (corrected two-pass)."""
    count = mask.sum()
    n = jnp.maximum(count, 1)
    valid = mask[:, :, None]
    mean = jnp.where(valid, features, 0).sum(axis=(0, 1)) / n
    deviation = jnp.where(valid, features - mean[None, None], 0)
    remainder = deviation.sum(axis=(0, 1)) / n  # what rounding left of the mean
    squares = (deviation**2).sum(axis=(0, 1)) - n * remainder**2
    # Of a constant, rounding can leave less than nothing.
    return count, mean + remainder, jnp.maximum(squares, 0)

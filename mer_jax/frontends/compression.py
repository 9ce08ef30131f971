"""Compressions of energies with parameters for each feature: decibels, logarithm, and per-channel energy normalisation.

Each maps energies or magnitudes (batch, features, frames), not negative, to values of the same shape.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks, signal
from mer_jax._shapes import Array, Float
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.frontends.learnable import Trainable, about, between, chosen_parts, free_of, parameter
from mer_jax.signal.precision import widen


class Decibels(nnx.Module):
    """Decibels ``a log10(max(x, floor))``, at most ``range`` below the clip's maximum.

    ``a`` (decibels a decade) and ``floor`` are those of each feature, ``range`` (decibels) is one for all. They start as
    :func:`mer_jax.signal.power_to_db` (``a`` 10, floor 1e-10) or ``amplitude_to_db`` (20, 1e-5) have them, range 80, and stay
    positive: within a factor of 10, of 1e4, and of 4.

    Args:
        num_features: how many features.
        decade_db: ``a`` at the start: 10 for powers, 20 for magnitudes.
    """

    def __init__(self, num_features: int, *, decade_db: float) -> None:
        self.decade_db = decade_db
        self.slope = nnx.Param(jnp.zeros((num_features,)))
        self.floor = nnx.Param(jnp.zeros((num_features,)))
        self.range = nnx.Param(jnp.zeros(()))

    def __call__(self, x: Float[Array, "batch features frames"]) -> Float[Array, "batch features frames"]:
        """Decibels."""
        slope = about(self.slope[...], self.decade_db, 10.0)[None, :, None]
        floor = about(self.floor[...], 10.0 ** (-100 / self.decade_db), 1e4)[None, :, None]
        db = slope * jnp.log10(jnp.maximum(floor, widen(x)))
        lowest = db.max(axis=(1, 2), keepdims=True) - about(self.range[...], 80.0, 4.0)
        return jnp.maximum(db, lowest).astype(x.dtype)


class LogCompression(nnx.Module):
    """Natural logarithm ``log(x + e)``; ``e`` is that of each feature, within a factor of 1e3 of where it starts.

    Args:
        num_features: how many features.
        offset: ``e`` at the start.
        learnt: whether ``e`` is learnt.
    """

    def __init__(self, num_features: int, *, offset: float, learnt: bool) -> None:
        self.start = offset
        self.offset = parameter(np.zeros(num_features), learnt=learnt)

    def __call__(self, x: Float[Array, "batch features frames"]) -> Float[Array, "batch features frames"]:
        """Logarithms."""
        offset = about(self.offset[...], self.start, 1e3)[None, :, None]
        return jnp.log(widen(x) + offset).astype(x.dtype)


class Log1pCompression(nnx.Module):
    """``log(1 + 10^a x)``; ``a`` is that of each feature and may be any number.

    Args:
        num_features: how many features.
        exponent: ``a`` at the start.
        learnt: whether ``a`` is learnt.

    Source:
        Schlüter and Gutenbrunner, *EfficientLEAF: a faster learnable audio frontend of questionable use* (EUSIPCO 2022).
    """

    def __init__(self, num_features: int, *, exponent: float, learnt: bool) -> None:
        self.exponent = parameter(np.full(num_features, exponent), learnt=learnt)

    def __call__(self, x: Float[Array, "batch features frames"]) -> Float[Array, "batch features frames"]:
        """Compressed values."""
        # Beyond 10^30 float32 would overflow.
        exponent = 30 * jnp.tanh(self.exponent[...] / 30)
        return jnp.log1p(10.0 ** exponent[None, :, None] * widen(x)).astype(x.dtype)


class PCENLayer(nnx.Module):
    """Per-channel energy normalisation of any energies, with parameters for each channel (feature).

    ``P = (E / (eps + M)^alpha + delta)^r - delta^r`` with ``M[t] = (1 - s) M[t - 1] + s E[t]``, ``M[0] = E[0]``, computed by
    :func:`mer_jax.signal.pcen`. ``s``, ``alpha`` and ``r`` stay between 0 and 1, ``delta`` above 0 (within a factor of 1000 of
    where it starts). Everything is without unit.

    Args:
        num_features: how many channels.
        alpha: strength of the gain control.
        delta: bias.
        power: ``r``, exponent of the compression.
        smoothing: ``s``, coefficient of the smoother, of one frame.
        eps: floor of the smoothed energy, above 0; not learnt.
        floor: energies below count as this; not learnt.
        trainable: which of ``alpha``, ``delta``, ``power``, ``smoothing`` are learnt.

    Raises:
        mer_jax.checks.ArgumentError: a value that is out of range, or an unknown part.

    Source:
        Wang, Getreuer, Hughes, Lyon and Saurous, *Trainable frontend for robust and far-field keyword spotting* (ICASSP 2017),
        equations 1 and 2; per-channel smoothing as in LEAF (ICLR 2021).
    """

    parts = ("alpha", "delta", "power", "smoothing")

    def __init__(
        self,
        num_features: int,
        *,
        alpha: float = 0.98,
        delta: float = 2.0,
        power: float = 0.5,
        smoothing: float = 0.025,
        eps: float = 1e-6,
        floor: float = 0.0,
        trainable: Trainable = True,
    ) -> None:
        checks.positive_int("num_features", num_features)
        for name, value in (("alpha", alpha), ("power", power), ("smoothing", smoothing)):
            checks.in_range(name, value, 1e-4, 1 - 1e-4)
        for name, value in (("delta", delta), ("eps", eps)):
            checks.positive(name, value)
        checks.in_range("floor", floor, 0.0, float("inf"))
        self.eps = eps
        self.floor = floor
        self.delta_start = delta
        learnt = chosen_parts(trainable, self.parts)

        def held(name: str, value: float) -> nnx.Variable:
            return parameter(np.full(num_features, free_of(value, *_UNIT)), learnt=name in learnt)

        self.alpha = held("alpha", alpha)
        self.power = held("power", power)
        self.smoothing = held("smoothing", smoothing)
        self.delta = parameter(np.zeros(num_features), learnt="delta" in learnt)

    def values(self) -> dict[str, jax.Array]:
        """The parameters as the formula has them, (features,) each."""
        return {
            "alpha": between(self.alpha[...], *_UNIT),
            "delta": about(self.delta[...], self.delta_start, 1e3),
            "power": between(self.power[...], *_UNIT),
            "smoothing": between(self.smoothing[...], *_UNIT),
        }

    def __call__(self, x: Float[Array, "batch features frames"]) -> Float[Array, "batch features frames"]:
        """Normalised values."""
        energies = jnp.maximum(widen(x), self.floor) if self.floor else widen(x)
        found = {name: value[:, None].astype(energies.dtype) for name, value in self.values().items()}
        b = found["smoothing"]
        out = signal.pcen(
            energies,
            gain=found["alpha"],
            bias=found["delta"],
            power=found["power"],
            b=b,
            eps=self.eps,
            zi=(1 - b)[None] * energies[..., :1],
        )
        assert isinstance(out, jax.Array)  # the pair with the state was not asked for
        return out.astype(x.dtype)


# Open to both sides: at 0 or 1 exactly a part of the formula, or of its gradient, vanishes.
_UNIT = (5e-5, 1 - 5e-5)


class WithPCEN(Frontend):
    """Per-channel energy normalisation on any front-end whose values are energies or magnitudes.

    Args:
        frontend: gives (batch, frames, features), not negative.
        trainable: of :class:`PCENLayer`.
        **options: of :class:`PCENLayer`.

    Raises:
        mer_jax.checks.ArgumentError: a value that is out of range, or an unknown part.

    >>> from mer_jax import frontends
    >>> WithPCEN(frontends.CQT(n_bins=24)).num_features
    24
    """

    def __init__(self, frontend: Frontend, *, trainable: Trainable = True, **options: float) -> None:
        super().__init__(sr=frontend.sr, hop_length=frontend.hop_length, feature_names=frontend.feature_names)
        self.frontend = frontend
        self.pcen = PCENLayer(frontend.num_features, trainable=trainable, **options)

    def bins(self) -> tuple[str, np.ndarray] | None:
        """Those of the front-end."""
        return self.frontend.bins()

    def num_frames(self, num_samples: int) -> int:
        """That of the front-end."""
        return self.frontend.num_frames(num_samples)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, features)."""
        return bins_last(self.pcen(bins_last(self.frontend(waveforms))))

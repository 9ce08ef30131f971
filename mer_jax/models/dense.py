"""Dense networks: the study's second model, and the head of its third."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, Bool, Float
from mer_jax.models.precision import logits_dtype

Activation = Literal["relu", "gelu", "silu", "tanh"]
Norm = Literal["batch", "layer", "none"]

_ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "silu": jax.nn.silu, "tanh": jnp.tanh}


@dataclass(frozen=True)
class DenseConfig:
    """A deep multi-layer perceptron over one vector a clip."""

    widths: tuple[int, ...] = (512, 256, 128, 64)
    """Units of each hidden layer."""
    activation: Activation = "relu"
    """relu, gelu, silu or tanh."""
    norm: Norm = "batch"
    """Normalisation after each hidden layer: batch, layer or none."""
    dropout: float = 0.3
    """Share of each hidden layer's outputs that training sets to zero."""

    def __post_init__(self) -> None:
        with checks.as_config("dense"):
            check_layers(self.widths, activation=self.activation, norm=self.norm, dropout=self.dropout)


class DenseStack(nnx.Module):
    """Dense layers, each with normalisation, activation and dropout, and a last one that gives logits.

    ``h_k = dropout(activation(norm(h_{k-1} W_k + b_k)))``, logits ``h_K W + b``. Weights start Glorot uniform, biases 0, as in
    Keras.

    Args:
        num_features: size of the input vector.
        widths: units of each hidden layer.
        num_classes: number of logits.
        activation: relu, gelu, silu or tanh.
        norm: batch, layer or none.
        dropout: share of outputs set to zero in training.
        dtype: to compute in (:mod:`.precision`); weights, statistics and logits stay in float32. None computes in the type of
            input and weights.
        rngs: keys of the initial weights.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or an unknown activation or norm.
    """

    def __init__(
        self,
        num_features: int,
        widths: Sequence[int],
        num_classes: int,
        *,
        activation: Activation = "relu",
        norm: Norm = "none",
        dropout: float = 0.3,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("num_features", num_features)
        checks.positive_int("num_classes", num_classes)
        check_layers(widths, activation=activation, norm=norm, dropout=dropout)
        self.activation = activation
        sizes = [num_features, *widths]
        init = nnx.initializers.glorot_uniform()
        self.layers = nnx.List(
            [nnx.Linear(a, b, kernel_init=init, dtype=dtype, rngs=rngs) for a, b in pairwise(sizes)]
        )
        self.norms = nnx.List([_norm(norm, width, dtype, rngs) for width in widths])
        self.dropout = nnx.Dropout(dropout)
        self.logits = nnx.Linear(
            sizes[-1], num_classes, kernel_init=init, dtype=logits_dtype(dtype), rngs=rngs
        )

    def __call__(
        self,
        x: Float[Array, "batch features"],
        *,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits; ``rngs`` feeds dropout and is needed unless ``deterministic``."""
        keys: Sequence[jax.Array | None] = [None] * len(self.layers)
        if not deterministic:
            key = rngs.dropout() if isinstance(rngs, nnx.Rngs) else rngs
            if key is None:
                raise checks.ArgumentError(
                    "rngs", "is None", expected="a key for dropout when not deterministic"
                )
            keys = list(jax.random.split(key, len(self.layers)))
        for layer, norm, key in zip(self.layers, self.norms, keys, strict=True):
            if isinstance(norm, nnx.BatchNorm):
                x = layer(x) if deterministic else _bias_at_rest(layer, x)
                x = norm(x, use_running_average=deterministic)
            else:
                x = layer(x) if norm is None else norm(layer(x))
            x = _ACTIVATIONS[self.activation](x)
            x = self.dropout(x, deterministic=deterministic, rngs=key)
        return self.logits(x)


class DenseNet(DenseStack):
    """The study's second model: dense 512, 256, 128, 64 with batch normalisation, ReLU and dropout, then logits.

    Takes one vector a clip, (batch, features), or (batch, frames, features), which it flattens.

    Args:
        num_features: size of the vector.
        num_classes: number of logits.
        config: widths, activation, normalisation, dropout.
        dtype: as of :class:`DenseStack`.
        rngs: keys of the initial weights.
    """

    def __init__(
        self,
        *,
        num_features: int,
        num_classes: int,
        config: DenseConfig | None = None,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        config = config or DenseConfig()
        super().__init__(
            num_features,
            config.widths,
            num_classes,
            activation=config.activation,
            norm=config.norm,
            dropout=config.dropout,
            dtype=dtype,
            rngs=rngs,
        )

    def __call__(
        self,
        x: Float[Array, "batch *features"],
        *,
        mask: Bool[Array, "batch frames"] | None = None,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits. Padded frames of a sequence (``mask`` False) count as zero."""
        if x.ndim == 3 and mask is not None:
            x = jnp.where(mask[:, :, None], x, 0)
        return super().__call__(x.reshape(x.shape[0], -1), deterministic=deterministic, rngs=rngs)


def _bias_at_rest(layer: nnx.Linear, x: jax.Array) -> jax.Array:
    """``x W + b`` without a gradient for ``b``.

    Batch statistics take a bias away again, so its gradient is zero but for rounding; Adam would make steps as long as the
    learning rate of that noise, and running averages, which follow slowly, let them into predictions.
    """
    assert layer.bias is not None
    x, kernel, bias = layer.promote_dtype((x, layer.kernel[...], layer.bias[...]), dtype=layer.dtype)
    return x @ kernel + jax.lax.stop_gradient(bias)[None]


def _norm(kind: Norm, width: int, dtype: DTypeLike | None, rngs: nnx.Rngs) -> nnx.Module | None:
    if kind == "batch":
        # Keras's defaults, so that the same data gives the same running averages.
        return nnx.BatchNorm(width, momentum=0.99, epsilon=1e-3, dtype=dtype, rngs=rngs)
    return nnx.LayerNorm(width, dtype=dtype, rngs=rngs) if kind == "layer" else None


def check_layers(
    widths: Sequence[int], *, activation: str = "relu", norm: str = "none", dropout: float = 0.3
) -> None:
    """Raise :class:`mer_jax.checks.ArgumentError` unless a :class:`DenseStack` can be built of these."""
    for width in widths:
        checks.positive_int("widths", width)
    checks.one_of("activation", activation, get_args(Activation))
    checks.one_of("norm", norm, get_args(Norm))
    if not 0 <= dropout < 1:
        raise checks.ArgumentError("dropout", f"is {dropout}", expected="a number in [0, 1)")

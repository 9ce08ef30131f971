"""Networks over sequences of feature vectors: 1D CNN + BiLSTM and the architectures that the study compares it with."""

from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Bool, Float
from mer_jax.models.lstm import KERNEL_INIT, LSTM, BiLSTM, SimpleRNN
from mer_jax.models.precision import logits_dtype
from mer_jax.signal.precision import widen

Architecture = Literal["dense", "rnn", "lstm", "bilstm", "cnn", "cnn_lstm", "cnn_bilstm"]
Pool = Literal["flatten", "mean", "last"]

DEFAULT_FRAMES = 216
"""Frames of 5 s at 22,050 Hz and hop 512: 1 + 110250 // 512."""


@dataclass(frozen=True)
class RecurrentConfig:
    """A network over the frames of a clip."""

    architecture: Architecture = "cnn_bilstm"
    """Layers before the pooling: none (dense), rnn, lstm, bilstm, cnn, cnn_lstm or cnn_bilstm."""
    conv_filters: int = 64
    """Filters of the convolution over time."""
    kernel_size: int = 3
    """Frames that a filter sees."""
    lstm_units: int = 64
    """Units of the recurrent layer, in each direction."""
    dense_units: int = 64
    """Units of the dense layer before the output."""
    dropout: float = 0.3
    """Share of the dense layer's outputs that training sets to zero."""
    pool: Pool = "flatten"
    """From frames to one vector: flatten (a fixed number of frames), mean over the valid frames, or last state. Not used by
    the task dynamic, which takes the mean over each step."""

    def __post_init__(self) -> None:
        with checks.as_config("recurrent"):
            checks.one_of("architecture", self.architecture, get_args(Architecture))
            checks.one_of("pool", self.pool, get_args(Pool))
            for name in ("conv_filters", "kernel_size", "lstm_units", "dense_units"):
                checks.positive_int(name, getattr(self, name))
            if not 0 <= self.dropout < 1:
                raise checks.ArgumentError("dropout", f"is {self.dropout}", expected="a number in [0, 1)")
        if self.pool == "last" and not self.recurrent:
            raise checks.ConfigError(
                "recurrent.pool",
                f"is 'last', but the architecture {self.architecture!r} has no state",
                expected="a recurrent architecture",
                remedy="use pool=flatten or pool=mean",
            )

    @property
    def convolution(self) -> bool:
        """Whether the network begins with a convolution and a max-pooling."""
        return self.architecture.startswith("cnn")

    @property
    def recurrent(self) -> str | None:
        """The recurrent layer: "rnn", "lstm", "bilstm" or None."""
        last = self.architecture.split("_")[-1]
        return last if last in ("rnn", "lstm", "bilstm") else None


class RecurrentNetwork(nnx.Module):
    """[Conv1D, ReLU, max-pool 2] -> [recurrent layer] -> pool -> dense, ReLU, dropout -> logits.

    The parts in brackets are there or not by ``config.architecture``. Padded frames are set to zero before the convolution
    and after the recurrent layer, and a pooled frame counts only if both frames under it do (the odd last one is dropped, as
    in Keras), so that with ``pool="mean"`` and ``"last"`` the logits of a clip do not depend on its padding.

    Args:
        config: sizes and architecture.
        num_features: size of the last axis of the input.
        num_classes: number of logits.
        num_frames: frames that ``pool="flatten"`` works on: input is cropped or padded with zeros to it. The other two work
            on any number and do not use it.
        dtype: to compute in (:mod:`.precision`); weights, recurrent state, pooling and logits stay in float32. None computes in
            the type of input and weights.
        rngs: keys of the initial values (Keras's: glorot uniform, orthogonal, zeros, forget bias 1).

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or fewer frames than one pooled frame needs.
    """

    def __init__(
        self,
        config: RecurrentConfig,
        *,
        num_features: int,
        num_classes: int,
        num_frames: int = DEFAULT_FRAMES,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("num_features", num_features)
        checks.positive_int("num_classes", num_classes, minimum=2)
        checks.positive_int("num_frames", num_frames, minimum=2 if config.convolution else 1)
        self.config = config
        self.num_frames = num_frames
        width = num_features
        # nnx wants each attribute assigned once: a layer or None.
        self.conv = _convolution(config, width, dtype, rngs)
        if config.convolution:
            width = config.conv_filters
        self.recurrent = _recurrent_layer(config, width, dtype, rngs)
        if config.recurrent:
            width = config.lstm_units * (2 if config.recurrent == "bilstm" else 1)
        if config.pool == "flatten":
            width *= num_frames // 2 if config.convolution else num_frames
        self.dense = nnx.Linear(width, config.dense_units, kernel_init=KERNEL_INIT, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(config.dropout)
        self.logits = nnx.Linear(
            config.dense_units, num_classes, kernel_init=KERNEL_INIT, dtype=logits_dtype(dtype), rngs=rngs
        )

    def __call__(
        self,
        features: Float[ArrayLike, "batch frames features"],
        *,
        mask: Bool[ArrayLike, "batch frames"] | None = None,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch *steps classes"]:
        """Logits of each clip.

        Args:
            features: standardised features.
            mask: True on valid frames, which come first in every clip; None if all are valid.
            deterministic: no dropout.
            rngs: where dropout takes its key from; needed unless ``deterministic``.

        Raises:
            mer_jax.checks.ArgumentError: one frame, where max-pooling needs two.
        """
        x = jnp.asarray(features)
        valid = jnp.ones(x.shape[:2], bool) if mask is None else jnp.asarray(mask)
        if self.config.pool == "flatten":
            x, valid = _fit_length(x, self.num_frames), _fit_length(valid, self.num_frames)
        x = x * valid[:, :, None]
        if self.conv is not None:
            if x.shape[1] < 2:
                raise checks.ArgumentError("features", "holds 1 frame", expected="at least 2 for max-pooling")
            x, valid = _max_pool(nnx.relu(self.conv(x)), valid)
        if self.recurrent is not None:
            x = self.recurrent(x, valid)
        x = nnx.relu(self.dense(self._pool(widen(x), valid)))
        x = self.dropout(x, deterministic=deterministic, rngs=rngs)
        return self.logits(x)

    def _pool(self, x: jax.Array, valid: jax.Array) -> jax.Array:
        """(batch, frames, width) to (batch, features of the dense layer); padded frames count as zero or not at all."""
        count = valid.sum(axis=1)
        if self.config.pool == "mean":
            total = (x * valid[:, :, None]).sum(axis=1)
            return total / jnp.maximum(count, 1)[:, None]
        if self.config.pool == "flatten":
            return (x * valid[:, :, None]).reshape(x.shape[0], -1)
        last = jnp.maximum(count - 1, 0)
        end = jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]
        if self.config.recurrent != "bilstm":
            return end
        units = self.config.lstm_units
        # The backward direction ends at the first frame.
        return jnp.concatenate([end[:, :units], x[:, 0, units:]], axis=-1)


class CNNBiLSTM(RecurrentNetwork):
    """The study's network for time series: Conv1D 64, max-pool 2, BiLSTM 64 each way, flatten, dense 64, dropout, logits.

    Args:
        num_features: size of the last axis of the input.
        num_classes: number of logits.
        num_frames: frames that ``pool="flatten"`` works on (default: 5 s at 22,050 Hz and hop 512).
        conv_filters: filters of the convolution.
        kernel_size: frames that a filter sees.
        lstm_units: units of each direction.
        dense_units: units of the dense layer.
        dropout: share of the dense layer's outputs that training sets to zero.
        pool: "flatten", "mean" (over valid frames; any length) or "last" (state of each direction at its end).
        dtype: as of :class:`RecurrentNetwork`.
        rngs: keys of the initial values.

    Raises:
        mer_jax.checks.ConfigError: a value that the network cannot have.

    >>> model = CNNBiLSTM(num_features=3, num_classes=5, rngs=nnx.Rngs(0))
    >>> model(jnp.zeros((2, 216, 3))).shape
    (2, 5)
    """

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        num_frames: int = DEFAULT_FRAMES,
        conv_filters: int = 64,
        kernel_size: int = 3,
        lstm_units: int = 64,
        dense_units: int = 64,
        dropout: float = 0.3,
        pool: Pool = "flatten",
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        config = RecurrentConfig(
            conv_filters=conv_filters,
            kernel_size=kernel_size,
            lstm_units=lstm_units,
            dense_units=dense_units,
            dropout=dropout,
            pool=pool,
        )
        super().__init__(
            config,
            num_features=num_features,
            num_classes=num_classes,
            num_frames=num_frames,
            dtype=dtype,
            rngs=rngs,
        )


def build(
    config: RecurrentConfig,
    *,
    num_features: int,
    num_classes: int,
    num_frames: int,
    dtype: DTypeLike | None = None,
    rngs: nnx.Rngs,
) -> RecurrentNetwork:
    """The network that ``config`` describes; arguments as in :class:`RecurrentNetwork`."""
    return RecurrentNetwork(
        config,
        num_features=num_features,
        num_classes=num_classes,
        num_frames=num_frames,
        dtype=dtype,
        rngs=rngs,
    )


def _convolution(
    config: RecurrentConfig, in_features: int, dtype: DTypeLike | None, rngs: nnx.Rngs
) -> nnx.Conv | None:
    if not config.convolution:
        return None
    size = (config.kernel_size,)
    return nnx.Conv(
        in_features,
        config.conv_filters,
        size,
        padding="SAME",
        kernel_init=KERNEL_INIT,
        dtype=dtype,
        rngs=rngs,
    )


def _recurrent_layer(
    config: RecurrentConfig, in_features: int, dtype: DTypeLike | None, rngs: nnx.Rngs
) -> SimpleRNN | LSTM | BiLSTM | None:
    layers = {"rnn": SimpleRNN, "lstm": LSTM, "bilstm": BiLSTM}
    if config.recurrent is None:
        return None
    return layers[config.recurrent](in_features, config.lstm_units, dtype=dtype, rngs=rngs)


def _fit_length(x: jax.Array, num_frames: int) -> jax.Array:
    """Crop or zero-pad axis 1 to ``num_frames``."""
    x = x[:, :num_frames]
    missing = num_frames - x.shape[1]
    return jnp.pad(x, [(0, 0), (0, missing)] + [(0, 0)] * (x.ndim - 2))


def _max_pool(x: jax.Array, valid: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Maximum of each pair of frames; a pair is valid if its second frame is."""
    pairs = x.shape[1] // 2
    # A reshape, not nnx.max_pool: its gradient is a select, 3 to 7 times faster than select-and-scatter on a CPU.
    x = x[:, : 2 * pairs].reshape(x.shape[0], pairs, 2, x.shape[2]).max(axis=2)
    return x, valid[:, 1::2]

"""VGG19 (configuration E): sixteen convolutions, and the study's seven dense layers on top.

K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, table 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Num
from mer_jax.models import winograd
from mer_jax.models.dense import DenseStack, Norm, check_layers
from mer_jax.models.normalizer import Normalizer
from mer_jax.signal.platform import platform

# Filters of each convolution, block by block; a 2 x 2 max-pooling follows each block.
BLOCKS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
CHANNELS = (3, *(width for block in BLOCKS for width in block))  # of the picture and after each convolution
SMALLEST_IMAGE = 32  # pixels; five poolings leave one square
LAYER_NAMES = tuple(
    f"block{block}_conv{layer}"
    for block, filters in enumerate(BLOCKS, start=1)
    for layer in range(1, len(filters) + 1)
)

Preprocessing = Literal["keras", "torchvision"]

# Means of the ImageNet training set in the order the weights were trained with. Keras's weights are the authors' Caffe ones:
# BGR in 0..255, mean subtracted. torchvision's: RGB in 0..1, standardised.
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_TORCH_MEAN_RGB = (0.485, 0.456, 0.406)
_TORCH_STD_RGB = (0.229, 0.224, 0.225)

_TRUNCATED_STD = 0.87962566103423978  # of a standard normal distribution cut off at +-2


@dataclass(frozen=True)
class VGG19Config:
    """The head of a VGG19 and what of it is trained."""

    widths: tuple[int, ...] = (1024, 512, 256, 128, 64, 32)
    """Dense layers between the base and the logits; with the logits, the study's seven."""
    dropout: float = 0.3
    """Share of each dense layer's outputs that training sets to zero."""
    norm: Norm = "none"
    """Normalisation after each dense layer: none (the study's), batch or layer."""
    unfrozen_blocks: int = 0
    """How many of the base's five blocks are trained, counted from the last; 0 is the study's frozen base."""
    image_size: int = 224
    """Height and width of the pictures, pixels."""

    def __post_init__(self) -> None:
        with checks.as_config("vgg19"):
            check_layers(self.widths, norm=self.norm, dropout=self.dropout)
            checks.positive_int("unfrozen_blocks", self.unfrozen_blocks, minimum=0)
            checks.in_range("unfrozen_blocks", self.unfrozen_blocks, 0, len(BLOCKS))
            checks.positive_int("image_size", self.image_size, minimum=SMALLEST_IMAGE)


@dataclass(frozen=True)
class WeightRecord:
    """Where the weights of a base come from."""

    origin: str
    """Layout they were read from, such as "Keras layer names"."""
    preprocessing: Preprocessing
    """What they expect of a picture."""
    file: str
    """Name of the file they were read from."""
    sha256: str
    """SHA-256 of that file, hexadecimal."""
    url: str = ""
    """Address it was downloaded from; empty for a local file."""


class VGG19Base(nnx.Module):
    """The convolutional part: pictures in, ``block5_pool`` out.

    Args:
        preprocessing: what the weights expect: ``"keras"`` (BGR, Caffe means) or ``"torchvision"`` (RGB, standardised).
        rngs: keys of the initial weights (He normal; biases 0).

    Attributes:
        record: where the weights come from; None for random ones.
    """

    def __init__(self, *, preprocessing: Preprocessing = "keras", rngs: nnx.Rngs) -> None:
        checks.one_of("preprocessing", preprocessing, get_args(Preprocessing))
        self.preprocessing: Preprocessing = preprocessing
        self.record: WeightRecord | None = None
        self.convs = nnx.List([_convolution(kernel, rngs) for kernel in _he_normal(rngs.params())])

    def features(
        self,
        images: Num[ArrayLike, "batch height width 3"],
        *,
        dtype: DTypeLike | None = None,
        kernels: Sequence[Array | None] | None = None,
    ) -> Float[Array, "batch rows columns 512"]:
        """Output of ``block5_pool``.

        Args:
            images: RGB in 0..255; integers are computed with as float32.
            dtype: compute in this type (bfloat16 on an accelerator), products in JAX's default precision; None computes in the
                images' own, at full precision.
            kernels: :meth:`transformed_kernels`, made beforehand; None makes them in each call, where that pays.

        Returns:
            (batch, height // 32, width // 32, 512), in the images' dtype.

        Raises:
            mer_jax.checks.ArgumentError: another shape, or pictures under 32 pixels.
        """
        images = jnp.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < SMALLEST_IMAGE:
            raise checks.ArgumentError(
                "images",
                f"has shape {tuple(images.shape)}",
                expected=f"(batch, height >= {SMALLEST_IMAGE}, width >= {SMALLEST_IMAGE}, 3)",
            )
        if not jnp.issubdtype(images.dtype, jnp.floating):
            images = images.astype(jnp.float32)
        x = self.preprocess(images)
        x = x if dtype is None else x.astype(dtype)
        layer = 0
        for block in BLOCKS:
            for _ in block:
                ready = None if kernels is None else kernels[layer]
                x = jax.nn.relu(_convolve(self.convs[layer], x, exact=dtype is None, kernel=ready))
                layer += 1
            x = _max_pool(x)
        return x.astype(images.dtype)

    def transformed_kernels(self) -> list[Float[Array, "36 before after"] | None]:
        """Kernels for Winograd's convolution (:mod:`.winograd`), for :meth:`features` of many batches of the same weights.

        None where a layer is convolved directly: on an accelerator, where it has few channels, where its kernel is trained.
        """
        return [
            winograd.transform(conv.kernel[...]) if _suits_winograd(conv, conv.kernel[...].dtype) else None
            for conv in self.convs
        ]

    def preprocess(
        self, images: Float[Array, "batch height width 3"]
    ) -> Float[Array, "batch height width 3"]:
        """RGB in 0..255 to what the weights were trained on."""
        if self.preprocessing == "keras":
            return images[..., ::-1] - jnp.asarray(_CAFFE_MEAN_BGR, images.dtype).reshape(1, 1, 1, 3)
        mean = jnp.asarray(_TORCH_MEAN_RGB, images.dtype).reshape(1, 1, 1, 3)
        std = jnp.asarray(_TORCH_STD_RGB, images.dtype).reshape(1, 1, 1, 3)
        return (images / 255.0 - mean) / std

    def block(self, number: int) -> Sequence[nnx.Conv]:
        """The convolutions of block 1 to 5."""
        first = sum(len(block) for block in BLOCKS[: number - 1])
        return [self.convs[first + k] for k in range(len(BLOCKS[number - 1]))]


class Frozen(nnx.Variable):
    """A weight that is saved with the model but not trained."""


class VGG19Head(DenseStack):
    """Standardisation of each channel, flatten, dense layers with dropout, logits: a network on the output of a base.

    ``block5_pool`` is as large as its weights make it (around 100 with random ones), which dense layers with usual initial
    values do not survive, so ``normalizer`` brings each channel to mean 0 and deviation 1 over the training fold. It is fitted
    from outside; unfitted it changes nothing, as in the study. Takes the arguments of a :class:`DenseStack`.
    """

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.normalizer = Normalizer(BLOCKS[-1][-1])

    def __call__(
        self,
        x: Float[Array, "batch rows columns 512"],
        *,
        mask: Array | None = None,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits; ``mask`` is not read, since a picture has no frames."""
        del mask
        flat = self.normalizer(x).reshape(x.shape[0], -1)
        return super().__call__(flat, deterministic=deterministic, rngs=rngs)


class VGG19(nnx.Module):
    """VGG19 base and its :class:`VGG19Head`.

    The base is frozen unless blocks are named: its weights become :class:`Frozen` variables, which an optimiser of
    ``nnx.Param`` does not see, and no gradient is computed for them.

    Args:
        num_classes: number of logits.
        config: head, trained blocks and picture size.
        base: a base with weights (:func:`mer_jax.models.pretrained.load_vgg19`), which stays as it is; None starts from He
            normal.
        dtype: to compute in (:mod:`.precision`), of the base as in :meth:`VGG19Base.features`, of the head as in
            :class:`~mer_jax.models.dense.DenseStack`.
        rngs: keys of the initial weights.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        config: VGG19Config | None = None,
        base: VGG19Base | None = None,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("num_classes", num_classes, minimum=2)
        self.config = config or VGG19Config()
        self.dtype = dtype
        self.base = VGG19Base(rngs=rngs) if base is None else nnx.clone(base)
        frozen_blocks = len(BLOCKS) - self.config.unfrozen_blocks
        for number in range(1, len(BLOCKS) + 1):
            for conv in self.base.block(number):
                _set_kind(conv, Frozen if number <= frozen_blocks else nnx.Param)
        self.head = VGG19Head(
            math.prod(self._features_shape),
            self.config.widths,
            num_classes,
            norm=self.config.norm,
            dropout=self.config.dropout,
            dtype=dtype,
            rngs=rngs,
        )

    @property
    def normalizer(self) -> Normalizer:
        """Standardises each channel of the base's output; see :class:`VGG19Head`."""
        return self.head.normalizer

    @property
    def _features_shape(self) -> tuple[int, int, int]:
        """Shape of one picture's ``block5_pool``: (rows, columns, filters)."""
        side = self.config.image_size // 2 ** len(BLOCKS)
        return side, side, BLOCKS[-1][-1]

    def features(
        self, images: Num[ArrayLike, "batch height width 3"], *, dtype: DTypeLike | None = None
    ) -> Float[Array, "batch rows columns 512"]:
        """``block5_pool`` of the base, in the network's ``dtype`` unless told; see :meth:`VGG19Base.features`."""
        return self.base.features(images, dtype=self.dtype if dtype is None else dtype)

    def classify(
        self,
        features: Float[ArrayLike, "batch rows columns 512"],
        *,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits from the base's output: what a frozen base leaves to train.

        Raises:
            mer_jax.checks.ArgumentError: the features of pictures of another size than ``config.image_size``.
        """
        features = jnp.asarray(features)
        if features.shape[1:] != self._features_shape:
            raise checks.ArgumentError(
                "features",
                f"has shape {tuple(features.shape)}",
                expected=f"(batch, {', '.join(map(str, self._features_shape))})",
                remedy=f"give pictures of image_size={self.config.image_size} pixels a side",
            )
        return self.head(features, deterministic=deterministic, rngs=rngs)

    def __call__(
        self,
        images: Num[ArrayLike, "batch height width 3"],
        *,
        mask: Array | None = None,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits of a batch of pictures, RGB in 0..255. A picture has no frames to mask: ``mask`` is not read."""
        del mask
        return self.classify(self.features(images), deterministic=deterministic, rngs=rngs)


def parameter_counts(model: nnx.Module) -> dict[str, int]:
    """``num_parameters`` and, of them, ``num_trainable``; statistics and random keys are neither.

    >>> parameter_counts(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
    {'num_parameters': 8, 'num_trainable': 8}
    """

    def size(kind: type[nnx.Variable]) -> int:
        return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, kind)))

    trained = size(nnx.Param)
    return {"num_parameters": trained + size(Frozen), "num_trainable": trained}


@jax.jit
def _he_normal(key: jax.Array) -> list[jax.Array]:
    """Kernels (3, 3, in, out) from a normal distribution of variance 2 / (9 in), truncated at two deviations, as in Keras.

    One draw for all of them: a draw for each shape would compile a program for each, half a second every time.
    """
    shapes = [(3, 3, before, after) for before, after in pairwise(CHANNELS)]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    draws = jax.random.truncated_normal(key, -2, 2, (ends[-1],)) / _TRUNCATED_STD
    parts = jnp.split(draws, ends[:-1])
    return [
        part.reshape(shape) * math.sqrt(2 / math.prod(shape[:3]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


def _convolution(kernel: jax.Array, rngs: nnx.Rngs) -> nnx.Conv:
    """A 3 x 3 convolution with this kernel and bias 0."""
    before, after = kernel.shape[2:]
    return nnx.Conv(before, after, (3, 3), padding="SAME", kernel_init=lambda *_: kernel, rngs=rngs)


def _set_kind(conv: Any, kind: type[nnx.Variable]) -> None:
    """Make the weights of a convolution :class:`Frozen` or ``nnx.Param``."""
    conv.kernel = kind(conv.kernel[...])
    conv.bias = kind(conv.bias[...])


# Tiles of a batch from which Winograd's convolution is worth compiling, and those from which it also makes up for transforming
# the kernel in the same call.
_TILES, _TILES_UNREADY = 64, 256


def _suits_winograd(conv: Any, dtype: Any) -> bool:
    """Whether a layer may be convolved by :mod:`.winograd`: 128 channels to 256 or more, on a CPU, its weights not trained.

    Two cores: 1.3 to 2.4 times as fast there; with 128 channels and less slower. Gradients were not measured.
    """
    before, after = conv.kernel.shape[2:]
    wide = before >= 128 and after >= 256
    return (
        wide
        and platform() == "cpu"
        and isinstance(conv.kernel, Frozen)
        and dtype in (jnp.float32, jnp.float64)
    )


def _convolve(conv: Any, x: jax.Array, *, exact: bool, kernel: jax.Array | None) -> jax.Array:
    """3 x 3 convolution, NHWC, same padding, plus bias, in the dtype of ``x``; ``kernel`` is the transformed one, if ready."""
    weights = conv.kernel[...].astype(x.dtype)
    enough = winograd.count_tiles(x.shape) >= (_TILES_UNREADY if kernel is None else _TILES)
    if exact and enough and _suits_winograd(conv, x.dtype):
        y = winograd.convolve(x, winograd.transform(weights) if kernel is None else kernel.astype(x.dtype))
    else:
        y = jax.lax.conv_general_dilated(
            x,
            weights,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=jax.lax.Precision.HIGHEST if exact else None,
        )
    return y + conv.bias[...].astype(x.dtype).reshape(1, 1, 1, -1)


def _max_pool(x: jax.Array) -> jax.Array:
    """Maximum of each 2 x 2 square; an odd last row or column is dropped, as in Keras."""
    # Four slices: XLA's reduction took a seventh of the whole forward pass on a CPU. Its gradient is a select, not a scatter.
    _, height, width, _ = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    rows = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])

"""VGG19 (configuration E): sixteen convolutions, and the study's seven dense layers on top.

K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, table 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, Float
from mer_jax.models.dense import DenseStack

# Filters of each convolution, block by block; a 2 x 2 max-pooling follows each block.
BLOCKS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
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


@dataclass(frozen=True)
class VGG19Config:
    """The head of a VGG19 and what of it is trained."""

    widths: tuple[int, ...] = (1024, 512, 256, 128, 64, 32)
    """Dense layers between the base and the logits; with the logits, the study's seven."""
    dropout: float = 0.3
    """Share of each dense layer's outputs that training sets to zero."""
    unfrozen_blocks: int = 0
    """How many of the base's five blocks are trained, counted from the last; 0 is the study's frozen base."""
    image_size: int = 224
    """Height and width of the pictures, pixels."""

    def __post_init__(self) -> None:
        if not 0 <= self.unfrozen_blocks <= len(BLOCKS):
            raise checks.ConfigError(
                "vgg19.unfrozen_blocks", f"is {self.unfrozen_blocks}", expected=f"0 to {len(BLOCKS)}"
            )
        if self.image_size < 32:
            raise checks.ConfigError(
                "vgg19.image_size", f"is {self.image_size}", expected="at least 32 (five poolings halve it)"
            )


class VGG19Base(nnx.Module):
    """The convolutional part: pictures in, ``block5_pool`` out.

    Args:
        preprocessing: what the weights expect: ``"keras"`` (BGR, Caffe means) or ``"torchvision"`` (RGB, standardised).
        rngs: keys of the initial weights (He normal; biases 0).
    """

    def __init__(self, *, preprocessing: Preprocessing = "keras", rngs: nnx.Rngs) -> None:
        checks.one_of("preprocessing", preprocessing, ("keras", "torchvision"))
        self.preprocessing = preprocessing
        widths = [3, *(width for block in BLOCKS for width in block)]
        self.convs = nnx.List(
            [
                nnx.Conv(
                    before,
                    after,
                    (3, 3),
                    padding="SAME",
                    kernel_init=nnx.initializers.he_normal(),
                    precision=jax.lax.Precision.HIGHEST,
                    rngs=rngs,
                )
                for before, after in pairwise(widths)
            ]
        )

    def features(
        self, images: Float[Array, "batch height width 3"], *, dtype: jnp.dtype | None = None
    ) -> Float[Array, "batch rows columns 512"]:
        """Output of ``block5_pool``.

        Args:
            images: RGB in 0..255.
            dtype: compute in this type (bfloat16 on an accelerator); None computes in the images' own, at full precision.

        Returns:
            (batch, height // 32, width // 32, 512), in the images' dtype.

        Raises:
            mer_jax.checks.ArgumentError: another shape, or pictures under 32 pixels.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[1:3]) < 32:
            raise checks.ArgumentError(
                "images", f"has shape {tuple(images.shape)}", expected="(batch, height >= 32, width >= 32, 3)"
            )
        x = self.preprocess(images)
        x = x if dtype is None else x.astype(dtype)
        layer = 0
        for block in BLOCKS:
            for _ in block:
                x = jax.nn.relu(_convolve(self.convs[layer], x, exact=dtype is None))
                layer += 1
            x = _max_pool(x)
        return x.astype(images.dtype)

    def preprocess(self, images: jax.Array) -> jax.Array:
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


class VGG19(nnx.Module):
    """VGG19 base, flatten, dense layers with dropout, logits.

    The base is frozen unless blocks are named: its weights become :class:`Frozen` variables, which an optimiser of
    ``nnx.Param`` does not see, and no gradient is computed for them.

    Args:
        num_classes: number of logits.
        config: head, trained blocks and picture size.
        base: a base with weights (:func:`mer_jax.models.pretrained.load_vgg19`); None starts from He normal.
        rngs: keys of the initial weights.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        config: VGG19Config | None = None,
        base: VGG19Base | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        checks.positive_int("num_classes", num_classes, minimum=2)
        self.config = config or VGG19Config()
        self.base = VGG19Base(rngs=rngs) if base is None else base
        for number in range(1, len(BLOCKS) + 1 - self.config.unfrozen_blocks):
            for conv in self.base.block(number):
                _freeze(conv)
        side = self.config.image_size // 32
        self.head = DenseStack(
            side * side * BLOCKS[-1][-1],
            self.config.widths,
            num_classes,
            dropout=self.config.dropout,
            rngs=rngs,
        )

    def features(
        self, images: Float[Array, "batch height width 3"], *, dtype: jnp.dtype | None = None
    ) -> Float[Array, "batch rows columns 512"]:
        """``block5_pool`` of the base; see :meth:`VGG19Base.features`."""
        return self.base.features(images, dtype=dtype)

    def classify(
        self,
        features: Float[Array, "batch rows columns 512"],
        *,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits from the base's output: what a frozen base leaves to train."""
        flat = features.reshape(features.shape[0], -1)
        return self.head(flat, deterministic=deterministic, rngs=rngs)

    def __call__(
        self,
        images: Float[Array, "batch height width 3"],
        *,
        mask: Array | None = None,
        deterministic: bool = True,
        rngs: nnx.Rngs | jax.Array | None = None,
    ) -> Float[Array, "batch classes"]:
        """Logits of a batch of pictures, RGB in 0..255. A picture has no frames to mask: ``mask`` is not read."""
        del mask
        return self.classify(self.features(images), deterministic=deterministic, rngs=rngs)


def parameter_count(model: nnx.Module) -> int:
    """Numbers that training changes."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def _freeze(conv: Any) -> None:
    conv.kernel = Frozen(conv.kernel[...])
    conv.bias = Frozen(conv.bias[...])


def _convolve(conv: Any, x: jax.Array, *, exact: bool) -> jax.Array:
    """3 x 3 convolution, NHWC, same padding, plus bias, in the dtype of ``x``."""
    y = jax.lax.conv_general_dilated(
        x,
        conv.kernel[...].astype(x.dtype),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=jax.lax.Precision.HIGHEST if exact else None,
    )
    return y + conv.bias[...].astype(x.dtype).reshape(1, 1, 1, -1)


def _max_pool(x: jax.Array) -> jax.Array:
    """Maximum of each 2 x 2 square; an odd last row or column is dropped, as in Keras."""
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    # A reshape rather than reduce_window: its gradient is a select, not a scatter.
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))

"""Pretrained weights: files of other libraries in, a base with their weights and their preprocessing out."""

from pathlib import Path

import jax.numpy as jnp
from flax import nnx

from mer_jax.models.pretrained.converted import convert, read_converted
from mer_jax.models.pretrained.reading import read_file
from mer_jax.models.vgg19 import LAYER_NAMES, VGG19Base, WeightRecord

__all__ = ["WeightRecord", "convert", "load_vgg19"]


def load_vgg19(path: str | Path) -> VGG19Base:
    """The convolutional part of a VGG19 with the weights of a file.

    Files are told by their extension, layouts by the names in them: Keras's ``.h5`` (weights alone or a whole model, with or
    without its dense layers) and ``.weights.h5``; ``.npz`` with Keras's or torchvision's names, or of ``get_weights()`` in
    order (``numpy.savez(path, *model.get_weights())``); torchvision's state dict as ``.safetensors`` or, where torch is
    installed, ``.pth`` or ``.pt``. What the weights expect of a picture goes by the layout: BGR less the Caffe means for Keras,
    standardised RGB for torchvision. Files are treated as untrusted: nothing in them is executed, no other file is opened, and
    names, shapes and types are compared before memory is taken.

    Args:
        path: one of these files, or a folder that :func:`convert` (``mer-jax weights``) wrote.

    Returns:
        A base whose ``features(images)`` takes (batch, height, width, 3), RGB in 0..255, and gives ``block5_pool``; its
        ``record`` says where the weights come from. All of it is trainable until a :class:`mer_jax.models.VGG19` freezes it.

    Raises:
        mer_jax.checks.CheckpointError: a file that is missing, damaged, of another network, or not to be trusted.

    Source:
        K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
    """
    path = Path(path)
    weights, record = read_converted(path) if path.is_dir() else read_file(path)
    # Shapes alone: no time for random weights that are replaced at once.
    base = nnx.eval_shape(lambda: VGG19Base(preprocessing=record.preprocessing, rngs=nnx.Rngs(0)))
    for layer, conv in zip(LAYER_NAMES, base.convs, strict=True):
        conv.kernel = nnx.Param(jnp.asarray(weights[layer]["kernel"]))
        conv.bias = nnx.Param(jnp.asarray(weights[layer]["bias"]))
    base.record = record
    return base

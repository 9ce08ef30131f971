"""What of a VGG19 is trained, how many numbers it has, and which pictures it takes."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.models import vgg19
from mer_jax.models.vgg19 import BLOCKS, LAYER_NAMES, VGG19, VGG19Base, VGG19Config, parameter_counts
from mer_jax.training import step as training_step

BASE_PARAMETERS = 20_024_384  # as keras.applications.VGG19(include_top=False).count_params()
SMALL = {"widths": (16,), "image_size": 32}


def trainable(model):
    return parameter_counts(model)["num_trainable"]


@pytest.fixture(scope="module")
def base():
    return VGG19Base(rngs=nnx.Rngs(0))


def build(base, **settings):
    return VGG19(num_classes=3, config=VGG19Config(**SMALL | settings), base=base, rngs=nnx.Rngs(1))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def test_layers_and_parameters(base):
    assert LAYER_NAMES[0] == "block1_conv1"
    assert LAYER_NAMES[-1] == "block5_conv4"
    assert len(LAYER_NAMES) == len(base.convs) == 16
    assert trainable(base) == BASE_PARAMETERS


def test_initial_kernels_are_he_normal(base):
    """Variance 2 / fan-in (over 2.4 million values the standard error is 0.001), nothing past two deviations, biases 0."""
    kernel = np.asarray(base.convs[-1].kernel[...])
    assert kernel.shape == (3, 3, 512, 512)
    expected = np.sqrt(2 / (9 * 512))
    assert kernel.std() == pytest.approx(expected, rel=5e-3)
    assert np.abs(kernel).max() <= 2 * expected / 0.8796 * (1 + 1e-4)
    assert not np.asarray(base.convs[-1].bias[...]).any()
    first, second = (np.asarray(base.convs[layer].kernel[...]).ravel() for layer in (-1, -2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5e-3, "each layer has draws of its own"


def test_the_study_head(base):
    """224 x 224: flatten to 7 x 7 x 512, then the study's seven dense layers."""
    model = nnx.eval_shape(lambda: VGG19(num_classes=5, base=base, rngs=nnx.Rngs(0)))
    sizes = [7 * 7 * 512, 1024, 512, 256, 128, 64, 32, 5]
    dense = [*model.head.layers, model.head.logits]
    assert [layer.kernel.shape for layer in dense] == list(pairwise(sizes))
    assert trainable(model) == sum((a + 1) * b for a, b in pairwise(sizes))


@pytest.mark.parametrize("unfrozen", range(6))
def test_unfreezing_by_block_from_the_last(base, unfrozen):
    model = build(base, unfrozen_blocks=unfrozen)
    channels, trained = 3, 0
    for number, block in enumerate(BLOCKS, start=1):
        for width in block:
            trained += (9 * channels + 1) * width if number > 5 - unfrozen else 0
            channels = width
    assert trainable(model) == trained + (512 + 1) * 16 + (16 + 1) * 3
    assert trainable(build(base, unfrozen_blocks=5)) - trainable(build(base)) == BASE_PARAMETERS


def test_a_base_stays_as_it_was(base, images):
    """One base serves several models; freezing it in one does not freeze it in another."""
    before = np.asarray(base.features(images))
    build(base, unfrozen_blocks=1)
    assert trainable(base) == BASE_PARAMETERS
    np.testing.assert_array_equal(base.features(images), before)
    frozen = build(base)
    assert trainable(build(frozen.base, unfrozen_blocks=5)) > BASE_PARAMETERS


class OfPictures(nnx.Module):
    """Lets the training step call a network on pictures as it calls a model on waveforms."""

    def __init__(self, network):
        self.network = network

    def __call__(self, x, lengths, *, deterministic=True, rngs=None):
        return self.network(x, deterministic=deterministic, rngs=rngs)


@pytest.mark.parametrize("unfrozen", [0, 1])
def test_frozen_weights_have_no_gradient_no_slot_and_do_not_move(base, images, unfrozen):
    model = OfPictures(build(base, unfrozen_blocks=unfrozen))
    optimizer = optax.adam(1e-2)
    graph, state = training_step.create(model, optimizer, seed=0)
    slots = sum(leaf.size for leaf in jax.tree.leaves(state.opt_state) if leaf.ndim)
    assert slots == 2 * trainable(model), "adam keeps two moments of what is trained, and of nothing else"
    batch = {
        "waveform": jnp.asarray(images),
        "length": jnp.full(2, 32, jnp.int32),
        "label": jnp.array([0, 1], jnp.int32),
        "weight": jnp.ones(2),
    }
    after = jax.jit(training_step.make_step(graph, optimizer))(state, batch)
    trained = nnx.merge(graph, after.params, after.model_state).network.base
    moved = [
        bool((new.kernel[...] != old.kernel[...]).any())
        for new, old in zip(trained.convs, base.convs, strict=True)
    ]
    assert moved == [False] * (16 - 4 * unfrozen) + [True] * (4 * unfrozen)


def test_odd_sizes_round_down(base):
    """As in Keras: each pooling drops an odd last row, whose pixels still reach the output through the convolutions before."""
    images = np.random.default_rng(1).uniform(0, 255, (2, 33, 95, 3)).astype(np.float32)
    images[1] = images[0]
    images[1, 32] = 0
    features = np.asarray(base.features(images))
    assert features.shape == (2, 1, 2, 512)
    assert (features[0] != features[1]).any()


@pytest.mark.parametrize("shape", [(1, 31, 64, 3), (1, 64, 31, 3)])
def test_pictures_under_32_pixels_are_refused(base, shape):
    with pytest.raises(checks.ArgumentError, match=r"images: has shape .*height >= 32"):
        base.features(jnp.zeros(shape))


def test_integers_are_pictures_too(base, images):
    whole = images.astype(np.uint8)
    np.testing.assert_array_equal(base.features(whole), base.features(whole.astype(np.float32)))


def test_pictures_of_another_size_than_configured_are_refused(base):
    with pytest.raises(checks.ArgumentError, match="image_size=32"):
        build(base)(jnp.zeros((1, 64, 64, 3)))


def test_cached_features_give_the_same_logits(base, images):
    model = build(base)
    np.testing.assert_array_equal(model.classify(np.asarray(model.features(images))), model(images))


def test_bfloat16_is_near_float32(base, images):
    """8 bits of mantissa through 16 layers: a few percent."""
    exact = np.asarray(base.features(images))
    half = base.features(images, dtype=jnp.bfloat16)
    assert half.dtype == jnp.float32
    assert np.linalg.norm(np.asarray(half) - exact) / np.linalg.norm(exact) < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unfrozen_blocks": 6}, r"vgg19\.unfrozen_blocks: is 6; expected a number from 0 to 5"),
        ({"unfrozen_blocks": -1}, r"vgg19\.unfrozen_blocks: is -1"),
        ({"image_size": 31}, r"vgg19\.image_size: is 31; expected an integer of at least 32"),
        ({"widths": (64, 0)}, r"vgg19\.widths: is 0"),
        ({"dropout": 1.0}, r"vgg19\.dropout: is 1\.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(checks.ConfigError, match=message):
        VGG19Config(**settings)


@pytest.mark.slow
def test_winograd_gives_the_features_of_direct_convolutions(monkeypatch):
    model = VGG19(num_classes=2, config=VGG19Config(image_size=64), rngs=nnx.Rngs(0))
    images = jax.random.uniform(jax.random.key(0), (20, 64, 64, 3)) * 255
    kernels = model.base.transformed_kernels()
    assert [kernel is not None for kernel in kernels] == [False] * 4 + [True] * 12
    graph, state = nnx.split(model.base)
    found = [
        jax.jit(lambda state, kernels: nnx.merge(graph, state).features(images, kernels=kernels))(
            state, given
        )
        for given in (kernels, None)
    ]
    with monkeypatch.context() as patch:
        patch.setattr(vgg19, "_suits_winograd", lambda *_: False)
        assert model.base.transformed_kernels() == [None] * 16
        expected = jax.jit(lambda state: nnx.merge(graph, state).features(images))(state)
    for one in found:
        assert float(jnp.linalg.norm(one - expected) / jnp.linalg.norm(expected)) < 1e-5
        assert not np.array_equal(one, expected)  # another way was taken

"""A front-end that learns, computed again in the reverse pass: the same gradients, less memory."""

import jax
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.frontends import LEAF, LogMel
from mer_jax.models import EmotionModel, Normalizer, RecurrentConfig, RecurrentNetwork
from mer_jax.training import AugmentationConfig
from mer_jax.training import step as training_step
from mer_jax.training.optimizer import OptimizerConfig, build

SR, SAMPLES, CLIPS = 4000, 4000, 9  # nine clips do not divide into groups of the same size


def make_frontend(kind, *, trainable=True):
    rngs = nnx.Rngs(0)
    if kind == "leaf":
        return LEAF(sr=SR, n_filters=6, window_s=0.025, hop_length=80, rngs=rngs)
    return LogMel(sr=SR, n_fft=512, hop_length=128, n_mels=8, trainable=trainable, rngs=rngs)


def make_model(frontend):
    config = RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=4, pool="mean")
    size = frontend.num_features
    network = RecurrentNetwork(config, num_features=size, num_classes=3, rngs=nnx.Rngs(1))
    return EmotionModel(frontend, Normalizer(size), network)


def make_batch():
    rng = np.random.default_rng(0)
    return {
        "waveform": (0.1 * rng.normal(size=(CLIPS, SAMPLES))).astype(np.float32),
        "length": np.full(CLIPS, SAMPLES, np.int32),
        "label": rng.integers(0, 3, CLIPS).astype(np.int32),
        "weight": np.ones(CLIPS, np.float32),
    }


def compiled_step(model, **options):
    transform = build(OptimizerConfig(), 4)
    graph, state = training_step.create(model, transform, seed=0)
    return jax.jit(training_step.make_step(graph, transform, **options)), state


def lowered_step(model, batch, **options):
    step, state = compiled_step(model, **options)
    return step.lower(state, batch)


@pytest.mark.parametrize(
    ("kind", "augmentation"),
    # The front-end of an STFT, one of filters, and waveforms that are altered inside what is computed again.
    [("log_mel", None), ("leaf", None), ("log_mel", AugmentationConfig(noise_db=20.0))],
    ids=["log_mel", "leaf", "augmented"],
)
def test_the_step_is_the_same(kind, augmentation):
    found = []
    for remat in (False, True):
        step, state = compiled_step(make_model(make_frontend(kind)), remat=remat, augmentation=augmentation)
        after = step(state, make_batch())
        found.append((after.opt_state, after.totals))
        assert set(after.params) == set(state.params)
    moments = jax.tree.leaves(found[0][0])
    assert max(float(np.abs(leaf).max()) for leaf in moments) > 1e-4
    for a, b in zip(jax.tree.leaves(found[0]), jax.tree.leaves(found[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_the_program_plans_less_memory():
    """At a size where the front-end's values outweigh everything else: compiled, not run."""
    clips, samples = 32, 110_250
    batch = {
        "waveform": np.zeros((clips, samples), np.float32),
        "length": np.full(clips, samples, np.int32),
        "label": np.zeros(clips, np.int32),
        "weight": np.ones(clips, np.float32),
    }
    model = make_model(LogMel(sr=22_050, trainable=True, rngs=nnx.Rngs(0)))
    plain, recomputed = (
        lowered_step(model, batch, remat=remat).compile().memory_analysis().temp_size_in_bytes
        for remat in (False, True)
    )
    assert recomputed < 0.7 * plain


def test_a_fixed_front_end_is_left_alone():
    model = make_model(make_frontend("log_mel", trainable=False))
    plain, same = (lowered_step(model, make_batch(), remat=remat).as_text() for remat in (False, True))
    assert plain == same


def test_other_models_are_refused():
    transform = build(OptimizerConfig(), 4)
    graph, state = training_step.create(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), transform, seed=0)
    with pytest.raises(checks.ArgumentError, match="remat: is True for a Linear"):
        training_step.make_step(graph, transform, remat=True)(state, make_batch())

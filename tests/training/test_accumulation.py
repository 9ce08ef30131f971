"""A batch in micro-batches: the same step as the whole batch takes, where clips do not see each other."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.training import AugmentationConfig, Regression, TrainingConfig
from mer_jax.training import step as training_step
from mer_jax.training.optimizer import OptimizerConfig, build
from mer_jax.training.task import Classification

SIZE = 12
TASKS = {
    "classes": Classification(class_weights=(0.5, 1.0, 2.0)),
    "numbers": Regression(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0)),
}


class Net(nnx.Module):
    """Two layers, with batch normalisation if asked for."""

    def __init__(self, *, norm=False):
        rngs = nnx.Rngs(0)
        self.first, self.last = nnx.Linear(6, 8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs) if norm else None

    def __call__(self, waveforms, lengths, *, deterministic=True, rngs=None):
        h = self.first(waveforms)
        if self.norm is not None:
            h = self.norm(h, use_running_average=deterministic)
        return self.last(jnp.tanh(h))


def make_batch():
    rng = np.random.default_rng(3)
    weight = np.ones(SIZE, np.float32)
    weight[-5:] = 0  # filler: a micro-batch of four has none but filler
    weight[0] = 3
    return {
        "waveform": rng.normal(size=(SIZE, 6)).astype(np.float32),
        "length": np.full(SIZE, 6, np.int32),
        "label": rng.integers(0, 3, SIZE).astype(np.int32),
        "target": rng.normal(size=(SIZE, 3)).astype(np.float32),
        "weight": weight,
    }


def after_step(net, *, task=TASKS["classes"], **options):
    transform = build(OptimizerConfig(learning_rate=0.1, schedule="constant", warmup_fraction=0.0), 4)
    graph, state = training_step.create(net, transform, seed=0, task=task)
    step = jax.jit(training_step.make_step(graph, transform, task=task, **options))
    for _ in range(2):
        state = step(state, make_batch())
    return state


def assert_close(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@lru_cache
def after_whole_step(name):
    return after_step(Net(), task=TASKS[name])


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("parts", [2, 3, 12])
def test_micro_batches_take_the_step_of_the_whole_batch(name, parts):
    whole = after_whole_step(name)
    divided = after_step(Net(), task=TASKS[name], accumulate_steps=parts)
    assert_close(divided.params, whole.params, rtol=2e-5, atol=2e-6)
    assert_close(divided.opt_state, whole.opt_state, rtol=2e-4, atol=1e-7)
    assert_close(divided.totals, whole.totals, rtol=1e-5)


def test_the_gradient_is_that_of_the_whole_batch():
    """Moments of the optimiser after one step are the gradient itself, scaled: no weights of parts got mixed up."""
    transform = build(OptimizerConfig(weight_decay=0.0, clip_norm=0.0), 4)
    found = []
    for parts in (1, 4):
        graph, state = training_step.create(Net(), transform, seed=0)
        step = training_step.make_step(graph, transform, accumulate_steps=parts)
        found.append(jax.jit(step)(state, make_batch()).opt_state)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(found[0])) > 1e-3
    assert_close(found[1], found[0], rtol=2e-5, atol=1e-8)


def test_batch_normalisation_sees_a_micro_batch():
    """Running averages move once for each: two updates, by the statistics of the halves."""
    net = Net(norm=True)
    batch = make_batch()
    h = np.asarray(net.first(batch["waveform"]), np.float64)
    expected = 0.9 * (0.1 * h[:6].mean(axis=0)) + 0.1 * h[6:].mean(axis=0)
    transform = build(OptimizerConfig(), 4)
    graph, state = training_step.create(net, transform, seed=0)
    state = jax.jit(training_step.make_step(graph, transform, accumulate_steps=2))(state, batch)
    np.testing.assert_allclose(state.model_state["norm"]["mean"], expected, rtol=1e-4, atol=1e-6)


def test_augmentation_is_drawn_for_each_micro_batch():
    from mer_jax.frontends import TimeDomain
    from mer_jax.models import CNNBiLSTM, EmotionModel, Normalizer

    frontend = TimeDomain(sr=2000, frame_length=256, hop_length=128, rngs=nnx.Rngs(0))
    network = CNNBiLSTM(
        num_features=3, num_classes=3, num_frames=8, conv_filters=2, lstm_units=2, dense_units=2, rngs=nnx.Rngs(0)
    )  # fmt: skip
    model = EmotionModel(frontend, Normalizer(3), network)
    batch = make_batch() | {
        "waveform": np.random.default_rng(0).normal(size=(SIZE, 1000)).astype(np.float32),
        "length": np.full(SIZE, 1000, np.int32),
    }
    transform = build(OptimizerConfig(), 4)
    graph, state = training_step.create(model, transform, seed=0)
    options = {"augmentation": AugmentationConfig(mixup=0.4, noise_db=20.0), "accumulate_steps": 3}
    after = jax.jit(training_step.make_step(graph, transform, **options))(state, batch)
    assert int(after.totals["bad_step"]) == -1
    assert float(after.totals["weight"]) == batch["weight"].sum()


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(
        checks.ConfigError, match=r"training.accumulate_steps: is 5, which does not divide .*32"
    ):
        TrainingConfig(accumulate_steps=5)
    with pytest.raises(checks.ConfigError, match=r"training.accumulate_steps: is 0"):
        TrainingConfig(accumulate_steps=0)
    transform = build(OptimizerConfig(), 4)
    graph, state = training_step.create(Net(), transform, seed=0)
    with pytest.raises(checks.ArgumentError, match="is 5 for a batch of 12"):
        training_step.make_step(graph, transform, accumulate_steps=5)(state, make_batch())

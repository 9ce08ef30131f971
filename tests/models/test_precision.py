"""What f32, tf32 and bf16 ask for, and that networks in bfloat16 learn as those in float32 do."""

from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.config import ExperimentConfig, from_json, to_json
from mer_jax.frontends import LogMel
from mer_jax.frontends.backends.handover import Precomputed
from mer_jax.models import (
    EmotionModel,
    Normalizer,
    RecurrentConfig,
    RecurrentNetwork,
    SequenceNetwork,
    precision,
)
from mer_jax.models import emotion as emotion_module
from mer_jax.models.dense import DenseConfig, DenseNet
from mer_jax.models.vgg19 import VGG19Head
from mer_jax.training import step as training_step
from mer_jax.training.optimizer import OptimizerConfig, build
from mer_jax.training.task import Classification

CLASSES, CLIPS, FRAMES, FEATURES = 3, 24, 10, 6
HIGHEST, HIGH, DEFAULT = jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGH, jax.lax.Precision.DEFAULT


def given():
    """A front-end that passes on what it is given."""
    return Precomputed(LogMel(sr=8000, n_fft=256, hop_length=1, n_mels=FEATURES, rngs=nnx.Rngs(0)))


def make_network(kind, dtype):
    rngs = nnx.Rngs(0)
    if kind == "dense":
        return DenseNet(
            num_features=FEATURES, num_classes=CLASSES, config=DenseConfig(widths=(16, 8), dropout=0.0), dtype=dtype, rngs=rngs
        )  # fmt: skip
    if kind == "vgg19_head":
        return VGG19Head(512, (16, 8), CLASSES, norm="batch", dropout=0.0, dtype=dtype, rngs=rngs)
    config = RecurrentConfig(architecture=kind, conv_filters=8, lstm_units=8, dense_units=8, dropout=0.0)
    return RecurrentNetwork(
        config, num_features=FEATURES, num_classes=CLASSES, num_frames=FRAMES, dtype=dtype, rngs=rngs
    )


def make_batch(kind):
    rng = np.random.default_rng(0)
    shape = {"dense": (FEATURES,), "vgg19_head": (1, 1, 512)}.get(kind, (FRAMES, FEATURES))
    label = np.arange(CLIPS, dtype=np.int32) % CLASSES
    values = rng.normal(size=(CLIPS, *shape)) + label.reshape(-1, *[1] * len(shape)) - 1
    length = rng.integers(FRAMES // 2, FRAMES + 1, CLIPS).astype(np.int32)
    weight = np.ones(CLIPS, np.float32)
    return {"waveform": values.astype(np.float32), "length": length, "label": label, "weight": weight}


def make_model(kind, name):
    network = make_network(kind, precision.network_dtype(name))
    return EmotionModel(
        given(), None if kind == "vgg19_head" else Normalizer(FEATURES), network, precision=name
    )


def train(kind, name, steps=25):
    """The loss of the last step, and the state after it."""
    transform = build(OptimizerConfig(learning_rate=0.01, schedule="constant", warmup_fraction=0.0), steps)
    graph, state = training_step.create(make_model(kind, name), transform, seed=0)
    step = jax.jit(training_step.make_step(graph, transform))
    batch = make_batch(kind)
    for _ in range(steps):
        state = step(state._replace(totals=training_step.zero_totals(Classification())), batch)
    return float(state.totals["loss"]) / CLIPS, state


@pytest.mark.parametrize("kind", ["dense", "vgg19_head", "cnn", "rnn", "cnn_bilstm"])
def test_bf16_learns_as_f32_does(kind):
    wide, _ = train(kind, "f32")
    narrow, state = train(kind, "bf16")
    assert wide < 0.7  # of log 3 = 1.1 at the start
    assert narrow == pytest.approx(wide, abs=0.05)
    assert narrow != wide
    kept = jax.tree.leaves((state.params, state.model_state, state.opt_state))
    assert {leaf.dtype for leaf in kept} <= {jnp.dtype(np.float32), jnp.dtype(np.int32)}
    assert int(state.totals["bad_step"]) == -1  # loss and gradient stayed finite


def test_values_are_bfloat16_and_logits_float32():
    """Of each product in a dense network: the type of its factors, and of what comes out at the end."""
    model, batch = make_model("dense", "bf16"), make_batch("dense")
    jaxpr = jax.make_jaxpr(lambda x: model(x))(batch["waveform"])
    found = [
        eqn.invars[0].aval.dtype for eqn in equations(jaxpr.jaxpr) if eqn.primitive.name == "dot_general"
    ]
    assert found == [jnp.bfloat16, jnp.bfloat16, jnp.float32]
    assert jaxpr.out_avals[0].dtype == jnp.float32


def test_a_sequence_of_outputs_in_bf16():
    options = {
        "num_features": FEATURES,
        "num_outputs": 2,
        "num_steps": 3,
        "hop_length": 4,
        "step_samples": 13.0,
    }
    x = make_batch("cnn_lstm")["waveform"]
    config = RecurrentConfig(architecture="lstm", lstm_units=8, dense_units=8)
    wide = SequenceNetwork(config, **options, rngs=nnx.Rngs(0))(x)
    narrow = SequenceNetwork(config, **options, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))(x)
    assert narrow.dtype == jnp.float32
    difference = np.abs(np.asarray(narrow - wide)).max()
    assert 0 < difference < 0.05


def equations(jaxpr):
    """All equations of a program, those of its loops and calls too."""
    for eqn in jaxpr.eqns:
        yield eqn
        for part in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")
        ):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def asked_precisions(function, *args):
    """What the products and convolutions of a program ask for."""
    return [
        eqn.params["precision"]
        for eqn in equations(jax.make_jaxpr(function)(*args).jaxpr)
        if eqn.primitive.name in ("dot_general", "conv_general_dilated")
    ]


@pytest.mark.parametrize(("name", "expected"), [("f32", HIGHEST), ("tf32", HIGH), ("bf16", DEFAULT)])
@pytest.mark.parametrize("kind", ["dense", "cnn_bilstm", "rnn"])
def test_a_whole_step_asks_for_the_precision(kind, name, expected):
    """Forward and backward, the LSTM's own gradient too; and whatever the user's default is."""
    transform = build(OptimizerConfig(), 10)
    graph, state = training_step.create(make_model(kind, name), transform, seed=0)
    step = training_step.make_step(graph, transform)
    for default in (None, "bfloat16"):
        with jax.default_matmul_precision(default) if default else nullcontext():
            found = asked_precisions(step, state, make_batch(kind))
        assert len(found) >= 6
        assert set(found) == {(expected, expected)}


@pytest.mark.parametrize("name", ["tf32", "bf16"])
def test_a_front_end_stays_at_full_precision(name):
    frontend = LogMel(sr=8000, n_fft=256, hop_length=128, n_mels=FEATURES, trainable=True, rngs=nnx.Rngs(0))
    network = make_network("cnn", precision.network_dtype(name))
    model = EmotionModel(frontend, Normalizer(FEATURES), network, precision=name)
    y = np.random.default_rng(0).normal(size=(2, 1200)).astype(np.float32)
    asked = asked_precisions(lambda y: model.features(y)[0], y)
    assert asked
    assert set(asked) == {(HIGHEST, HIGHEST)}
    features, _ = model.features(y)
    full, _ = EmotionModel(frontend, Normalizer(FEATURES), network).features(y)
    assert features.dtype == jnp.float32
    np.testing.assert_array_equal(features, full)


@pytest.mark.parametrize("kind", ["dense", "cnn_bilstm"])
def test_f32_is_what_a_cpu_computed_before(kind, monkeypatch):
    if jax.default_backend() != "cpu":
        pytest.skip("an accelerator's default is of lower precision")
    _, asked = train(kind, "f32", steps=3)
    monkeypatch.setattr(emotion_module, "products", lambda _: nullcontext())
    jax.clear_caches()
    _, plain = train(kind, "f32", steps=3)
    for a, b in zip(jax.tree.leaves(asked), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(a, b)


def test_programs_of_two_precisions_are_not_shared():
    found = {}
    for name in ("f32", "tf32", "bf16"):
        model = make_model("dense", name)
        graph, params, rest = training_step.split(model)
        forward = training_step.compiled_predict(graph, Classification())
        found[name] = np.asarray(forward(params, rest, make_batch("dense")))
        assert forward is training_step.compiled_predict(
            training_step.split(make_model("dense", name))[0], Classification()
        )
    assert np.abs(found["f32"] - found["bf16"]).max() > 1e-5
    np.testing.assert_allclose(found["f32"], found["bf16"], atol=0.03)
    graphs = {training_step.split(make_model("dense", name))[0] for name in found}
    assert len(graphs) == 3


def test_a_configuration_without_a_precision_is_f32_and_an_unknown_one_is_refused():
    text = to_json(ExperimentConfig(precision="bf16"))
    assert from_json(text).precision == "bf16"
    assert from_json(text.replace('"precision": "bf16",', "")).precision == "f32"
    with pytest.raises(checks.ConfigError, match="precision: is 'fp16'; expected one of f32, tf32, bf16"):
        precision.check("fp16")

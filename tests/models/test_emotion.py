"""Front-end, standardisation and network joined: padding, filler rows, one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mer_jax import checks
from mer_jax.frontends import TimeDomain
from mer_jax.models import CNNBiLSTM, EmotionModel, Normalizer, fit_normalizer

SR, SAMPLES = 2000, 1600


def make(pool="mean"):
    rngs = nnx.Rngs(0)
    frontend = TimeDomain(sr=SR, frame_length=128, hop_length=64, rngs=rngs)
    network = CNNBiLSTM(
        3, 4, conv_filters=5, lstm_units=4, dense_units=8, pool=pool, num_frames=26, rngs=rngs
    )
    network.dense.bias[...] = jnp.ones_like(network.dense.bias[...])  # no rectifier starts closed
    normalizer = Normalizer(3)
    normalizer.mean[...] = jnp.array([0.3, 0.1, 0.2])
    normalizer.std[...] = jnp.array([0.2, 0.1, 0.1])
    return EmotionModel(frontend, normalizer, network)


def compiled(model):
    graph, state = nnx.split(model)
    return jax.jit(lambda waveforms, lengths: nnx.merge(graph, state)(waveforms, lengths))


class Batches:
    """A loader of fixed batches."""

    def __init__(self, batches):
        self.batches = batches
        self.steps_per_epoch = len(batches)

    def __iter__(self):
        # A training loader never ends: one pass must be counted, not awaited.
        while True:
            yield from self.batches


def batch(rng, lengths, weights):
    waveform = rng.uniform(-1, 1, (len(lengths), SAMPLES)).astype(np.float32)
    for row, length in zip(waveform, lengths, strict=True):
        row[length:] = 0
    return {
        "waveform": waveform,
        "length": np.array(lengths, np.int32),
        "weight": np.array(weights, np.float32),
    }


def test_it_is_front_end_then_standardisation_then_network(rng):
    model = make()
    waveforms = jnp.asarray(rng.uniform(-1, 1, (2, SAMPLES)), jnp.float32)
    features = model.frontend(waveforms)
    standard = (features - jnp.array([0.3, 0.1, 0.2])[None, None]) / jnp.array([0.2, 0.1, 0.1])[None, None]
    np.testing.assert_allclose(model(waveforms), model.network(standard), atol=1e-5)
    assert model.sr == SR


def test_a_short_clip_is_judged_by_its_own_frames(rng):
    """Alone, or padded into a longer batch: the same logits, as far as its last frame sees the same samples."""
    run = compiled(make())
    length = 900
    clip = np.zeros((1, SAMPLES), np.float32)
    clip[0, :length] = rng.uniform(-1, 1, length)
    longer = np.concatenate([clip, np.zeros((1, 640), np.float32)], axis=1)
    masked = run(jnp.asarray(clip), jnp.array([length]))
    np.testing.assert_allclose(run(jnp.asarray(longer), jnp.array([length])), masked, atol=1e-5)
    unmasked = run(jnp.asarray(clip), jnp.array([SAMPLES]))
    assert np.abs(unmasked - masked).max() > 1e-3


def test_normalizer_of_a_fold_counts_real_frames_once(rng):
    model = make()
    parts = [batch(rng, [1600, 700], [1, 1]), batch(rng, [1000, 1600], [1, 0])]
    got = fit_normalizer(model, Batches(parts))
    frames = []
    for part in parts:
        features = np.asarray(model.frontend(part["waveform"]), np.float64)
        for row, length, weight in zip(features, part["length"], part["weight"], strict=True):
            if weight:
                frames.append(row[: 1 + (length - 1) // 64])  # frames centred on a sample of the clip
    expected = np.concatenate(frames)
    np.testing.assert_allclose(got.mean[...], expected.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(got.std[...], expected.std(axis=0), rtol=1e-5)


def test_a_fold_of_filler_is_refused(rng):
    with pytest.raises(checks.DataError, match="no valid frame"):
        fit_normalizer(make(), Batches([batch(rng, [1600], [0])]))


def test_gradients_of_silence_and_music_are_finite(rng):
    model = make("flatten")
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    waveforms = jnp.stack([jnp.zeros(SAMPLES), jnp.asarray(rng.uniform(-1, 1, SAMPLES), jnp.float32)])

    def loss(params):
        return (nnx.merge(graph, params, rest)(waveforms, jnp.array([SAMPLES, SAMPLES])) ** 2).sum()

    grads = jax.jit(jax.grad(loss))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))

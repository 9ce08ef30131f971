"""A learnable front-end from configuration to prediction: trained in the step, saved, restored, started from a fixed one."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import tyro
from flax import nnx

from mer_jax import checks, config, data
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import splits, synthetic
from mer_jax.experiment import building, evaluating, restoring, running, starting
from mer_jax.models import RecurrentConfig
from mer_jax.training import OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("module_without_pictures")

MEL = {"n_mels": 16, "n_fft": 512, "hop_length": 256}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("learnable") / "music", 150, duration_s=0.5, sr=8000
    )


def settings(music, out, name="log_mel", options=MEL, **changes) -> ExperimentConfig:
    return ExperimentConfig(
        data=str(music / "manifest.csv"),
        out=out,
        sr=8000,
        clip_s=0.5,
        folds=5,
        frontend=FrontendConfig(name, options),
        recurrent=RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=8),
        training=TrainingConfig(epochs=2, batch_size=16),
        **changes,
    )


@pytest.fixture(scope="module")
def fixed_run(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("learnable") / "fixed"
    return running.run(settings(music, out), progress=False)


@pytest.fixture(scope="module")
def learnt_run(music, fixed_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("learnable") / "learnt"
    options = {**MEL, "trainable": "mel,compression"}
    return running.run(
        settings(
            music, out, options=options, optimizer=OptimizerConfig(frontend_rate=3.0), start_from=fixed_run
        ),
        progress=False,
    )


def frontend_weights(run):
    return jax.tree.leaves(nnx.state(restoring.restore(run).model.frontend, nnx.Param))


def test_it_is_trained_in_the_step_and_that_is_said(learnt_run):
    known = json.loads((learnt_run / "facts.json").read_text())
    assert known["cached"] is False
    assert known["not_cached_because"] == "the front-end learns (mel, compression)"
    model = restoring.restore(learnt_run).model
    start = nnx.state(building.build_model(restoring.restore(learnt_run).config, 5).frontend, nnx.Param)
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), start, nnx.state(model.frontend, nnx.Param))
    # The floor of decibels is below everything in these clips.
    assert sum(value > 0 for value in jax.tree.leaves(moved)) >= 2


def test_evaluating_it_again_gives_the_scores_of_the_run(learnt_run):
    scores = json.loads((learnt_run / "scores.json").read_text())["test"]
    again = evaluating.evaluate(learnt_run)
    assert again["accuracy"] == scores["accuracy"]
    assert again["brier"] == pytest.approx(scores["brier"], rel=1e-5)


def outputs(model, y):
    return np.asarray(model(y, np.full(len(y), y.shape[1], np.int32)))


def started(config, run, cached=False):
    """A model of this configuration that starts from a run."""
    catalog = data.load(config.data, sr=config.sr)
    model = building.build_model(config, len(catalog.classes))
    starting.start_from(run, model, catalog.classes, cached=cached)
    return model


def test_a_fixed_run_loaded_into_a_learnable_front_end_predicts_the_same(music, fixed_run, tmp_path, rng):
    y = rng.uniform(-0.5, 0.5, (3, 4000)).astype(np.float32)
    expected = outputs(restoring.restore(fixed_run).model, y)
    model = started(settings(music, tmp_path, options={**MEL, "trainable": True}), fixed_run)
    assert model.frontend.trainable == ("window", "mel", "compression")
    np.testing.assert_allclose(outputs(model, y), expected, rtol=1e-3, atol=1e-4)


def test_what_was_learnt_is_kept_where_more_is_learnt(music, learnt_run, tmp_path, rng):
    y = rng.uniform(-0.5, 0.5, (3, 4000)).astype(np.float32)
    model = started(settings(music, tmp_path, options={**MEL, "trainable": True}), learnt_run)
    np.testing.assert_allclose(
        outputs(model, y), outputs(restoring.restore(learnt_run).model, y), rtol=1e-3, atol=1e-4
    )
    kept = np.asarray(nnx.state(restoring.restore(learnt_run).model.frontend.mel)["weights"][...])
    np.testing.assert_array_equal(model.frontend.mel.weights[...], kept)


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        (MEL, {}, "learnt frontend.compression.floor, which this front-end holds fixed"),
        ({**MEL, "n_mels": 8, "trainable": True}, {}, "another feature_names"),
        (
            {**MEL, "trainable": True},
            {"recurrent": RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=9)},
            "of shape",
        ),
    ],
)
def test_what_cannot_be_started_from_is_named(music, learnt_run, tmp_path, options, changes, words):
    config = dataclasses.replace(settings(music, tmp_path, options=options), **changes)
    with pytest.raises(checks.CheckpointError, match=words):
        started(config, learnt_run)


def test_another_backend_cannot_learn(music, tmp_path):
    bad = settings(music, tmp_path, options={**MEL, "trainable": True}, backend="nnaudio")
    with pytest.raises(checks.ConfigError, match="nnaudio cannot learn"):
        building.build_model(bad, 5)


def test_configuration_and_command_line_name_what_is_learnt(tmp_path):
    words = (
        "--frontend.name leaf --frontend.options trainable filters,pooling n_filters 8 --start-from runs/a"
    )
    words += " --optimizer.frontend-rate 0.1 --optimizer.frontend-freeze-steps 5"
    parsed = tyro.cli(ExperimentConfig, args=words.split())
    assert config.from_json(config.to_json(parsed)) == parsed
    frontend = building.build_model(parsed, 5).frontend
    assert type(frontend).__name__ == "LEAF"
    assert frontend.trainable == ("filters", "pooling")
    assert frontend.num_features == 8
    everything = tyro.cli(
        ExperimentConfig, args=["--frontend.name", "mel", "--frontend.options", "trainable", "True"]
    )
    assert building.build_model(everything, 5).frontend.trainable == ("window", "mel")


@pytest.mark.parametrize("name", ["leaf", "dstft"])
def test_members_train_in_a_network_of_frames(music, tmp_path, name):
    options = {"hop_length": 256} | ({"n_filters": 8} if name == "leaf" else {"n_fft": 256})
    configured = settings(music, tmp_path / "run", name, options)
    catalog = data.load(configured.data, sr=8000)
    split = splits.grouped_split(catalog.labels, catalog.groups, fold=0, folds=5, seed=0)
    model = building.build_model(configured, len(catalog.classes))
    why = running.why_not_cached(configured, catalog, model)
    assert "the front-end learns" in why
    before = jax.tree.map(np.asarray, nnx.state(model.frontend, nnx.Param))
    trained, loaders = running.inputs_of(configured, catalog, split, model, cached=False)
    from mer_jax.experiment import fitting, targets

    fitting.fit_and_score(
        trained, loaders, catalog, configured, targets.task_of(configured, catalog, split.train), run_dir=None
    )
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before, nnx.state(trained.frontend, nnx.Param))
    assert all(value > 0 for value in jax.tree.leaves(moved))

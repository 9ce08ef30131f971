"""Training on features that nnAudio computes and hands over gives what training on our own gives."""

import json
from pathlib import Path

import numpy as np
import pytest

from mer_jax import experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import synthetic
from mer_jax.models import RecurrentConfig
from mer_jax.training import TrainingConfig

pytestmark = pytest.mark.usefixtures("module_without_pictures")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("backends") / "music", 150, duration_s=1.0, sr=8000)


def settings(music: Path, out: Path, backend: str) -> ExperimentConfig:
    return ExperimentConfig(
        data=str(music / "manifest.csv"),
        out=out,
        sr=8000,
        clip_s=1.0,
        folds=5,
        backend=backend,
        frontend=FrontendConfig("log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}),
        recurrent=RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=8),
        training=TrainingConfig(epochs=1, batch_size=16),
    )


def test_an_epoch_on_either_backend_is_the_same(music, tmp_path):
    pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    runs = {
        name: experiment.run(settings(music, tmp_path / name, name), progress=False)
        for name in ("jax", "nnaudio")
    }
    (ours,), (theirs,) = (
        [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        for out in runs.values()
    )
    # Features agree to about 1e-6 relative; a few Adam steps, whose first are nearly the sign of the gradient, amplify that.
    assert ours["train"]["loss"] == pytest.approx(theirs["train"]["loss"], rel=1e-3)
    assert ours["validation"]["loss"] == pytest.approx(theirs["validation"]["loss"], rel=1e-3)
    found = [np.load(out / "predictions.npz", allow_pickle=False)["probabilities"] for out in runs.values()]
    np.testing.assert_allclose(*found, atol=5e-3)
    assert json.loads((runs["nnaudio"] / "facts.json").read_text())["backend"] == "nnaudio"
    # The run remembers its backend: evaluated and restored alike.
    scores = json.loads((runs["nnaudio"] / "scores.json").read_text())
    assert experiment.evaluate(runs["nnaudio"])["accuracy"] == scores["test"]["accuracy"]

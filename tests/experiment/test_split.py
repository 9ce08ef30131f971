"""A run on a split that was published with the data, from training to scoring again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mer_jax import experiment
from mer_jax.checks import ConfigError, DataError
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import synthetic
from mer_jax.data.prepare import prepare
from mer_jax.models.dense import DenseConfig
from mer_jax.study import StudyConfig
from mer_jax.training.loop import TrainingConfig

pytestmark = pytest.mark.usefixtures("module_without_pictures")

SR = 8000
PARTS = ("train", "train", "validation", "test", "train", "")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    clips = synthetic.catalog(60, duration_s=0.5, sr=SR)
    clips = replace(clips, official={"ours": tuple(PARTS[i // 5 % 6] for i in range(60))})
    return prepare(clips, tmp_path_factory.mktemp("split") / "prepared", sr=SR).path


def settings(prepared, out, **changes):
    return ExperimentConfig(
        data=str(prepared),
        out=out,
        sr=SR,
        clip_s=0.5,
        network="dense",
        frontend=FrontendConfig("zero_crossing_rate", statistics=("mean", "std")),
        dense=DenseConfig(widths=(4,)),
        training=TrainingConfig(epochs=1, batch_size=8),
        **changes,
    )


@pytest.mark.slow
def test_a_run_on_a_published_split(prepared, tmp_path):
    out = experiment.run(settings(prepared, tmp_path / "run", split="ours"), progress=False)
    ids = np.load(out / "predictions.npz")["ids"]
    catalog = synthetic.catalog(60, duration_s=0.5, sr=SR)
    assert sorted(ids) == sorted(name for i, name in enumerate(catalog.ids) if PARTS[i // 5 % 6] == "test")
    facts = json.loads((out / "facts.json").read_text())
    assert facts["split"] == "ours"
    assert "fold" not in facts
    assert sum(sum(part.values()) for part in facts["data"]["counts"].values()) == 50
    assert "split ours" in (out / "report.html").read_text()
    stored = json.loads((out / "scores.json").read_text())["test"]
    assert experiment.evaluate(out)["brier"] == pytest.approx(stored["brier"], abs=1e-6)


def test_splits_that_cannot_be(prepared, tmp_path):
    with pytest.raises(
        DataError, match=r"no published split 'theirs'; expected one of 'grouped', 'hash', 'ours'"
    ):
        experiment.run(settings(prepared, tmp_path / "run", split="theirs"), progress=False)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="the split 'ours' has no folds"):
        settings(prepared, tmp_path, split="ours", fold=3)
    with pytest.raises(ConfigError, match="the split 'hash' has no folds"):
        StudyConfig(split="hash", folds=2)
    assert StudyConfig(split="hash").of_cell(StudyConfig().chosen[0]).split == "hash"

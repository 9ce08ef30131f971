"""Runs in bfloat16 and with micro-batches: what is said of them, what is computed from their checkpoints."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from flax import nnx

from mer_jax.ablation.config import AblationConfig, Member
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import synthetic
from mer_jax.experiment import building, caching, evaluating, restoring, running, together
from mer_jax.models import DenseConfig, VGG19Config
from mer_jax.study import cells
from mer_jax.study.config import StudyConfig
from mer_jax.sweep.config import SweepConfig
from mer_jax.training import TrainingConfig

pytestmark = pytest.mark.usefixtures("module_without_pictures")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("precision") / "music", 150, duration_s=0.5, sr=8000
    )


def settings(music, out, **changes) -> ExperimentConfig:
    defaults = {
        "network": "dense",
        "frontend": FrontendConfig("log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}),
        "dense": DenseConfig(widths=(8,), norm="none", dropout=0.0),
        "vgg19": VGG19Config(widths=(8,), image_size=32),
        "base_init": "he",
        "training": TrainingConfig(epochs=2, batch_size=16, accumulate_steps=2),
    }
    return ExperimentConfig(
        data=str(music / "manifest.csv"), out=out, sr=8000, clip_s=0.5, folds=5, **(defaults | changes)
    )


@pytest.fixture(scope="module")
def narrow_run(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("precision") / "bf16"
    return running.run(settings(music, out, precision="bf16"), progress=False)


def test_a_run_says_its_precision_and_keeps_float32_weights(narrow_run):
    assert json.loads((narrow_run / "facts.json").read_text())["precision"] == "bf16"
    assert "Precision of the network" in (narrow_run / "report.html").read_text()
    model = restoring.restore(narrow_run).model
    assert model.precision == "bf16"
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))} == {np.dtype(np.float32)}


def test_a_run_is_evaluated_in_its_own_precision_unless_told(narrow_run):
    brier = json.loads((narrow_run / "scores.json").read_text())["test"]["brier"]
    assert evaluating.evaluate(narrow_run)["brier"] == pytest.approx(brier, rel=1e-4)
    wide = evaluating.evaluate(narrow_run, precision="f32")["brier"]
    assert wide != evaluating.evaluate(narrow_run)["brier"]
    assert wide == pytest.approx(brier, rel=0.05)


def test_folds_in_bf16_with_micro_batches_end_together_as_alone(music, tmp_path):
    def runs(name):
        whole = settings(music, tmp_path / name, precision="bf16")
        return [dataclasses.replace(whole, out=tmp_path / name / str(k), fold=k) for k in range(2)]

    found = {}
    for population in ("auto", "off"):
        done = together.run_all(runs(population), population=population)
        found[population] = {
            one.fold: json.loads((one.out / "scores.json").read_text())["test"]["brier"] for one in done
        }
    assert found["auto"] == pytest.approx(found["off"], rel=1e-3)


def test_a_base_kept_for_all_epochs_is_computed_in_the_precision(music, tmp_path):
    found = {}
    waveforms = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32)
    for name in ("f32", "tf32", "bf16"):
        model = building.build_model(settings(music, tmp_path, network="vgg19", precision=name), 5)
        found[name] = np.asarray(caching.fixed_part(model)(waveforms, np.full(2, 4000, np.int32)))
        # A graph that is equal but for the weights' values: the program kept for one precision is not the other's.
    scale = np.abs(found["f32"]).max()
    assert found["bf16"].dtype == np.float32
    assert 0 < np.abs(found["bf16"] - found["f32"]).max() < 0.05 * scale
    np.testing.assert_allclose(found["tf32"], found["f32"], atol=1e-4 * scale)
    graph, _ = nnx.split(model.network.base)
    functions = {caching._base_function(graph, name) for name in found}
    assert len(functions) == 3


def test_every_cell_has_the_precision_of_its_table(tmp_path):
    study = StudyConfig(precision="bf16")
    assert {study.of_cell(cell).precision for cell in cells.CELLS} == {"bf16"}
    ablation = AblationConfig(precision="tf32")
    assert ablation.of_cell(Member("mel", "mel", ""), fold=0, seed=0).precision == "tf32"
    sweep = SweepConfig(precision="bf16")
    assert sweep.of_candidate(sweep.own_values, tmp_path).precision == "bf16"

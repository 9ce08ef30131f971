"""Features computed once: the same training, for less."""

import dataclasses

import numpy as np
import pytest

from mer_jax import checks, data
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.data import splits, synthetic
from mer_jax.evaluation import scores
from mer_jax.experiment import building, caching, facts, inputs, restoring, running
from mer_jax.models import DenseConfig, RecurrentConfig, VGG19Config
from mer_jax.models.vgg19 import parameter_counts
from mer_jax.training import AugmentationConfig, Classification, TrainingConfig, loop


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("caching") / "music", 150, duration_s=0.5, sr=8000)


def settings(music, out, network, **changes) -> ExperimentConfig:
    return ExperimentConfig(
        data=str(music / "manifest.csv"),
        out=out,
        sr=8000,
        clip_s=0.5,
        folds=5,
        network=network,
        frontend=FrontendConfig("log_mel", {"n_mels": 16, "n_fft": 512, "hop_length": 256}),
        recurrent=RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=8),
        dense=DenseConfig(widths=(8, 8)),
        vgg19=VGG19Config(widths=(8,), image_size=32),
        base_init="he",
        training=TrainingConfig(epochs=1, batch_size=16),
        **changes,
    )


def trained(config):
    """What a run does before its report: the model's trained part, after one epoch, and its predictions."""
    catalog = data.load(config.data, sr=config.sr)
    split = splits.grouped_split(catalog.labels, catalog.groups, fold=0, folds=config.folds, seed=0)
    model = building.build_model(config, len(catalog.classes))
    why = running.why_not_cached(config, catalog, model)
    part, loaders = running.inputs_of(config, catalog, split, model, cached=not why)
    task = Classification()
    result = loop.fit(
        part,
        loaders["train"],
        loaders["validation"],
        score=lambda labels, found: scores.compute(labels, found, catalog.classes),
        training=config.training,
        optimizer_config=config.optimizer,
        run_dir=None,
        task=task,
        progress=False,
    )
    waveforms = inputs.waveform_loader(catalog, split.test, config, train=False)
    # The whole model, from waveforms: it shares the weights that were trained.
    return why, result.records[0]["train"]["loss"], inputs.predict(model, waveforms, task)[0]


@pytest.mark.parametrize("network", ["recurrent", "dense", pytest.param("vgg19", marks=pytest.mark.slow)])
def test_training_is_the_same_with_and_without(music, tmp_path, network):
    why, loss, found = trained(settings(music, tmp_path, network))
    assert why == ""
    why, expected_loss, expected = trained(settings(music, tmp_path, network, cache="off"))
    assert why == "cache is off"
    # One program fuses what two leave apart: float32 rounding, amplified by a few steps of Adam.
    assert loss == pytest.approx(expected_loss, rel=2e-3)
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"augmentation": AugmentationConfig(gain_db=3.0)}, "alters waveforms"),
        ({"clip_s": 0.25}, "cut at random places"),
        (
            {"network": "vgg19", "vgg19": VGG19Config(widths=(8,), image_size=32, unfrozen_blocks=1)},
            "is trained",
        ),
    ],
)
def test_why_features_are_computed_in_every_epoch(music, tmp_path, changes, why):
    config = dataclasses.replace(settings(music, tmp_path, "recurrent"), **changes)
    catalog = data.load(config.data, sr=config.sr)
    assert why in running.why_not_cached(config, catalog, building.build_model(config, 5))


@pytest.mark.parametrize("backend", ["jax", "nnaudio"])
def test_features_that_do_not_fit_are_not_kept(music, tmp_path, monkeypatch, backend):
    if backend == "nnaudio":
        pytest.importorskip("nnAudio", reason="nnAudio is not installed")
    config = dataclasses.replace(settings(music, tmp_path, "recurrent"), backend=backend)
    catalog = data.load(config.data, sr=config.sr)
    model = building.build_model(config, 5)
    monkeypatch.setattr(running, "CACHE_BYTES", 1000)
    assert "GiB of memory" in running.why_not_cached(config, catalog, model)


def test_the_parts_make_the_whole(music, tmp_path, rng):
    config = settings(music, tmp_path, "vgg19")
    model = building.build_model(config, 5)
    waveforms = rng.uniform(-1, 1, (2, config.num_samples)).astype(np.float32)
    lengths = np.full(2, config.num_samples, np.int32)
    apart = caching.trained_part(model)(caching.fixed_part(model)(waveforms, lengths), lengths)
    np.testing.assert_allclose(apart, model(waveforms, lengths), rtol=1e-4, atol=1e-4)


def test_what_is_kept_on_disk_comes_back_or_counts_as_absent(music, tmp_path):
    config = settings(music, tmp_path, "recurrent")
    catalog = data.load(config.data, sr=8000)
    values, lengths = caching.compute(
        catalog, building.build_model(config, 5), num_samples=config.num_samples
    )
    assert values.shape[0] == len(catalog)
    assert np.isfinite(values).all()
    path = tmp_path / "cache" / "mel.npz"
    assert caching.load(path) is None
    caching.save(path, caching.FeatureArray(values, lengths, 1.5))
    found = caching.load(path)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.lengths, lengths)
    assert found.seconds == 1.5
    path.write_bytes(path.read_bytes()[:1000])
    assert caching.load(path) is None


def test_another_base_is_refused(music, tmp_path):
    config = settings(music, tmp_path / "run", "vgg19")
    network = building.build_model(config, 5).network
    restoring.check_base(tmp_path, config, network, facts.base_checksum(network))
    with pytest.raises(checks.CheckpointError, match="expected 00000000"):
        restoring.check_base(tmp_path, config, network, "00000000")
    counts = parameter_counts(network)
    assert counts["num_parameters"] - counts["num_trainable"] == 20_024_384


def test_pictures_of_every_feature_share_the_base_program(music, tmp_path):
    config = settings(music, tmp_path, "vgg19")
    base = building.load_base(config)
    caching._base_function.cache_clear()
    for name in ("log_mel", "spectrogram"):
        options = {"n_fft": 512, "hop_length": 256}
        other = dataclasses.replace(config, frontend=FrontendConfig(name, options))
        caching.fixed_part(building.build_model(other, 5, base=base))
    assert caching._base_function.cache_info().currsize == 1


@pytest.mark.parametrize("network", ["dense", "vgg19"])
def test_an_accelerator_cuts_the_clips_from_its_own_memory_and_finds_the_same(
    music, tmp_path, network, monkeypatch
):
    config = settings(music, tmp_path, network)
    catalog = data.load(config.data, sr=config.sr)
    model = building.build_model(config, len(catalog.classes))
    expected = caching.compute(catalog, model, num_samples=config.num_samples)
    used = []
    on_device = caching._batches_on_device
    monkeypatch.setattr(caching, "platform", lambda: "gpu")
    monkeypatch.setattr(caching, "ACCELERATOR_BATCH_SIZE", 64)  # does not divide 150
    monkeypatch.setattr(caching, "_batches_on_device", lambda loader: used.append(1) or on_device(loader))
    found = caching.compute(catalog, model, num_samples=config.num_samples)
    assert used
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5 * np.abs(expected[0]).max())
    # What does not fit stays with the host.
    monkeypatch.setattr(caching.device_memory, "budget_for_waveforms", lambda _: 1000)
    assert not caching._fits_on_accelerator(catalog, config.num_samples)

"""An ablation end to end on a little synthetic music: resumed, compared, reported."""

import json

import numpy as np
import pytest

from mer_jax import ablation, checks, cli
from mer_jax.ablation import engine
from mer_jax.data import synthetic
from mer_jax.experiment import together
from mer_jax.models import RecurrentConfig
from mer_jax.models.vgg19 import VGG19Config
from mer_jax.training import TrainingConfig, device_memory

pytestmark = pytest.mark.usefixtures("pictures_not_rendered")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("ablation") / "music", 150, duration_s=1.0, sr=8000)


def settings(music, out, **changes) -> ablation.AblationConfig:
    values = {
        "frontends": ("log_mel", "mfcc"),
        "data": str(music / "manifest.csv"),
        "out": out,
        "seeds": 2,
        "sr": 8000,
        "clip_s": 1.0,
        "options": {"n_mels": 24, "n_fft": 512, "hop_length": 256},
        "recurrent": RecurrentConfig(conv_filters=4, dense_units=8, pool="mean"),
        "training": TrainingConfig(epochs=2, batch_size=16),
    }
    return ablation.AblationConfig(**(values | changes))


@pytest.fixture(scope="module")
def whole(music, tmp_path_factory):
    return ablation.run(settings(music, tmp_path_factory.mktemp("ablations") / "whole"), progress=False)


def test_every_front_end_is_compared_with_the_first(whole):
    found = json.loads((whole / "ablation.json").read_text())
    first, second = found["rows"]
    assert (first["frontend"], second["frontend"]) == ("log_mel", "mfcc")
    assert first["less_first"] is None
    less = second["less_first"]["accuracy"]
    assert less["difference"] == pytest.approx(second["scores"]["accuracy"] - first["scores"]["accuracy"])
    assert less["bootstrap"]["interval"][0] <= less["difference"] <= less["bootstrap"]["interval"][1]
    assert first["step_ms"] > 0
    assert first["frontend_parameters"] == 0
    assert first["movement"] == {}
    page = (whole / "report.html").read_text()
    assert "Less log_mel" in page
    assert "synthetic data" in page
    assert (whole / "figures" / "learnt_mfcc.png").is_file()


@pytest.fixture(scope="module")
def learnt(music, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablations") / "learnt"
    return ablation.run(
        settings(music, out, frontends=("log_mel", "log_mel:trainable=window,compression")), progress=False
    )


def test_the_way_of_what_is_learnt_is_kept_and_drawn(learnt):
    out = learnt
    found = json.loads((out / "ablation.json").read_text())
    name = "log_mel-trainable-window-compression"
    for seed in range(2):
        cell = out / "cells" / name / f"fold0_seed{seed}"
        ends = json.loads((cell / "cell.json").read_text())["movement"]
        lines = [json.loads(line) for line in (cell / "metrics.jsonl").read_text().splitlines()]
        assert set(lines[0]["watched"]) == set(ends)
        best = json.loads((cell / "facts.json").read_text())["best_epoch"]
        assert lines[best - 1]["watched"] == pytest.approx(ends)  # what was kept is the best epoch
        assert any(value > 0 for value in lines[-1]["watched"].values())
    assert set(found["rows"][1]["movement"]) == set(ends)
    assert (out / "figures" / f"moved_{name}.png").is_file()
    assert not (out / "figures" / "moved_log_mel.png").exists()


def test_together_and_one_by_one_give_the_same(learnt, music, tmp_path, monkeypatch, capsys):
    """What is computed once as well as what learns; every file of a cell."""
    monkeypatch.setattr(together, "fit_population", lambda *_: pytest.fail("trained together"))
    frontends = ("log_mel", "log_mel:trainable=window,compression")
    off = ablation.run(settings(music, tmp_path / "off", frontends=frontends), population="off")
    assert "one after the other" not in capsys.readouterr().out, "that was asked for"
    cells = [path.parent.relative_to(off) for path in off.glob("cells/*/*/cell.json")]
    assert len(cells) == 4
    for cell in cells:
        assert {p.name for p in (off / cell).iterdir()} == {p.name for p in (learnt / cell).iterdir()}
        one, other = (json.loads((out / cell / "cell.json").read_text()) for out in (off, learnt))
        assert one["movement"] == pytest.approx(other["movement"], rel=1e-3)
        for name in ("accuracy", "epochs", "frontend_parameters", "computed_once"):
            assert one[name] == other[name], name
        with np.load(off / cell / "predictions.npz") as a, np.load(learnt / cell / "predictions.npz") as b:
            np.testing.assert_allclose(a["probabilities"], b["probabilities"], atol=1e-4)
        with np.load(off / cell / "probes.npz") as a, np.load(learnt / cell / "probes.npz") as b:
            np.testing.assert_allclose(a["after_tones"], b["after_tones"], rtol=1e-3, atol=1e-2)


def test_waveforms_that_do_not_fit_stay_on_the_host_and_that_is_said(music, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(device_memory, "budget_for_waveforms", lambda device: 1000)
    monkeypatch.setattr(together, "fit_population", lambda *_: pytest.fail("trained together"))
    frontends = ("log_mel:trainable=compression",)
    ablation.run(settings(music, tmp_path / "out", frontends=frontends))
    assert (
        "one after the other: features are computed in every epoch, and the waveforms"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_vgg19_on_a_front_end_that_learns(music, tmp_path):
    """Gradients reach the front-end through colours and a frozen base."""
    changes = {"frontends": ("log_mel:trainable",), "model": "vgg19", "base_init": "he", "seeds": 1}
    out = ablation.run(
        settings(
            music,
            tmp_path / "out",
            options={"n_fft": 512, "hop_length": 256, "n_mels": 24},
            vgg19=VGG19Config(image_size=32, widths=(8,), norm="batch"),
            training=TrainingConfig(epochs=1, batch_size=16),
            **changes,
        ),
        progress=False,
    )
    (row,) = json.loads((out / "ablation.json").read_text())["rows"]
    assert not row["computed_once"]
    assert max(row["movement"].values()) > 0


def test_what_is_done_is_not_done_again_and_what_is_missing_gives_the_same(whole, music, monkeypatch, capsys):
    cell = whole / "cells" / "mfcc" / "fold0_seed1"
    with np.load(cell / "predictions.npz") as file:
        before = file["probabilities"]
    (cell / "cell.json").unlink()
    ran = []
    original = engine._prepare
    monkeypatch.setattr(engine, "_prepare", lambda *a: ran.append(a[2]) or original(*a))
    ablation.run(settings(music, whole))
    assert [(job.member.spec, job.seed) for job in ran] == [("mfcc", 1)]
    assert "Less log_mel" in capsys.readouterr().out
    with np.load(cell / "predictions.npz") as file:
        np.testing.assert_allclose(file["probabilities"], before, atol=1e-5)  # now by itself


def test_another_ablation_in_the_same_folder_is_refused(whole, music):
    with pytest.raises(checks.ConfigError, match="other settings"):
        ablation.run(settings(music, whole, seeds=1), progress=False)


@pytest.mark.parametrize(
    ("frontends", "words"),
    [
        ((), "names none"),
        (("log_mel", "log_mel"), "names one twice"),
        (("log_mle",), "log_mel"),
        (("log_mel:learnt",), "log_mel:trainable"),
        (("log_mel:trainable=",), "log_mel:trainable"),
    ],
)
def test_front_ends_that_cannot_be(frontends, words):
    with pytest.raises(checks.ConfigError, match=words):
        ablation.AblationConfig(frontends=frontends)


def test_command_line_names_an_unknown_front_end(capsys):
    assert cli.main(["ablate", "--frontends", "log_mle"]) == 2
    assert "log_mel" in capsys.readouterr().err

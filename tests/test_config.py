"""Configurations: round trip, overrides, and errors that name the field."""

import dataclasses
from pathlib import Path

import pytest

from mer_jax import checks, config
from mer_jax.config import ExperimentConfig, FrontendConfig

CONFIGS = Path(__file__).resolve().parents[1] / "experiments" / "configs"


def test_json_round_trip():
    settings = ExperimentConfig(
        data="x", out=Path("runs/y"), frontend=FrontendConfig("log_mel", {"n_mels": 64, "htk": True})
    )
    assert config.from_json(config.to_json(settings)) == settings


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda p: p.stem)
def test_every_shipped_configuration_loads(path):
    settings = config.load_python(path)
    assert config.from_json(config.to_json(settings)) == settings


def test_unknown_field_names_the_nearest():
    with pytest.raises(checks.ConfigError, match="did you mean 'clip_s'"):
        config.from_json('{"clip_sec": 3}')
    with pytest.raises(checks.ConfigError, match="not JSON"):
        config.from_json("{")


@pytest.mark.parametrize("bad", [{"sr": 0}, {"clip_s": -1.0}, {"folds": 1}, {"fold": 10}, {"fold": -1}])
def test_values_out_of_range_are_refused(bad):
    with pytest.raises(checks.ConfigError, match=next(iter(bad))):
        dataclasses.replace(ExperimentConfig(), **bad)


def test_python_files(tmp_path):
    with pytest.raises(checks.ConfigError, match="is not a file"):
        config.load_python(tmp_path / "none.py")
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(checks.ConfigError, match="defines no config"):
        config.load_python(tmp_path / "empty.py")
    (tmp_path / "fails.py").write_text("1 / 0\n")
    with pytest.raises(checks.ConfigError, match="ZeroDivisionError"):
        config.load_python(tmp_path / "fails.py")

"""What the features of a configuration become in its model."""

import jax.numpy as jnp
import pytest

from mer_jax import checks
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.experiment.building import build_model
from mer_jax.models import RecurrentConfig
from mer_jax.models.dense import DenseConfig


def settings(name, *, network="recurrent", statistics=("mean", "slope"), **options):
    return ExperimentConfig(
        clip_s=0.5,
        frontend=FrontendConfig(name, options, statistics=statistics),
        network=network,
        recurrent=RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=8),
        dense=DenseConfig(widths=(8,), norm="none"),
    )


@pytest.mark.parametrize(("network", "values"), [("recurrent", 4), ("dense", 8)])
def test_a_numerical_set_is_a_series_or_a_vector(network, values):
    model = build_model(settings("rhythm", network=network, hop_length=1024), 3)
    assert model.frontend.feature_names[0] == "onset_strength"
    assert model.normalizer.mean.shape == (values,)
    assert model(jnp.zeros((2, 11025)), jnp.array([11025, 5000])).shape == (2, 3)


def test_a_mistyped_set_is_told_the_nearest():
    with pytest.raises(checks.ConfigError, match="did you mean 'time_frequency'"):
        build_model(settings("time_freqency"), 3)

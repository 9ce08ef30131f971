"""What the features of a configuration become in its model."""

import jax.numpy as jnp
import pytest

from mer_jax import checks, experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.models import RecurrentConfig


def settings(name, **options):
    network = RecurrentConfig(architecture="cnn", conv_filters=4, dense_units=8)
    return ExperimentConfig(clip_s=0.5, frontend=FrontendConfig(name, options), model=network)


def test_a_numerical_set_is_a_series_to_train_on():
    model = experiment.build_model(settings("rhythm", hop_length=1024), num_classes=3)
    assert model.frontend.feature_names[0] == "onset_strength"
    assert model.normalizer.mean.shape == (4,)
    assert model(jnp.zeros((2, 11025)), jnp.array([11025, 5000])).shape == (2, 3)


def test_a_mistyped_set_is_told_the_nearest():
    with pytest.raises(checks.ConfigError, match="did you mean 'time_frequency'"):
        experiment.build_model(settings("time_freqency"), num_classes=3)

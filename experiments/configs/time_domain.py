"""Approach 1 of the study: amplitude envelope, RMS energy and zero-crossing rate into a 1D CNN and a BiLSTM.

Run:      mer-jax train --config experiments/configs/time_domain.py --data my_music/ --out runs/time_domain
"""

from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.models.recurrent import RecurrentConfig
from mer_jax.training.loop import TrainingConfig

config = ExperimentConfig(
    clip_s=5.0,
    frontend=FrontendConfig(name="time_domain"),
    recurrent=RecurrentConfig(architecture="cnn_bilstm"),
    training=TrainingConfig(epochs=100, patience=15),
)

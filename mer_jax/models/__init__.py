"""Networks: features of a clip in, logits of its emotion out."""

from mer_jax.models.emotion import EmotionModel, fit_normalizer
from mer_jax.models.lstm import LSTM, BiLSTM, SimpleRNN
from mer_jax.models.normalizer import Normalizer
from mer_jax.models.recurrent import CNNBiLSTM, RecurrentConfig, RecurrentNetwork, build

__all__ = [
    "LSTM",
    "BiLSTM",
    "CNNBiLSTM",
    "EmotionModel",
    "Normalizer",
    "RecurrentConfig",
    "RecurrentNetwork",
    "SimpleRNN",
    "build",
    "fit_normalizer",
]

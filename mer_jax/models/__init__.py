"""Networks: features of a clip in, logits of its emotion out."""

from mer_jax.models import pretrained
from mer_jax.models.dense import DenseConfig, DenseNet, DenseStack
from mer_jax.models.emotion import EmotionModel, fit_normalizer
from mer_jax.models.lstm import LSTM, BiLSTM, SimpleRNN
from mer_jax.models.normalizer import Normalizer
from mer_jax.models.recurrent import CNNBiLSTM, RecurrentConfig, RecurrentNetwork, build
from mer_jax.models.sequence import SequenceNetwork
from mer_jax.models.vgg19 import VGG19, VGG19Base, VGG19Config

__all__ = [
    "LSTM",
    "VGG19",
    "BiLSTM",
    "CNNBiLSTM",
    "DenseConfig",
    "DenseNet",
    "DenseStack",
    "EmotionModel",
    "Normalizer",
    "RecurrentConfig",
    "RecurrentNetwork",
    "SequenceNetwork",
    "SimpleRNN",
    "VGG19Base",
    "VGG19Config",
    "build",
    "fit_normalizer",
    "pretrained",
]

"""From a configuration to a model: front-end, summary or picture, standardisation, network."""

from typing import Any

from flax import nnx

from mer_jax import checks, features, models
from mer_jax.config import ExperimentConfig, Network
from mer_jax.data.rating_grid import RatingGrid
from mer_jax.features import FeatureSet
from mer_jax.frontends.backends import check_backend
from mer_jax.frontends.backends.handover import Precomputed
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.image import Image
from mer_jax.models import EmotionModel, Normalizer
from mer_jax.models.dense import DenseNet
from mer_jax.models.precision import network_dtype
from mer_jax.models.vgg19 import VGG19, VGG19Base

# What each network takes of a clip.
INPUTS: dict[Network, str] = {"recurrent": "series", "dense": "vector", "vgg19": "image"}


def build_model(
    settings: ExperimentConfig,
    num_outputs: int,
    *,
    base: VGG19Base | None = None,
    rate_hz: float | None = None,
) -> EmotionModel:
    """Front-end, standardisation (not fitted yet) and network of a configuration.

    Args:
        settings: the configuration.
        num_outputs: classes, or numbers to predict.
        base: convolutional base of a VGG19, loaded before (:func:`load_base`); None loads it where it is needed.
        rate_hz: outputs a second, of a recurrent network that gives a sequence of them; None is one output a clip.

    Raises:
        mer_jax.checks.ConfigError: an unknown front-end or option, or sizes that do not fit.
        mer_jax.checks.CheckpointError: there are no weights for the base, or they cannot be used.
    """
    rngs = nnx.Rngs(settings.seed)
    found = build_features(settings, rngs)
    frontend = found.frontend
    precision, dtype = settings.precision, network_dtype(settings.precision)
    if settings.network == "vgg19":
        base = load_base(settings) if base is None else base
        vgg19 = VGG19(num_classes=num_outputs, config=settings.vgg19, base=base, dtype=dtype, rngs=rngs)
        return EmotionModel(_of_backend(frontend, settings.backend), None, vgg19, precision=precision)
    size = found.num_features
    network: nnx.Module
    if settings.network == "dense":
        network = DenseNet(
            num_features=size, num_classes=num_outputs, config=settings.dense, dtype=dtype, rngs=rngs
        )
    elif rate_hz is not None:
        if "hop" in frontend.trainable:
            raise checks.ConfigError(
                "frontend.options",
                "let the front-end learn its hop, so that frames leave the ratings that they belong to",
                expected="a fixed hop for outputs over time",
                remedy="name what else it is to learn: trainable window_length",
            )
        grid = RatingGrid(rate_hz, settings.sr, settings.num_samples)
        network = models.SequenceNetwork(
            settings.recurrent,
            num_features=size,
            num_outputs=num_outputs,
            num_steps=grid.num_steps,
            hop_length=frontend.hop_length,
            step_samples=grid.step,
            dtype=dtype,
            rngs=rngs,
        )
    else:
        network = models.build(
            settings.recurrent,
            num_features=size,
            num_classes=num_outputs,
            num_frames=frontend.num_frames(settings.num_samples),
            dtype=dtype,
            rngs=rngs,
        )
    given = _of_backend(frontend, settings.backend)
    return EmotionModel(given, Normalizer(size), network, summary=found.summary, precision=precision)


def build_features(settings: ExperimentConfig, rngs: nnx.Rngs) -> FeatureSet:
    """The input of a configuration's network, of whatever kind it takes."""
    kind = INPUTS[settings.network]
    options: dict[str, Any] = dict(settings.frontend.options)
    if kind == "vector":
        options["statistics"] = settings.frontend.statistics
    if kind == "image":
        options["size"] = settings.vgg19.image_size
        if settings.frontend.colour_map != "auto":
            options["colour_map"] = settings.frontend.colour_map
    return features.build(settings.frontend.name, kind=kind, sr=settings.sr, options=options, rngs=rngs)


def _of_backend(frontend: Frontend, backend: str) -> Frontend:
    """The front-end, or one that takes its features from another backend; a picture is drawn here in any case."""
    if backend == "jax":
        return frontend
    check_backend(backend, frontend.frontend if isinstance(frontend, Image) else frontend)
    if isinstance(frontend, Image):
        given = Precomputed(frontend.frontend)
        return Image(given, colour_map=frontend.colour_map, scale=frontend.picture_scale, size=frontend.size)
    return Precomputed(frontend)


def load_base(settings: ExperimentConfig) -> VGG19Base:
    """The convolutional base of a VGG19: ImageNet weights, or He normal ones if the configuration says so.

    Raises:
        mer_jax.checks.CheckpointError: there are no weights, or they cannot be used.
    """
    if settings.base_init == "he":
        return VGG19Base(rngs=nnx.Rngs(settings.seed))
    path = settings.base_weights
    if not path.exists():
        raise checks.CheckpointError(
            path,
            "there are no ImageNet weights",
            expected="what 'mer-jax weights' writes, or a file of weights",
            remedy="run 'mer-jax weights', name a file with --base-weights, or train on random weights with --base-init he",
        )
    from mer_jax.models import pretrained

    return pretrained.load_vgg19(path)

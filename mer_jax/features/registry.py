"""The input of a network by name and kind: a sequence, a vector or a picture, one for each approach of the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flax import nnx

from mer_jax import checks
from mer_jax.features.musical import MusicalFeatures, MusicalStatistics
from mer_jax.features.numerical import SETS, NumericalFeatures
from mer_jax.features.salience import PitchSalience
from mer_jax.features.statistics import ClipStatistics
from mer_jax.frontends import registry
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.image import Image

KINDS = ("series", "vector", "image")

_ENTRIES: dict[str, registry.Entry] = {
    **registry.FRONTENDS,
    **{name: (NumericalFeatures, {"sets": name}) for name in SETS},
    "pitch_salience": (PitchSalience, {}),
    "musical": (MusicalFeatures, {}),
}
NAMES = tuple(_ENTRIES)

# What makes a vector of a sequence, where it is more than statistics of each feature over the frames.
_SUMMARIES: dict[str, type[MusicalStatistics]] = {"musical": MusicalStatistics}

# Options of what a kind adds to the front-end.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "series": (),
    "vector": ("statistics",),
    "image": ("size", "colour_map", "scale"),
}


@dataclass(frozen=True)
class FeatureSet:
    """What lies between a waveform and a network, before standardisation.

    Attributes:
        frontend: waveforms to a sequence of feature vectors, or to pictures.
        summary: the sequence to one vector a clip, or None where the network takes what the front-end gives.
    """

    frontend: Frontend
    summary: ClipStatistics | MusicalStatistics | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names along the last axis of a sequence or a vector (of a picture: its rows before they are resized)."""
        return (self.summary or self.frontend).feature_names

    @property
    def num_features(self) -> int:
        """How many there are."""
        return len(self.feature_names)


def build(
    name: str, *, kind: str = "series", sr: int, options: Mapping[str, Any] | None = None, rngs: nnx.Rngs
) -> FeatureSet:
    """Build the features called ``name``.

    Args:
        name: one of :data:`NAMES`: a front-end (:data:`mer_jax.frontends.NAMES`), a numerical set
            (:data:`mer_jax.features.SETS`), ``"pitch_salience"``, or ``"musical"`` for ``time_frequency`` and notes.
        kind: ``"series"`` for (batch, frames, features), ``"vector"`` for statistics over the frames, (batch, statistics *
            features), and of the notes for ``"musical"``, ``"image"`` for pictures, (batch, size, size, 3).
        sr: sampling rate of the waveforms, Hz.
        options: keyword arguments of the front-end's class; with ``vector`` also ``statistics``, with ``image`` also ``size``,
            ``colour_map`` and ``scale``.
        rngs: random keys for what is initialised at random.

    Raises:
        mer_jax.checks.ConfigError: an unknown name, kind or option, with the nearest known one, or a value that cannot be used.

    >>> build("time", kind="vector", sr=22050, options={"statistics": ("mean", "std")}, rngs=nnx.Rngs(0)).feature_names[2:4]
    ('mean zero_crossing_rate', 'std amplitude_envelope')
    """
    with checks.as_config("frontend"):
        checks.one_of("name", name, NAMES)
        checks.one_of("kind", kind, KINDS)
        entry = _ENTRIES[name]
        options = options or {}
        registry.check_options(name, options, {*registry.options_of(entry), *_OPTIONS[kind]})
        of_kind = {key: value for key, value in options.items() if key in _OPTIONS[kind]}
        of_frontend = {key: value for key, value in options.items() if key not in of_kind}
        frontend = registry.build_entry(name, entry, sr=sr, options=of_frontend, rngs=rngs)
        if kind == "image":
            return FeatureSet(Image(frontend, **of_kind))
        if kind == "vector":
            rate_hz = frontend.frame_rate_hz
            summary = _SUMMARIES.get(name, ClipStatistics)
            return FeatureSet(frontend, summary(frontend.feature_names, frame_rate_hz=rate_hz, **of_kind))
        return FeatureSet(frontend)

"""Named features: the front-ends and the numerical sets as sequences, as clip vectors, or as pictures.

>>> import mer_jax as mj
>>> from flax import nnx
>>> vectors = mj.features.build("time_frequency", kind="vector", sr=22050, rngs=nnx.Rngs(0))
>>> vectors.frontend.num_features, vectors.num_features
(75, 600)
"""

from mer_jax.features.numerical import SETS, NumericalFeatures
from mer_jax.features.registry import KINDS, NAMES, FeatureSet, build
from mer_jax.features.statistics import STATISTICS, ClipStatistics, clip_statistics

__all__ = [
    "KINDS",
    "NAMES",
    "SETS",
    "STATISTICS",
    "ClipStatistics",
    "FeatureSet",
    "NumericalFeatures",
    "build",
    "clip_statistics",
]

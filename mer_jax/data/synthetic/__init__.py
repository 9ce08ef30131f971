"""The embedded data set: five moods, composed and rendered by this package from musical cues.

Made for demonstrations, tests and comparisons of front-ends where no music may be shipped. It is synthetic, and everything that
reports a result on it says so. A mood is a distribution of eight cues (:mod:`.moods`); a clip draws its cues
(:mod:`.sampling`), becomes notes (:mod:`.harmony`, :mod:`.score`) and then sound (:mod:`.voices`, :mod:`.percussion`,
:mod:`.mixing`, :mod:`.rendering`). The mood reaches the sound through the cues alone.

>>> from mer_jax.data import synthetic
>>> synthetic.cues(0).mood, round(synthetic.cues(0).tempo_bpm)
('Happy', 131)
"""

from mer_jax.data.synthetic.dataset import VERSION, Rendered, catalog, facts, write_folder
from mer_jax.data.synthetic.moods import CLASSES, CUE_NAMES
from mer_jax.data.synthetic.rendering import perform, render
from mer_jax.data.synthetic.sampling import Cues, cues

__all__ = [
    "CLASSES",
    "CUE_NAMES",
    "VERSION",
    "Cues",
    "Rendered",
    "catalog",
    "cues",
    "facts",
    "perform",
    "render",
    "write_folder",
]

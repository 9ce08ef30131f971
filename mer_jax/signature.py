"""What a trained run's computation takes and gives, apart from the computation itself."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mer_jax._shapes import Float
from mer_jax.data.catalog import scaled


@dataclasses.dataclass(frozen=True)
class Signature:
    """What there is to know of a function from windows of audio to emotions before calling it.

    The function takes waveforms (batch, num_samples) at ``sr`` and how many samples of each are audio, and gives (batch,
    outputs), or (batch, steps, outputs) where ``rate_hz`` is a number.

    Attributes:
        task: ``"classes"``, ``"joint"``, ``"tags"``, ``"targets"``, ``"valence_arousal"`` or ``"dynamic"``.
        outputs: names of the columns; of ``"joint"`` the classes, then valence and arousal.
        sr: sampling rate, Hz.
        num_samples: samples of a window.
        hop_s: seconds from one window of a recording to the next, unless another number is asked for.
        rate_hz: outputs a second, of a run on ratings over time; None is one a window.
        class_valence_arousal: (classes, 2) mean valence and arousal of each class in the training part, in -1..1, or None.
        rating_range: lowest and highest rating of the scale on which valence and arousal are predicted; None is -1..1.
        thresholds: (tags,) above which a tag is given; None for other tasks.
    """

    task: str
    outputs: tuple[str, ...]
    sr: int
    num_samples: int
    hop_s: float
    rate_hz: float | None = None
    class_valence_arousal: Float[np.ndarray, "classes 2"] | None = None
    rating_range: tuple[float, float] | None = None
    thresholds: Float[np.ndarray, "tags"] | None = None

    @property
    def num_names(self) -> int:
        """Columns that a prediction names: all, but for the valence and arousal that come with a class."""
        return len(self.outputs) - 2 if self.task == "joint" else len(self.outputs)

    def scaled(self, ratings: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Ratings on the scale of the listeners, mapped to -1..1."""
        return scaled(ratings, self.rating_range or (-1.0, 1.0))

    def valence_arousal(self, outputs: Float[np.ndarray, "outputs"]) -> Float[np.ndarray, "2"] | None:
        """Valence and arousal in -1..1 that a row of outputs says or implies; None where it cannot tell.

        Predicted ones are mapped to that range; those of classes are their means in the training part, weighted by probability.
        """
        if self.task in ("valence_arousal", "joint", "dynamic"):
            return self.scaled(outputs[-2:])
        by_class = self.class_valence_arousal
        return outputs @ by_class if self.task == "classes" and by_class is not None else None

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Signature":
        """Undo :meth:`to_json`; other keys are passed over.

        Raises:
            KeyError: one is missing.

        >>> Signature.from_json(Signature("classes", ("a", "b"), 8000, 4000, 0.25).to_json()).outputs
        ('a', 'b')
        """
        values = {field.name: stored[field.name] for field in dataclasses.fields(cls)}
        arrays = {
            k: np.asarray(values[k]) for k in ("class_valence_arousal", "thresholds") if values[k] is not None
        }
        scale = values["rating_range"]
        return cls(
            **values
            | arrays
            | {"outputs": tuple(values["outputs"]), "rating_range": None if scale is None else tuple(scale)}
        )

"""Pictures of features as the input of an image network, drawn inside the program: the study's third input."""

import jax
import numpy as np

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Bool, Float, Int, Shaped
from mer_jax.frontends import pictures
from mer_jax.frontends.base import Frontend


class Image(Frontend):
    """Draws what another front-end gives: (batch, samples) -> (batch, size, size, 3), RGB in 0..255.

    The one exception to the contract of :class:`Frontend`: a picture has no axis of frames. The steps
    (:func:`mer_jax.frontends.pictures.render`), each differentiable:

    1. magnitudes and powers become decibels below the clip's maximum, cut at 80 dB (chroma and tempogram are within 0..1 as
       they are, MFCC run from the clip's minimum to its maximum);
    2. 0..1, low frequencies at the bottom;
    3. the colour map;
    4. a linear, antialiased resize to a square.

    A padded clip is drawn whole: the padding is seen as the silence that it is.

    Args:
        frontend: what is drawn, any time-frequency front-end.
        colour_map: ``inferno``, ``coolwarm``, or ``gray``, the value three times; None is the study's choice, inferno for the
            linear spectrogram and coolwarm for the rest.
        scale: another of :data:`mer_jax.frontends.pictures.SCALES` than the front-end's own, such as ``range`` for magnitudes
            that are not to become decibels.
        size: height and width, pixels.

    Attributes:
        image_shape: (size, size, 3).
        feature_names: names of the rows before they are resized, from the bottom up.

    Raises:
        mer_jax.checks.ArgumentError: an unknown colour map or scale, or a size that is not a positive integer.
    """

    unit = "RGB in 0..255"

    def __init__(
        self, frontend: Frontend, *, colour_map: str | None = None, scale: str | None = None, size: int = 224
    ) -> None:
        colour_map = frontend.colour_map if colour_map is None else colour_map
        scale = frontend.picture_scale if scale is None else scale
        checks.one_of("scale", scale, pictures.SCALES)
        checks.one_of("colour_map", colour_map, pictures.COLOUR_MAPS)
        checks.positive_int("size", size)
        super().__init__(sr=frontend.sr, hop_length=frontend.hop_length, feature_names=frontend.feature_names)
        self.frontend = frontend
        self.colour_map = colour_map
        self.picture_scale = scale
        self.size = size

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        return (self.size, self.size, 3)

    def bins(self) -> tuple[str, np.ndarray] | None:
        """What the rows are before they are resized."""
        return self.frontend.bins()

    def num_frames(self, num_samples: int) -> int:
        """How many columns a picture has before it is resized."""
        return self.frontend.num_frames(num_samples)

    def frame_mask(self, lengths: Int[Array, " batch"], num_samples: int) -> Bool[Array, "batch frames"]:
        """Which columns belong to the clip before it is resized."""
        return self.frontend.frame_mask(lengths, num_samples)

    def __call__(self, waveforms: Shaped[ArrayLike, "..."]) -> Float[Array, "batch height width 3"]:
        """Pictures of waveforms (batch, samples), or of whatever else the front-end takes."""
        return self.draw(self.frontend(waveforms))

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, size, size, 3), RGB in 0..255."""
        return self(waveforms)

    def draw(self, values: Float[ArrayLike, "batch frames features"]) -> Float[Array, "batch height width 3"]:
        """Pictures of what the front-end gave already."""
        return pictures.render(
            values,
            scale=self.picture_scale,
            colour_map=self.colour_map,
            size=(self.size, self.size),
        )

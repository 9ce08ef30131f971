"""The steps in which music is rated over time, and how a crop of the audio is cut along them.

Convention: **a rating at time t stands for the stretch [t, t + 1 / rate)**, the half second that begins with it where
listeners rated twice a second. DEAM's sixty ratings from 15.0 s to 44.5 s then cover its clips of 45 s from the first rating to
the end of the audio; stretches centred on t would leave the last quarter second to no rating, and stretches that end at t would
begin with audio whose rating was discarded. Listeners answer some seconds late: that delay is left in the ratings, for the
network to learn from its states before and after a step.

Crops begin where a step begins, so that step k of a crop is the same samples of the crop whatever clip it is from, and a
rating belongs to exactly one step. A rating counts where the middle of its stretch lies in the audio, that is, where at least
half of what it rates is there.
"""

import math
from dataclasses import dataclass

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float, Int
from mer_jax.data.catalog import Dynamic


@dataclass(frozen=True)
class ClipSteps:
    """The steps of one clip, numbered from the first that begins in it.

    Attributes:
        phase: sample at which step 0 begins, less than a step.
        total: steps whose middle lies in the clip.
        first: step of the first rating.
        stop: one more than the step of the last rating that counts; ``first`` where none does.
    """

    phase: float
    total: int
    first: int
    stop: int


@dataclass(frozen=True)
class RatingGrid:
    """Crops of equal length, divided into steps.

    Attributes:
        rate_hz: ratings a second.
        sr: sampling rate, Hz.
        num_samples: samples of a crop.

    Raises:
        mer_jax.checks.ConfigError: a crop is shorter than a step.
    """

    rate_hz: float
    sr: int
    num_samples: int

    def __post_init__(self) -> None:
        checks.positive("rate_hz", self.rate_hz)
        if self.num_samples < self.step:
            raise checks.ConfigError(
                "clip_s",
                f"is {self.num_samples / self.sr:g} s, less than one rating stands for",
                expected=f"at least {1 / self.rate_hz:g} s for {self.rate_hz:g} ratings a second",
            )

    @property
    def step(self) -> float:
        """Samples of a step, not always a whole number."""
        return self.sr / self.rate_hz

    @property
    def num_steps(self) -> int:
        """Steps of a crop: those whose middle lies in it."""
        return _steps(self.num_samples, self.step)

    def of_clip(self, start_s: float, num_ratings: int, length: int) -> ClipSteps:
        """The steps of a clip of ``length`` samples with so many ratings, the first of them at ``start_s``."""
        begin = round(start_s * self.sr)
        first = math.floor(begin / self.step)
        phase = begin - first * self.step
        total = _steps(length - phase, self.step)
        return ClipSteps(phase, total, first, max(first, min(first + num_ratings, total)))

    def sample(self, clip: ClipSteps, step: int) -> int:
        """Sample of the clip at which a step begins, to the nearest."""
        return round(clip.phase + step * self.step)

    def draw(self, clip: ClipSteps, rng: np.random.Generator) -> int:
        """A random step for a crop to begin with: one that holds as many ratings as a crop can."""
        low, high = clip.first, clip.stop - self.num_steps
        if low > high:  # fewer ratings than steps: all of them are in, and as little padding as possible
            low, high = max(0, high), min(clip.first, max(0, clip.total - self.num_steps))
        return int(rng.integers(min(low, high), high + 1))

    def windows(self, clip: ClipSteps, hop: int | None = None) -> list[int]:
        """The steps with which windows begin that cover every rating of a clip; none where it has no rating.

        Args:
            clip: its steps.
            hop: steps from one window to the next; None is a whole window.
        """
        return self.covering(clip.first, clip.stop, clip.total, hop)

    def covering(self, first: int, stop: int, total: int, hop: int | None = None) -> list[int]:
        """The steps with which windows begin that cover the steps ``first`` to ``stop - 1`` of a clip of ``total`` steps.

        >>> RatingGrid(2.0, 8000, 16000).covering(30, 39, 39), RatingGrid(2.0, 8000, 16000).covering(1, 2, 39)
        ([30, 34, 35], [0])
        """
        if first >= stop:
            return []
        size = self.num_steps
        if stop - first <= size:  # in the middle of a window, as far as there is audio
            spare = (size - (stop - first)) // 2
            return [max(0, min(first - spare, total - size))]
        starts = list(range(first, stop - size + 1, hop or size))
        return starts if starts[-1] == stop - size else [*starts, stop - size]

    def cut(
        self, dynamic: Dynamic, row: int, start: int, length: int
    ) -> tuple[Float[np.ndarray, "steps 2"], Int[np.ndarray, "steps"]]:
        """The ratings of a crop.

        Args:
            dynamic: ratings of all clips.
            row: which clip.
            start: its sample at which the crop begins.
            length: samples of the crop before its padding.

        Returns:
            Valence and arousal of each step on the listeners' scale, zeros where there is no rating, and which rating of the
            clip it is, -1 where there is none.

        Raises:
            mer_jax.checks.ArgumentError: the crop begins between two steps.
        """
        ratings = dynamic.native(row)
        clip = self.of_clip(float(dynamic.start_s[row]), len(ratings), start + length)
        begin = round((start - clip.phase) / self.step)
        if abs(self.sample(clip, begin) - start) > 1:
            raise checks.ArgumentError(
                "start", f"is {start}, between two steps", expected=f"a multiple of {self.step:g} samples"
            )
        steps = np.arange(self.num_steps)
        number = begin + steps - clip.first
        rated = (number >= 0) & (number < len(ratings)) & ((steps + 0.5) * self.step < length)
        found = np.zeros((len(steps), 2), np.float32)
        found[rated] = ratings[number[rated]]
        return found, np.where(rated, number, -1).astype(np.int32)


def _steps(num_samples: float, step: float) -> int:
    """Steps whose middle lies in so many samples."""
    return max(0, math.ceil(num_samples / step - 0.5 - 1e-9))


def num_usable(dynamic: Dynamic, durations_s: Float[np.ndarray, "n"] | None) -> Int[np.ndarray, "n"]:
    """How many ratings of each clip lie in its audio (all of them, where no duration is known beforehand)."""
    counts = np.array([len(series) for series in dynamic.valence_arousal], np.int64)
    if durations_s is None:
        return counts
    inside = np.ceil((durations_s - dynamic.start_s) * dynamic.rate_hz - 0.5 - 1e-9)
    return np.minimum(counts, np.maximum(inside, 0).astype(np.int64))

"""One vector a clip from its pitch salience: key, chords, rhythm, texture and structure."""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
from flax import nnx

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Bool, Float
from mer_jax.features.chords import chord_features
from mer_jax.features.key import key_features
from mer_jax.features.note_rhythm import note_rhythm_features
from mer_jax.features.notes import Notes, find_notes
from mer_jax.features.salience import NUM_PITCHES
from mer_jax.features.structure import structure_features
from mer_jax.features.texture import texture_features
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen

#: Groups of note statistics, in the order of the vector.
GROUPS: dict[str, Callable[[Notes], dict[str, Array]]] = {
    "key": key_features,
    "chords": chord_features,
    "rhythm": note_rhythm_features,
    "texture": texture_features,
    "structure": structure_features,
}


class NoteStatistics(nnx.Module):
    """Describes the notes of each clip: :func:`note_statistics` with names.

    Args:
        frame_rate_hz: frames a second of the salience, a front-end's ``frame_rate_hz``.

    Attributes:
        feature_names: one name a value, ``"key_sustained_krumhansl_mode"`` and so on; several values of one kind are numbered.

    Raises:
        mer_jax.checks.ArgumentError: a frame rate that is not above 0.
    """

    def __init__(self, *, frame_rate_hz: float) -> None:
        checks.positive("frame_rate_hz", frame_rate_hz)
        self.frame_rate_hz = float(frame_rate_hz)
        self.feature_names = note_statistic_names()

    @property
    def num_features(self) -> int:
        """Size of the last axis of the output."""
        return len(self.feature_names)

    def __call__(
        self,
        salience: Float[ArrayLike, "batch frames pitches"],
        mask: Bool[ArrayLike, "batch frames"] | None = None,
    ) -> Float[Array, "batch statistics"]:
        """The statistics of each clip; ``mask`` is True on frames that count, None if all do."""
        return note_statistics(salience, mask, frame_rate_hz=self.frame_rate_hz)


def note_statistics(
    salience: Float[ArrayLike, "batch frames pitches"],
    mask: Bool[ArrayLike, "batch frames"] | None = None,
    *,
    frame_rate_hz: float,
) -> Float[Array, "batch statistics"]:
    """Key, chords, rhythm, texture and structure of each clip (:data:`GROUPS`; the groups' functions say what they are).

    All values are finite, in silence too, and so are their gradients; none depends on the clip's level.

    Args:
        salience: pitch salience (:class:`mer_jax.features.salience.PitchSalience`), 88 pitches.
        mask: True on frames that count; None if all do. Padding must be at the end.
        frame_rate_hz: frames a second.

    Returns:
        (batch, statistics), in the order of :func:`note_statistic_names`, in the dtype of ``salience``.

    Raises:
        ArgumentError: shapes that do not fit.
    """
    x = checks.floating(salience, name="salience")
    if x.ndim != 3 or 0 in x.shape or x.shape[-1] != NUM_PITCHES:
        raise checks.ArgumentError(
            "salience",
            f"has shape {tuple(x.shape)}",
            expected=f"(batch, frames, {NUM_PITCHES}), none of them 0",
        )
    valid = jnp.ones(x.shape[:2], bool) if mask is None else jnp.asarray(mask, bool)
    if valid.shape != x.shape[:2]:
        raise checks.ArgumentError("mask", f"has shape {tuple(valid.shape)}", expected=f"{x.shape[:2]}")
    return _note_statistics(x, valid, frame_rate_hz=float(frame_rate_hz))


@partial(jax.jit, static_argnames="frame_rate_hz")
def _note_statistics(salience: jax.Array, valid: jax.Array, *, frame_rate_hz: float) -> jax.Array:
    def of_clip(x: jax.Array, valid: jax.Array) -> jax.Array:
        found = _describe(find_notes(x.T, valid[:, 0], frame_rate_hz=frame_rate_hz))
        return jnp.concatenate([jnp.atleast_1d(value).astype(x.dtype) for value in found.values()])

    return per_clip(of_clip, widen(salience), valid[..., None], core_ndim=2).astype(salience.dtype)


def _describe(notes: Notes) -> dict[str, Array]:
    return {name: value for describe in GROUPS.values() for name, value in describe(notes).items()}


@lru_cache(maxsize=1)
def note_statistic_names() -> tuple[str, ...]:
    """Names of the values of :func:`note_statistics`.

    >>> note_statistic_names()[:2]
    ('key_sustained_krumhansl_major', 'key_sustained_krumhansl_minor')
    """
    names: list[str] = []

    def record(salience: jax.Array) -> None:
        # Traced, not run: only names and sizes are wanted. Read here, since jax would hand the dictionary back sorted.
        frames = jnp.ones(salience.shape[1], bool)
        for name, value in _describe(find_notes(salience, frames, frame_rate_hz=1.0)).items():
            names.extend([name] if value.ndim == 0 else [f"{name}_{k}" for k in range(value.shape[0])])

    jax.eval_shape(record, jax.ShapeDtypeStruct((NUM_PITCHES, 8), jnp.float32))
    return tuple(names)

"""Several resolutions of one feature side by side: short windows for when, long ones for what."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import checks
from mer_jax.frontends.base import Frontend
from mer_jax.frontends.constantq import CQT, LogCQT
from mer_jax.frontends.learnable import Trainable
from mer_jax.frontends.spectrogram import LogMel, MelSpectrogram, Spectrogram

# What each is resolved by, and its class.
_MEMBERS: dict[str, tuple[str, type[Frontend]]] = {
    "log_mel": ("n_fft", LogMel),
    "mel": ("n_fft", MelSpectrogram),
    "spectrogram": ("n_fft", Spectrogram),
    "log_cqt": ("bins_per_octave", LogCQT),
    "cqt": ("bins_per_octave", CQT),
}
_DEFAULT = {"n_fft": (1024, 2048, 4096), "bins_per_octave": (12, 24)}


class MultiResolution(Frontend):
    """One feature at several window lengths, or with several numbers of bins an octave, concatenated along the features.

    All share the hop, so their frames lie at the same times. It starts equal to the fixed features side by side.

    Args:
        sr: sampling rate, Hz.
        of: ``log_mel``, ``mel`` or ``spectrogram`` (resolutions are ``n_fft``), ``log_cqt`` or ``cqt`` (bins an octave).
        resolutions: the values, each once, or one string of them with commas between; None is 1024, 2048 and 4096 samples, or
            12 and 24 bins an octave.
        hop_length: samples from one frame to the next.
        n_mels: bands of each mel spectrogram.
        octaves: of each constant-Q transform.
        trainable: which parts of each are learnt; True is all that the class learns by itself.
        rngs: handed on.

    Raises:
        mer_jax.checks.ArgumentError: an unknown feature, resolutions that are not different positive integers, or what the
            feature's class refuses.

    Source:
        Schörkhuber and Klapuri, *Constant-Q transform toolbox for music processing* (SMC 2010), on resolution in time against
        frequency; Andén and Mallat, *Deep scattering spectrum* (IEEE TSP 2014), for several numbers of bins an octave.
    """

    def __init__(
        self,
        *,
        sr: int = 22050,
        of: str = "log_mel",
        resolutions: str | Sequence[int] | None = None,
        hop_length: int = 512,
        n_mels: int = 64,
        octaves: int = 7,
        trainable: Trainable = False,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        checks.one_of("of", of, _MEMBERS)
        resolved_by, cls = _MEMBERS[of]
        make: Callable[..., Frontend] = cls
        chosen = _DEFAULT[resolved_by] if resolutions is None else _numbers(resolutions)
        members = []
        for value in chosen:
            options: dict[str, Any] = {resolved_by: value}
            if resolved_by == "bins_per_octave":
                options["n_bins"] = octaves * value
            elif of != "spectrogram":
                options["n_mels"] = n_mels
            members.append(make(sr=sr, hop_length=hop_length, trainable=trainable, rngs=rngs, **options))
        names = [
            f"{value}_{name}"
            for value, member in zip(chosen, members, strict=True)
            for name in member.feature_names
        ]
        self.parts = members[0].parts
        self.parts_on_request = members[0].parts_on_request
        super().__init__(sr=sr, hop_length=hop_length, feature_names=tuple(names), trainable=trainable)
        self.members = nnx.List(members)
        self.unit = members[0].unit
        self.picture_scale = members[0].picture_scale
        self.colour_map = members[0].colour_map

    def bins(self) -> tuple[str, np.ndarray]:
        """Numbers of the features."""
        return "Feature", np.arange(self.num_features)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, features of all resolutions)."""
        return jnp.concatenate([member.features(waveforms) for member in self.members], axis=-1)


def _numbers(resolutions: str | Sequence[int]) -> tuple[int, ...]:
    try:
        words = resolutions.split(",") if isinstance(resolutions, str) else resolutions
        values = tuple(int(word) for word in words)
    except ValueError:
        values = ()
    if not values or len(set(values)) != len(values):
        raise checks.ArgumentError(
            "resolutions", f"is {resolutions!r}", expected="different whole numbers, such as 1024,2048,4096"
        )
    for value in values:
        checks.positive_int("resolutions", value)
    return values

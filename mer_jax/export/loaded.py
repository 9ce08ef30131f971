"""An exported run as a function again: with jax, numpy and flatbuffers (by which jax.export serialises), and no model code."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export

from mer_jax import checks
from mer_jax._shapes import ArrayLike, Float
from mer_jax.export import archive
from mer_jax.signature import Signature

if TYPE_CHECKING:
    from mer_jax.predict import Prediction


class Exported:
    """The computation of a trained run, from a file.

    Made by :func:`load`. A batch size that was not seen before is compiled for when it is first called.

    Attributes:
        path: the file.
        platform: that it computes on: ``"cpu"``, ``"cuda"`` or ``"tpu"``.
        metadata: what the file says of the run: its data, epoch, configuration and versions (docs/export.md).
        signature: what goes in and what comes out.
    """

    def __init__(self, path: str | Path, *, platform: str, device: Any) -> None:
        parts = archive.read(path, platform)
        self.path = Path(path)
        self.platform = platform
        self.metadata = parts.metadata
        self.signature = _signature(self.path, parts.metadata)
        self._program = _deserialize(self.path, parts, platform)
        self._device = device
        self._weights = jax.device_put(parts.weights, device)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns that a call returns: classes, tags or numbers; of a joint run classes, then valence and arousal."""
        return self.signature.outputs

    @property
    def task(self) -> str:
        """What the run was trained for: :attr:`mer_jax.signature.Signature.task`."""
        return self.signature.task

    @property
    def sr(self) -> int:
        """Sampling rate of the waveforms, Hz."""
        return self.signature.sr

    @property
    def num_samples(self) -> int:
        """Samples of a window."""
        return self.signature.num_samples

    @cached_property
    def _run(self) -> Any:
        return jax.jit(self._program.call)

    def __call__(
        self, waveforms: ArrayLike, lengths: ArrayLike | None = None
    ) -> Float[np.ndarray, "batch *outputs"]:
        """What the run says of each window.

        Args:
            waveforms: (batch, :attr:`num_samples`) in -1..1, shorter ones padded with zeros on the right.
            lengths: (batch,) samples before the padding; None is no padding.

        Returns:
            float32 (batch, :attr:`names`): probabilities, which sum to 1 over classes, or numbers in their own units; of a run
            on ratings over time (batch, steps, names).

        Raises:
            mer_jax.checks.ArgumentError: another shape, or integer samples.
        """
        x = checks.batched_waveform(waveforms)
        if x.shape[1] != self.num_samples or x.shape[0] < 1:
            raise checks.ArgumentError(
                "waveforms",
                f"has shape {tuple(x.shape)}",
                expected=f"(batch, {self.num_samples}): windows of {self.num_samples / self.sr:g} s at {self.sr} Hz",
                remedy="cut longer audio into windows, and pad shorter with zeros and say so in lengths; predict() does both",
            )
        valid = np.full(len(x), self.num_samples) if lengths is None else np.asarray(lengths)
        if valid.shape != (len(x),) or not np.issubdtype(valid.dtype, np.integer):
            raise checks.ArgumentError(
                "lengths",
                f"has shape {valid.shape} and dtype {valid.dtype}",
                expected=f"({len(x)},) integers",
            )
        if valid.min() < 1 or valid.max() > self.num_samples:
            raise checks.ArgumentError(
                "lengths", f"goes from {valid.min()} to {valid.max()}", expected=f"1 to {self.num_samples}"
            )
        given = jax.device_put((x.astype(np.float32), valid.astype(np.int32)), self._device)
        return np.asarray(self._run(self._weights, *given))

    def predict(self, path: str | Path, *, hop_s: float | None = None) -> "Prediction":
        """Predict a whole audio file, exactly as :func:`mer_jax.predict.predict` does with the run's folder.

        Unlike a call this needs the packages that decode and resample audio, and all that :mod:`mer_jax.predict` imports.

        Args:
            path: an audio file.
            hop_s: seconds from one window to the next.

        Raises:
            mer_jax.checks.AudioError: the file cannot be decoded.
        """
        from mer_jax.predict import Predictor

        return Predictor(self, hop_s=hop_s)(path)


def load(path: str | Path, *, platform: str | None = None) -> Exported:
    """Load a file written by :func:`mer_jax.export.export`.

    Args:
        path: the file; one that you trust, as it holds a program.
        platform: compute on this one: ``"cpu"``, ``"cuda"`` or ``"tpu"``; None is where JAX computes.

    Raises:
        mer_jax.checks.CheckpointError: there is no such file, it is damaged or no export, or has no program for the platform.
        mer_jax.checks.ArgumentError: there is no such platform, or no device of it here.
    """
    device = _device(platform)
    return Exported(path, platform=_name_of(device), device=device)


def _device(platform: str | None) -> Any:
    if platform is None:
        return next(iter(jnp.zeros(()).devices()))
    checks.one_of("platform", platform, archive.PLATFORMS)
    try:
        return jax.devices(platform)[0]
    except RuntimeError as error:
        here = jax.default_backend()
        raise checks.ArgumentError(
            "platform",
            f"is {platform!r}, and JAX finds no such device",
            expected=f"one that is here, such as {here!r}",
        ) from error


def _name_of(device: Any) -> str:
    """What jax.export calls the platform of a device: GPUs of different makers take different programs."""
    return jax_export.default_export_platform() if device.platform == "gpu" else device.platform


def _signature(path: Path, metadata: dict[str, Any]) -> Signature:
    try:
        return Signature.from_json(metadata)
    except (KeyError, TypeError) as error:
        raise checks.CheckpointError(
            path, f"has no usable {error} in its metadata", remedy="export the run again"
        ) from error


def _deserialize(path: Path, parts: archive.Parts, platform: str) -> jax_export.Exported:
    require_flatbuffers()
    try:
        program = jax_export.deserialize(parts.program)
        program.mlir_module()  # now, not in the first call: an older jax does not read the operations of a newer one
        return program
    # The archive's checksum holds, so the bytes are those that were written: this jax does not know them (many types).
    except Exception as error:
        raise checks.CheckpointError(
            path,
            f"has a program for {platform} that jax {jax.__version__} cannot read ({type(error).__name__}: {error})",
            expected=f"jax {parts.metadata['versions']['jax']}, which wrote it, or one up to six months newer",
            remedy="use such a version, or export the run again with this one",
        ) from error


def require_flatbuffers() -> None:
    """Raise :class:`~mer_jax.checks.CheckpointError` where the package that jax.export serialises with is missing."""
    try:
        import flatbuffers  # noqa: F401
    except ImportError:
        raise checks.CheckpointError(
            "flatbuffers",
            "is not installed, and jax.export reads and writes programs with it",
            remedy="pip install flatbuffers",
        ) from None

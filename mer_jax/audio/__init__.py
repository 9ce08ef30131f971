"""Audio files: :func:`load` decodes, down-mixes and resamples (:func:`blocks`: piece by piece); :func:`info` reads a header."""

from mer_jax.audio.decode import AUDIO_EXTENSIONS, AudioInfo, blocks, info, load

__all__ = ["AUDIO_EXTENSIONS", "AudioInfo", "blocks", "info", "load"]

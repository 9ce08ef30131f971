"""Mix: roughen the tones, shape the spectrum, add a room, set the level."""

import numpy as np

# Amplitude modulation near 70 Hz is what listeners call roughest (Fastl & Zwicker, Psychoacoustics, chapter on roughness).
_BEATING_HZ = 70.0
_TILT_PIVOT_HZ = 600.0
_HIGHPASS_HZ = 35.0
_LIMIT_KNEE = 0.8


def normalised(y: np.ndarray) -> np.ndarray:
    """Scale to an RMS of 1; silence stays silence."""
    level = np.sqrt(np.mean(np.square(y, dtype=np.float64)))
    return y if level == 0 else y * np.float32(1.0 / level)


def roughen(y: np.ndarray, roughness: float, sr: int, rng: np.random.Generator) -> np.ndarray:
    """Distort, beat and blur a signal of unit RMS: ``tanh`` drive, modulation at 70 Hz, noise that follows the signal.

    Args:
        y: (samples,) float32 of unit RMS.
        roughness: 0 (nearly untouched)..1.
        sr: sampling rate in Hz.
        rng: draws the noise.
    """
    drive = np.float32(0.1 + 4.0 * roughness**2)
    out = normalised(np.tanh(drive * y))
    turn = np.float32(2 * np.pi * _BEATING_HZ / sr)
    beating = np.sin(turn * np.arange(len(y), dtype=np.float32))
    noise = rng.standard_normal(len(y), dtype=np.float32)
    out *= 1.0 + np.float32(0.5 * roughness) * beating + np.float32(0.25 * roughness) * noise
    return out


def room(sr: int, reverb_s: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the impulse response of a room, (samples,) float32 of unit energy: noise that falls by 60 dB in ``reverb_s``."""
    count = int(reverb_s * sr)
    tail = rng.standard_normal(count) * 10.0 ** (-3.0 * np.arange(count) / count)
    return (tail / np.linalg.norm(tail)).astype(np.float32)


def shape(y: np.ndarray, response: np.ndarray, wet: float, tilt_db_per_octave: float, sr: int) -> np.ndarray:
    """Add the room and tilt the spectrum in one pass through the frequency domain.

    The gain of the tilt is ``tilt * log2(f / 600 Hz)`` dB, held below 60 Hz; a fourth-order high-pass at 35 Hz takes out DC.

    Args:
        y: (samples,) float32.
        response: impulse response of the room.
        wet: level of the room beside the dry sound.
        tilt_db_per_octave: slope of the spectrum.
        sr: sampling rate in Hz.
    """
    size = _fft_size(len(y) + len(response) - 1)
    frequencies = np.fft.rfftfreq(size, 1.0 / sr).astype(np.float32)
    octaves = np.log2(np.maximum(frequencies, 60.0) / _TILT_PIVOT_HZ)
    gain = np.exp(np.float32(tilt_db_per_octave * np.log(10.0) / 20.0) * octaves)
    gain /= 1.0 + (_HIGHPASS_HZ / np.maximum(frequencies, 1e-3)) ** 4
    spectrum = np.fft.rfft(y, size)
    spectrum *= gain * (1.0 + np.float32(wet) * np.fft.rfft(response, size))
    return np.fft.irfft(spectrum, size)[: len(y)].astype(np.float32)


def _fft_size(length: int) -> int:
    """Return the smallest number from ``length`` that is a power of two times 1, 3 or 5 (quick for the FFT)."""
    return min(factor << max(0, (-(-length // factor) - 1).bit_length()) for factor in (1, 3, 5))


def swell(num_samples: int, change_db: float) -> np.ndarray:
    """Return a gain that goes from ``-change_db / 2`` to ``+change_db / 2``, (num_samples,) float32."""
    return (10.0 ** (np.linspace(-0.5, 0.5, num_samples) * change_db / 20.0)).astype(np.float32)


def limit(y: np.ndarray) -> np.ndarray:
    """Bend what is above 0.8 towards 1 with a ``tanh``, so that no sample reaches full scale; the rest is untouched."""
    size = np.abs(y)
    room_left = np.float32(1.0 - _LIMIT_KNEE)
    bent = _LIMIT_KNEE + room_left * np.tanh((size - np.float32(_LIMIT_KNEE)) / room_left)
    return np.where(size > _LIMIT_KNEE, np.copysign(np.minimum(bent, 0.999), y), y).astype(np.float32)

"""Instruments: band-limited wavetables and frequency modulation under an envelope, and four drums."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from mer_jax.data.synthetic.score import Note

_TABLE_BITS = 11
_TABLE_SIZE = 1 << _TABLE_BITS
_FRACTION_BITS = 32 - _TABLE_BITS
_MAX_HARMONICS = 48


def hertz(midi: float) -> float:
    """Return the frequency of a MIDI number in equal temperament, 69 being 440 Hz.

    >>> hertz(69), hertz(57)
    (440.0, 220.0)
    """
    return 440.0 * 2.0 ** ((midi - 69.0) / 12.0)


@dataclass(frozen=True)
class Voice:
    """A timbre, drawn once a song.

    Attributes:
        kind: ``table`` (harmonics summed into one period) or ``fm`` (one carrier, one modulator).
        slope: harmonic k of a table has amplitude ``k**-slope`` before the formant.
        even: level of the even harmonics, 0 (hollow, like a clarinet)..1.
        formant_hz: centre of a broad resonance.
        ratio: modulator over carrier frequency of ``fm``.
        index: modulation index of ``fm`` at the attack; it falls with the note.
        decay_s: time constant of a plucked note; 0 sustains.
        vibrato_cents: depth of a 5.5 Hz vibrato.
    """

    kind: str
    slope: float
    even: float
    formant_hz: float
    ratio: int
    index: float
    decay_s: float
    vibrato_cents: float
    _tables: dict[tuple[float, int], np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def table(self, midi: float, sr: int) -> np.ndarray:
        """Return one period, (2049,) float32 of unit RMS: harmonics up to 0.45 of ``sr``, first sample repeated at the end."""
        key = (midi, sr)
        if key not in self._tables:
            frequency = hertz(midi)
            count = int(np.clip(0.45 * sr // frequency, 1, _MAX_HARMONICS))
            k = np.arange(1, count + 1)
            octaves = np.log2(k * frequency / self.formant_hz)
            amplitude = (
                k**-self.slope * np.where(k % 2 == 0, self.even, 1.0) * (1 + 2 * np.exp(-(octaves**2)))
            )
            spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=complex)
            # Phases that grow with the square of k spread the energy over the period: a lower crest factor.
            spectrum[1 : count + 1] = amplitude * np.exp(-1j * np.pi * k**2 / count)
            wave = np.fft.irfft(spectrum, _TABLE_SIZE)
            wave /= np.sqrt(np.mean(wave**2))
            self._tables[key] = np.append(wave, wave[0]).astype(np.float32)
        return self._tables[key]


def draw_voice(rng: np.random.Generator, *, lead: bool) -> Voice:
    """Draw a timbre. It does not depend on any cue: instruments are a nuisance, as they are in recordings."""
    kind = "fm" if rng.random() < 0.3 else "table"
    plucked = rng.random() < 0.4
    return Voice(
        kind=kind,
        slope=float(rng.uniform(0.9, 1.7)),
        even=float(rng.uniform(0.1, 1.0)),
        formant_hz=float(np.exp(rng.uniform(np.log(350.0), np.log(2200.0)))),
        ratio=int(rng.choice((1, 2, 3))),
        index=float(rng.uniform(0.6, 2.5)),
        decay_s=float(rng.uniform(0.25, 0.9)) if plucked else 0.0,
        vibrato_cents=float(rng.uniform(5.0, 25.0)) if lead and not plucked else 0.0,
    )


def play(voice: Voice, notes: list[Note], num_samples: int, sr: int, *, attack_s: float) -> np.ndarray:
    """Add up the notes of a part, (num_samples,) float32.

    Args:
        voice: the timbre.
        notes: what to play; a note rings on after its end for the release (60 ms).
        num_samples: length of the result; notes are cut there.
        sr: sampling rate in Hz.
        attack_s: rise time of a note.
    """
    out = np.zeros(num_samples, dtype=np.float32)
    for note in notes:
        start = int(note.start_s * sr)
        count = min(int((note.length_s + _RELEASE_S) * sr), num_samples - start)
        if count > 1:
            wave = _oscillate(voice, note.midi, count, sr)
            wave *= note.level * _envelope(count, note.length_s, voice.decay_s, attack_s, sr)
            out[start : start + count] += wave
    return out


_RELEASE_S = 0.06


def _oscillate(voice: Voice, midi: float, count: int, sr: int) -> np.ndarray:
    """Return ``count`` samples of the raw tone at unit level.

    The phase is a 32-bit integer that wraps by itself: exact for any length, and its top bits index the table.
    """
    step = round(hertz(midi) / sr * 2**32)
    phase = np.arange(count, dtype=np.uint32) * np.uint32(step)
    if voice.vibrato_cents:
        # Phase deviation of a frequency deviation d at rate v is d / v radians, here in parts of a 32-bit turn.
        deviation_hz = hertz(midi) * (2.0 ** (voice.vibrato_cents / 1200.0) - 1.0)
        turns = deviation_hz / _VIBRATO_HZ / (2 * np.pi) * 2**32
        phase += (turns * _vibrato(count, sr)).astype(np.int64).astype(np.uint32)
    if voice.kind == "fm":
        angle = phase.astype(np.float32) * np.float32(2 * np.pi / 2**32)
        modulator = (phase * np.uint32(voice.ratio)).astype(np.float32) * np.float32(2 * np.pi / 2**32)
        index = voice.index * np.exp(np.arange(count, dtype=np.float32) * np.float32(-3.0 / sr))
        return np.float32(1.4) * np.sin(angle + index * np.sin(modulator))
    table = voice.table(midi, sr)
    place = phase >> np.uint32(_FRACTION_BITS)
    fraction = (phase & np.uint32((1 << _FRACTION_BITS) - 1)).astype(np.float32)
    fraction *= np.float32(2.0**-_FRACTION_BITS)
    low = table[place]
    return low + fraction * (table[1:][place] - low)


_VIBRATO_HZ = 5.5


@lru_cache(maxsize=8)
def _vibrato_period(sr: int) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(round(sr / _VIBRATO_HZ)) / round(sr / _VIBRATO_HZ))


def _vibrato(count: int, sr: int) -> np.ndarray:
    return np.resize(_vibrato_period(sr), count)


def _envelope(count: int, length_s: float, decay_s: float, attack_s: float, sr: int) -> np.ndarray:
    """Return attack, decay to silence (plucked) or to a plateau, and release; (count,) float32 in 0..1."""
    attack = max(1, min(int(attack_s * sr), count // 2))
    # A sustained note also starts with an accent that dies within about 0.1 s: without it no onset is heard in legato.
    floor = np.float32(0.0 if decay_s else 0.65)
    rate = np.float32(-1.0 / ((decay_s or 0.1) * sr))
    shape = floor + (1 - floor) * np.exp(np.arange(count, dtype=np.float32) * rate)
    shape[:attack] *= np.linspace(0.0, 1.0, attack, dtype=np.float32)
    release = min(int(_RELEASE_S * sr), count)
    held = min(int(length_s * sr), count - release)
    fade = np.linspace(1.0, 0.0, release, dtype=np.float32) ** 2
    shape[held : held + release] *= fade
    shape[held + release :] = 0.0
    return shape

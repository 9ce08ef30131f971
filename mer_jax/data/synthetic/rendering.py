"""Render a clip: cues, then notes, then sound."""

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float
from mer_jax.data.synthetic import mixing
from mer_jax.data.synthetic.percussion import play_drums
from mer_jax.data.synthetic.sampling import Cues, Stream, cues, generator
from mer_jax.data.synthetic.score import Score, compose, plan
from mer_jax.data.synthetic.voices import draw_voice, play

DURATION_S = 5.0
SAMPLE_RATE_HZ = 22050
_EDGE_FADE_S = 0.005


def render(
    index: int, *, seed: int = 0, duration_s: float = DURATION_S, sr: int = SAMPLE_RATE_HZ
) -> tuple[Float[np.ndarray, "samples"], Cues]:
    """Compose and render one clip.

    The result depends on the arguments alone: the same bytes whatever else is rendered, on one machine and NumPy version
    (elsewhere sine and FFT may differ in the last bit).

    Args:
        index: number of the clip, from 0; clips ``3 k .. 3 k + 2`` are sections of one song.
        seed: seed of the data set, from 0.
        duration_s: length of the clip in seconds, 0.25..600.
        sr: sampling rate in Hz, 4000..192000.

    Returns:
        Waveform, (round(duration_s * sr),) float32 in -1..1 without a sample at full scale, and what it was made from.

    Raises:
        ArgumentError: an argument is outside its range.

    >>> y, made_from = render(0)
    >>> y.shape, made_from.clip_id
    ((110250,), 'synthetic-0-00000')
    """
    made_from = cues(index, seed)
    return perform(made_from, duration_s=duration_s, sr=sr), made_from


def perform(
    made_from: Cues, *, duration_s: float = DURATION_S, sr: int = SAMPLE_RATE_HZ
) -> Float[np.ndarray, "samples"]:
    """Compose and render from given cues; the label is not read.

    Args:
        made_from: the cues, as drawn or changed with :meth:`Cues.vary`.
        duration_s: length in seconds, 0.25..600.
        sr: sampling rate in Hz, 4000..192000.

    Returns:
        Waveform as of :func:`render`.

    Raises:
        ArgumentError: an argument is outside its range.
    """
    check_format(duration_s, sr)
    song = plan(made_from)
    score = compose(made_from, song, duration_s)
    band = _Band(generator(made_from.seed, Stream.SONG_SOUND, made_from.song), sr)
    return _master(made_from, score, band, round(duration_s * sr), sr)


def check_format(duration_s: float, sr: int) -> None:
    """Raise :class:`ArgumentError` unless a clip of this length and sampling rate can be rendered."""
    checks.in_range("duration_s", duration_s, 0.25, 600.0)
    checks.positive_int("sr", sr)
    checks.in_range("sr", float(sr), 4000.0, 192000.0)


class _Band:
    """The sound of a song: instruments, balance of the parts, room and noise of the recording. Drawn without the cues."""

    def __init__(self, rng: np.random.Generator, sr: int) -> None:
        self.lead = draw_voice(rng, lead=True)
        self.chords = draw_voice(rng, lead=False)
        self.bass = draw_voice(rng, lead=False)
        balance_db = np.array([0.0, -3.0, -2.0, -3.0]) + rng.normal(0.0, 2.0, 4)
        self.balance = 10.0 ** (balance_db / 20.0)
        self.wet = float(rng.uniform(0.05, 0.45))
        self.noise_db = float(rng.uniform(-65.0, -45.0))
        self.room = mixing.room(sr, float(rng.uniform(0.3, 1.2)), rng)


def _master(made_from: Cues, score: Score, band: _Band, num_samples: int, sr: int) -> np.ndarray:
    """Play the parts, mix them and set the level."""
    rng = generator(made_from.seed, Stream.SECTION_SOUND, made_from.index)
    # A staccato note also begins faster: 4 ms against up to 60 ms.
    attack_s = 0.004 + 0.075 * max(0.0, made_from.articulation - 0.25)
    tones = np.zeros(num_samples, dtype=np.float32)
    parts = ((band.lead, score.lead), (band.chords, score.chords), (band.bass, score.bass))
    for gain, (voice, notes) in zip(band.balance, parts, strict=False):
        tones += np.float32(gain) * mixing.normalised(play(voice, notes, num_samples, sr, attack_s=attack_s))
    mix = mixing.roughen(mixing.normalised(tones), made_from.roughness, sr, rng)
    drums = play_drums(score.drums, num_samples, sr, rng)
    mix += np.float32(4.0 * band.balance[3]) * drums
    # Tense music swells or sinks: up to 12 dB over the clip.
    mix *= mixing.swell(num_samples, 12.0 * made_from.tension * rng.choice((-1.0, 1.0)))
    mix = mixing.shape(mix, band.room, band.wet, made_from.brightness_db_per_octave, sr)
    mix = mixing.normalised(mix)
    mix += np.float32(10.0 ** (band.noise_db / 20.0)) * rng.standard_normal(num_samples, dtype=np.float32)
    return _finish(mix, made_from.loudness_db, sr)


def _finish(mix: np.ndarray, loudness_db: float, sr: int) -> np.ndarray:
    """Round the edges off, take out what is left of DC, set the level, keep peaks below full scale."""
    fade = int(_EDGE_FADE_S * sr)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    mix[:fade] *= ramp
    mix[-fade:] *= ramp[::-1]
    y = mixing.normalised(mix - np.float32(mix.mean(dtype=np.float64)))
    return mixing.limit(np.float32(10.0 ** (loudness_db / 20.0)) * y)

"""Pitch salience: how strongly each piano key's pitch sounds in each frame, with its overtones explained away."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from mer_jax import checks, signal
from mer_jax._shapes import Array, ArrayLike, Float
from mer_jax.frontends.base import Frontend, bins_last
from mer_jax.frontends.chroma import PITCH_CLASSES
from mer_jax.signal.frequencies import cqt_frequencies
from mer_jax.signal.platform import per_clip
from mer_jax.signal.precision import widen

#: Pitches: the 88 keys of a piano, A0 = 27.5 Hz to C8 = 4186 Hz.
NUM_PITCHES = 88
A0_HZ = 27.5

# The transform's highest filter reaches 4,329 Hz.
LOWEST_SR = 8_700

# Three bins a semitone, the middle one on the note: a bin beside it takes what is out of tune.
BINS_PER_SEMITONE = 3
BINS_PER_OCTAVE = 12 * BINS_PER_SEMITONE

# Each overtone has this share of the amplitude of the one below it (Gómez and Mauch & Dixon use 0.6 to 0.9).
OVERTONE_DECAY = 0.7
NUM_HARMONICS = 12

# What a clip's largest magnitude, as 1, must exceed in salience to be worth a note.
SPARSITY = 1e-3
ITERATIONS = 30


def pitch_salience(
    y: Float[ArrayLike, "*batch samples"],
    *,
    sr: float = 22050,
    hop_length: int = 512,
    iterations: int = ITERATIONS,
) -> Float[Array, "*batch pitches frames"]:
    """Salience of the 88 pitches of a piano: the non-negative mix of harmonic tones that explains a constant-Q spectrum best.

    With the magnitudes ``X`` (264 bins, three a semitone, relative to the clip's maximum) and the spectra ``W`` of tones with
    overtones (:func:`tone_spectra`), ``H >= 0`` lowers ``||X - W H||^2 / 2 + 0.001 sum(H)`` by ``iterations`` multiplicative
    steps ``H <- H * W'X / (W'W H + 0.001)`` from ``H = W'X``. Unlike chroma or a constant-Q spectrum, an overtone counts as its
    fundamental, so that registers, chords and single notes can be told from it.

    Args:
        y: samples, shape (..., samples).
        sr: sampling rate in hertz, 8,700 or above so that the highest pitch fits.
        hop_length: samples between frames.
        iterations: multiplicative steps.

    Returns:
        Shape (..., 88, frames), relative to the clip's largest magnitude; 0 in silence.

    Raises:
        ArgumentError: if an option cannot be used.

    Source:
        Mauch and Dixon, "Approximate note transcription for the improved identification of difficult chords" (ISMIR 2010);
        Lee and Seung, "Algorithms for non-negative matrix factorization" (NIPS 2000), with the L1 penalty of Hoyer (2002).

    >>> pitch_salience(np.zeros((2, 4096))).shape
    (2, 88, 9)
    """
    checks.positive_int("iterations", iterations)
    spectrum = signal.cqt(
        y,
        sr=sr,
        hop_length=hop_length,
        fmin=_bin_frequencies()[0],
        n_bins=NUM_PITCHES * BINS_PER_SEMITONE,
        bins_per_octave=BINS_PER_OCTAVE,
    )
    return explain_by_tones(jnp.abs(spectrum), iterations=iterations)


@partial(jax.jit, static_argnames="iterations")
def explain_by_tones(
    magnitude: Float[Array, "*batch bins frames"], *, iterations: int = ITERATIONS
) -> Float[Array, "*batch pitches frames"]:
    """:func:`pitch_salience` of a constant-Q spectrum, (..., 264 bins, frames)."""
    x = widen(magnitude)
    tones = jnp.asarray(tone_spectra(), x.dtype)
    high = lax.Precision.HIGHEST
    overlap = jnp.matmul(tones.T, tones, precision=high)

    def of_clip(clip: jax.Array) -> jax.Array:
        peak = clip.max()
        fit = jnp.matmul(tones.T, clip / jnp.where(peak > 0, peak, 1), precision=high)

        def step(salience: jax.Array, _: None) -> tuple[jax.Array, None]:
            return salience * fit / (jnp.matmul(overlap, salience, precision=high) + SPARSITY), None

        return lax.scan(step, fit, None, length=iterations)[0]

    return per_clip(of_clip, x, core_ndim=2).astype(magnitude.dtype)


@lru_cache(maxsize=1)
def tone_spectra() -> Float[np.ndarray, "bins pitches"]:
    """Constant-Q spectra of the 88 tones, each scaled to unit Euclidean norm; float64.

    A partial of frequency ``f`` and amplitude ``a`` gives bin ``k`` the magnitude ``a sqrt(N_k) |V(Q (f / f_k - 1))|``, with
    the transform ``V(x) = sinc(x) / (1 - x^2)`` of a Hann window (``x`` in cycles a window, 1 at 0). Partial ``h`` of a tone
    has amplitude ``0.7^(h - 1)``; the partials' powers add.
    """
    centres_hz = _bin_frequencies()
    ratio = 2.0 ** (1 / BINS_PER_OCTAVE)
    q = (ratio + 1 / ratio) / (ratio - 1 / ratio)
    partials = np.arange(1, NUM_HARMONICS + 1)
    notes_hz = A0_HZ * 2.0 ** (np.arange(NUM_PITCHES) / 12)
    x = q * (notes_hz[None, :, None] * partials / centres_hz[:, None, None] - 1)
    window = np.abs(np.sinc(x) / np.where(np.abs(np.abs(x) - 1) < 1e-9, np.inf, 1 - x**2))
    window = np.where(np.abs(np.abs(x) - 1) < 1e-9, 0.5, window)
    power = np.square(OVERTONE_DECAY ** (partials - 1) * window).sum(axis=-1)
    spectra = np.sqrt(power / centres_hz[:, None])  # N_k is inverse to the centre frequency
    return spectra / np.linalg.norm(spectra, axis=0)


def _bin_frequencies() -> np.ndarray:
    return cqt_frequencies(
        NUM_PITCHES * BINS_PER_SEMITONE,
        fmin=A0_HZ * 2.0 ** (-1 / BINS_PER_OCTAVE),
        bins_per_octave=BINS_PER_OCTAVE,
    )


class PitchSalience(Frontend):
    """Salience of the 88 pitches of a piano, :func:`pitch_salience`, frame by frame.

    Args:
        sr: sampling rate, Hz; 8,700 or above.
        hop_length: samples from one frame to the next.
        iterations: steps in which the tones are fitted to the spectrum.
        rngs: unused; taken so that all front-ends are built alike.

    Raises:
        mer_jax.checks.ArgumentError: a size that is not a positive integer, or a sampling rate too low.
    """

    picture_scale = "magnitude"

    def __init__(
        self,
        *,
        sr: int = 22050,
        hop_length: int = 512,
        iterations: int = ITERATIONS,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        del rngs
        names = tuple(f"{PITCH_CLASSES[(k + 9) % 12]}{(k + 9) // 12}" for k in range(NUM_PITCHES))
        super().__init__(sr=sr, hop_length=hop_length, feature_names=names)
        checks.positive_int("iterations", iterations)
        if sr < LOWEST_SR:
            raise checks.ArgumentError(
                "sr", f"is {sr}", expected=f"at least {LOWEST_SR} Hz, for the filters of the highest pitch"
            )
        self.iterations = iterations

    def bins(self) -> tuple[str, np.ndarray]:
        """The pitches' MIDI numbers."""
        return "Pitch (MIDI number)", np.arange(21, 21 + NUM_PITCHES)

    def features(self, waveforms: jax.Array) -> jax.Array:
        """(batch, frames, 88)."""
        return bins_last(
            pitch_salience(
                waveforms, sr=self.sr, hop_length=self.hop_length, iterations=self.iterations
            ).astype(waveforms.dtype)
        )

"""Short-time Fourier transform, its inverse, and the spectrograms that other features start from."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Complex, Float, Inexact, Shaped
from mer_jax.signal import framing
from mer_jax.signal.platform import per_clip, platform
from mer_jax.signal.precision import compute_dtype, widen
from mer_jax.signal.spectra import magnitude_power, map_spectra, rows_per_step
from mer_jax.signal.windows import WindowSpec, centered_window


def stft(
    y: Shaped[ArrayLike, "*batch samples"],
    *,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> Complex[Array, "*batch bins frames"]:
    """Short-time Fourier transform ``D[f, t] = sum_n w[n] y[t * hop_length + n] exp(-2 pi i f n / n_fft)``.

    Args:
        y: samples, shape (..., samples).
        n_fft: samples in a frame, and the length of the transform.
        hop_length: samples between frames; None is ``win_length // 4``.
        win_length: samples of the window, centred in the frame; None is ``n_fft``.
        window: a specification of ``scipy.signal.get_window`` or ``win_length`` samples; gradients flow into a JAX array.
        center: frame ``t`` is centred at ``t * hop_length``, ``y`` being padded by ``n_fft // 2``; otherwise it starts there.
        pad_mode: how ``center`` pads, a name in :data:`mer_jax.signal.framing.PAD_MODES`.

    Returns:
        Complex amplitudes in the unit of ``y``, complex64 (complex128 for float64), shape (..., 1 + n_fft // 2, frames).

    Raises:
        ArgumentError: if a length, the window or ``pad_mode`` cannot be used, or ``center=False`` and no frame fits.

    Source:
        librosa 0.11, ``librosa.stft``. (With ``reflect`` or ``symmetric`` padding and a clip of a whole number of hops
        librosa reflects its last frame at the wrong sample; here it is ``numpy.pad`` throughout.)

    >>> stft(jnp.ones(8), n_fft=4, hop_length=4, center=False).real.tolist()
    [[2.0, 2.0], [-1.0, -1.0], [0.0, 0.0]]
    """
    y = checks.waveform(y)
    framed = frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode)
    return _stft(y, framed.pop("window"), **framed)


@partial(jax.jit, static_argnames=("hop_length", "center", "pad_mode"))
def _stft(y: jax.Array, window: jax.Array, *, hop_length: int, center: bool, pad_mode: str) -> jax.Array:
    return map_spectra(lambda z: z, widen(y), window, hop_length=hop_length, center=center, pad_mode=pad_mode)


def frame_options(
    y: jax.Array,
    n_fft: int,
    hop_length: int | None,
    win_length: int | None,
    window: WindowSpec,
    center: bool,
    pad_mode: str,
) -> dict:
    """Check the options of a transform and fill in their defaults.

    Returns:
        The keyword arguments ``window`` (an array of ``n_fft`` samples), ``hop_length``, ``center`` and ``pad_mode`` of
        :func:`mer_jax.signal.spectra.map_spectra`.
    """
    checks.positive_int("n_fft", n_fft)
    win_length = n_fft if win_length is None else win_length
    samples = centered_window(window, win_length, n_fft, compute_dtype(y.dtype))
    hop_length = max(1, win_length // 4) if hop_length is None else hop_length
    checks.one_of("pad_mode", pad_mode, framing.PAD_MODES)
    framing.check_frames(y.shape[-1], frame_length=n_fft, hop_length=hop_length, center=center, name="n_fft")
    return {"window": samples, "hop_length": hop_length, "center": center, "pad_mode": pad_mode}


def spectrogram(
    y: Shaped[ArrayLike, "*batch samples"],
    *,
    n_fft: int = 2048,
    hop_length: int | None = 512,
    win_length: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 1.0,
) -> Float[Array, "*batch bins frames"]:
    """Magnitude spectrogram to a power, ``|D[f, t]| ** power``.

    The same values as ``abs(stft(y)) ** power``, computed without storing the complex transform; the gradient at 0 is 0.

    Args:
        y: samples, shape (..., samples).
        n_fft: see :func:`stft`, as for all that follow but the last.
        hop_length: None is ``win_length // 4``.
        win_length: None is ``n_fft``.
        window: a specification or samples.
        center: centre the frames.
        pad_mode: how ``center`` pads.
        power: exponent: 1 gives magnitudes, 2 powers.

    Returns:
        Shape (..., 1 + n_fft // 2, frames), of the dtype of ``y``.

    Raises:
        ArgumentError: as :func:`stft`, and unless ``power`` is above 0.

    >>> spectrogram(jnp.ones(8), n_fft=4, hop_length=4, center=False, power=2).tolist()
    [[4.0, 4.0], [1.0, 1.0], [0.0, 0.0]]
    """
    y = checks.waveform(y)
    checks.positive("power", power)
    framed = frame_options(y, n_fft, hop_length, win_length, window, center, pad_mode)
    return _spectrogram(y, framed.pop("window"), power=float(power), **framed)


@partial(jax.jit, static_argnames=("hop_length", "center", "pad_mode", "power"))
def _spectrogram(
    y: jax.Array, window: jax.Array, *, hop_length: int, center: bool, pad_mode: str, power: float
) -> jax.Array:
    fn = partial(magnitude_power, power=power)
    return map_spectra(fn, widen(y), window, hop_length=hop_length, center=center, pad_mode=pad_mode).astype(
        y.dtype
    )


def istft(
    stft_matrix: Inexact[ArrayLike, "*batch bins frames"],
    *,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: WindowSpec = "hann",
    center: bool = True,
    length: int | None = None,
) -> Float[Array, "*batch samples"]:
    """Signal whose transform is nearest to ``stft_matrix``: windowed overlap-add divided by the summed squares of the window.

    ``y[n] = sum_t w[n - t H] x_t[n - t H] / sum_t w[n - t H]^2``, ``x_t`` being the inverse transform of frame ``t``.

    Args:
        stft_matrix: complex amplitudes, shape (..., 1 + n_fft // 2, frames).
        hop_length: samples between frames; None is ``win_length // 4``.
        win_length: samples of the window; None is ``n_fft``.
        n_fft: length of the transform; None is ``2 * (bins - 1)``, so give it when it is odd.
        window: as for :func:`stft`.
        center: frames are centred: the padding of ``n_fft // 2`` on either side is cut off.
        length: samples wanted; the result is cut or filled with zeros.

    Returns:
        Samples, shape (..., samples).

    Raises:
        ArgumentError: if a length or the window cannot be used, or ``n_fft`` does not have the bins of ``stft_matrix``.

    Source:
        Griffin and Lim, *Signal estimation from modified short-time Fourier transform* (1984), section II; librosa 0.11.

    >>> istft(stft(jnp.arange(8.0), n_fft=4)).astype(int).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    D = checks.spectrogram(stft_matrix, name="stft_matrix")
    n_fft = 2 * (D.shape[-2] - 1) if n_fft is None else n_fft
    checks.positive_int("n_fft", n_fft)
    if 1 + n_fft // 2 != D.shape[-2]:
        raise checks.ArgumentError(
            "stft_matrix", f"has {D.shape[-2]} bins", expected=f"{1 + n_fft // 2}, what n_fft={n_fft} implies"
        )
    win_length = n_fft if win_length is None else win_length
    hop_length = max(1, win_length // 4) if hop_length is None else hop_length
    checks.positive_int("hop_length", hop_length)
    samples = centered_window(window, win_length, n_fft, compute_dtype(D.dtype))
    if length is not None:
        checks.positive_int("length", length)
    return _istft(D, samples, hop_length=hop_length, center=center, length=length)


@partial(jax.jit, static_argnames=("hop_length", "center", "length"))
def _istft(
    D: jax.Array, window: jax.Array, *, hop_length: int, center: bool, length: int | None
) -> jax.Array:
    n_fft = window.shape[-1]
    left = n_fft // 2 if center else 0
    frames = D.shape[-1]
    if length is not None:
        frames = min(frames, -(-(length + 2 * left) // hop_length))
    total = n_fft + hop_length * (frames - 1)
    samples = length if length is not None else max(0, total - 2 * left)

    def clip(D: jax.Array) -> jax.Array:
        rows = _inverse_rows(D[:, :frames].T, n_fft) * window[None, :]
        return framing.fit(framing.overlap_add(rows, hop_length=hop_length)[left:], samples)

    envelope = framing.fit(_window_sum_squares(window, frames, hop_length)[left:], samples)
    covered = envelope > jnp.finfo(envelope.dtype).tiny
    y = per_clip(clip, D, core_ndim=2)
    return y / jnp.where(covered, envelope, 1).reshape((1,) * (y.ndim - 1) + (samples,))


def _inverse_rows(rows: jax.Array, n_fft: int) -> jax.Array:
    """Inverse real transform of each row, on a CPU a few rows at a time (see :func:`rows_per_step`)."""
    if platform() != "cpu":
        return jnp.fft.irfft(rows, n=n_fft)
    step = rows_per_step(n_fft, compute_dtype(rows.dtype).itemsize)
    count = rows.shape[0]
    padded = jnp.pad(rows, [(0, -count % step), (0, 0)]).reshape(-1, step, rows.shape[1])
    return lax.map(lambda some: jnp.fft.irfft(some, n=n_fft), padded).reshape(-1, n_fft)[:count]


def _window_sum_squares(window: jax.Array, frames: int, hop_length: int) -> jax.Array:
    """``sum_t w[n - t * hop_length]^2``, shape (at least n_fft + hop_length * (frames - 1),).

    Row ``b`` of hops is the sum of the window's own hops ``max(0, b - frames + 1) .. b``; once all of them are in, rows
    repeat.
    """
    hops = -(-window.shape[-1] // hop_length)
    squares = framing.fit(jnp.square(window), hops * hop_length).reshape(hops, hop_length)
    distinct = min(frames, hops)
    lag = np.arange(distinct + hops - 1)[:, None] - np.arange(hops)[None, :]
    band = jnp.asarray((lag >= 0) & (lag < distinct), squares.dtype)
    rows = jnp.matmul(band, squares, precision=lax.Precision.HIGHEST)
    middle = jnp.broadcast_to(rows[hops - 1], (frames - distinct, hop_length))
    return jnp.concatenate([rows[:hops], middle, rows[hops:]]).reshape(-1)

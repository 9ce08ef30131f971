"""Per-channel energy normalisation: automatic gain control and root compression of a spectrogram."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float, Inexact
from mer_jax.signal.platform import per_clip, platform
from mer_jax.signal.precision import widen

#: A parameter: a number, or an array that broadcasts against the spectrogram, so that each band may have its own.
Parameter = float | ArrayLike


def pcen(
    S: Inexact[ArrayLike, "*dims"],
    *,
    sr: float = 22050,
    hop_length: int = 512,
    gain: Parameter = 0.98,
    bias: Parameter = 2.0,
    power: Parameter = 0.5,
    time_constant: float = 0.400,
    eps: Parameter = 1e-6,
    b: Parameter | None = None,
    max_size: int = 1,
    ref: Float[ArrayLike, "*dims"] | None = None,
    axis: int = -1,
    max_axis: int | None = None,
    zi: ArrayLike | None = None,
    return_zf: bool = False,
) -> Float[Array, "*dims"] | tuple[Float[Array, "*dims"], Float[Array, "..."]]:
    """Per-channel energy normalisation, ``P = (S / (eps + M) ** gain + bias) ** power - bias ** power``.

    ``M[t] = (1 - b) M[t - 1] + b R[t]`` smooths the reference ``R`` (``S``, or its maximum over neighbouring bands) in time.
    The defaults of ``eps`` and ``bias`` expect ``S`` of samples scaled to +-2**31. The result is differentiable in ``S`` and
    in ``gain``, ``bias``, ``power``, ``eps`` and ``b``, each a number or an array that broadcasts against ``S``.

    Args:
        S: not negative, shape (..., bands, frames); magnitudes are taken of complex values.
        sr: sampling rate in hertz.
        hop_length: samples between frames.
        gain: exponent of the gain control, at least 0.
        bias: at least 0.
        power: exponent of the compression, at least 0; 0 is its limit, ``log(1 + S / (eps + M) ** gain)``.
        time_constant: of the smoother, in seconds.
        eps: floor of the smoothed reference, above 0.
        b: coefficient of the smoother in 0..1; None is ``(sqrt(1 + 4 T^2) - 1) / (2 T^2)`` with ``T = time_constant * sr /
            hop_length`` frames.
        max_size: bands of the maximum filter of the reference; 1 for none.
        ref: the reference ``R`` itself.
        axis: the axis of time.
        max_axis: the axis of bands; None is the other one of the last two.
        zi: state of the smoother before the first frame, ``(1 - b) M[-1]``, of length 1 along ``axis``; None is ``1 - b``,
            the state after a long reference of ones.
        return_zf: also return the state after the last frame, to go on with the next block of a stream.

    Returns:
        ``P``, of the shape of ``S`` and its real dtype; with ``return_zf`` the pair of it and the state.

    Raises:
        ArgumentError: if a number is out of range, or there is no axis of bands to filter.

    Source:
        Wang et al., *Trainable frontend for robust and far-field keyword spotting* (2017); Lostanlen et al., *Per-channel
        energy
        normalization: why and how* (2019); librosa 0.11, ``librosa.pcen``.

    >>> pcen(jnp.zeros((1, 2)), b=0.5).tolist()
    [[0.0, 0.0]]
    """
    S = checks.floating(S)
    S = jnp.abs(S) if jnp.iscomplexobj(S) else S
    if S.ndim < 1:
        raise checks.ArgumentError("S", "is a single number", expected="a spectrogram (..., bands, frames)")
    checks.positive("sr", sr)
    checks.positive_int("hop_length", hop_length)
    checks.positive("time_constant", time_constant)
    checks.positive_int("max_size", max_size)
    for name, value in (("gain", gain), ("bias", bias), ("power", power)):
        _check_number(name, value, 0.0, np.inf)
    _check_number("eps", eps, np.finfo(np.float64).tiny, np.inf)
    if b is None:
        frames = time_constant * sr / hop_length
        b = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    _check_number("b", b, 0.0, 1.0)
    checks.in_range("axis", axis, -S.ndim, S.ndim - 1)
    x = widen(S)
    if ref is None:
        r = x if max_size == 1 else _max_filter(x, max_size, _band_axis(x.ndim, axis, max_axis))
    else:
        r = widen(checks.floating(ref, name="ref"))
    form = _compression_form(bias, power)
    gain, bias, power, eps, b = (_parameter(p, x) for p in (gain, bias, power, eps, b))
    state = 1 - b if zi is None else _parameter(zi, x)
    out, zf = _pcen(x, r, gain, bias, power, eps, b, state, axis=axis, form=form)
    out = out.astype(S.dtype)
    return (out, zf.astype(S.dtype)) if return_zf else out


def _check_number(name: str, value: Parameter, low: float, high: float) -> None:
    # Arrays (trained parameters) may be traced: their range cannot be seen here.
    if isinstance(value, (int, float, np.number)):
        checks.in_range(name, float(value), low, high)


def _parameter(value: Parameter, x: jax.Array) -> jax.Array:
    """``value`` as an array of the rank of ``x``."""
    p = jnp.asarray(value, x.dtype)
    return p.reshape((1,) * (x.ndim - p.ndim) + p.shape)


def _compression_form(bias: Parameter, power: Parameter) -> str:
    """Which formula of the compression applies: two parameters have a limit at 0, where the general one fails."""
    if isinstance(power, (int, float, np.number)) and power == 0:
        return "logarithm"
    if isinstance(bias, (int, float, np.number)) and bias == 0:
        return "root"
    return "general"


def _band_axis(ndim: int, axis: int, max_axis: int | None) -> int:
    if max_axis is not None:
        checks.in_range("max_axis", max_axis, -ndim, ndim - 1)
        return max_axis % ndim
    if ndim < 2 or axis % ndim < ndim - 2:
        raise checks.ArgumentError(
            "max_size", "is above 1 but the axis of bands is not known", expected="max_axis as well"
        )
    return ndim - 1 if axis % ndim == ndim - 2 else ndim - 2


def _max_filter(x: jax.Array, size: int, axis: int) -> jax.Array:
    """Maximum over ``size`` neighbours along ``axis``: from ``size // 2`` before to ``(size - 1) // 2`` after."""
    window = [1] * x.ndim
    window[axis] = size
    padding = [(0, 0)] * x.ndim
    padding[axis] = (size // 2, (size - 1) // 2)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, [1] * x.ndim, padding)


@partial(jax.jit, static_argnames=("axis", "form"))
def _pcen(
    x: jax.Array, r: jax.Array, *parameters: jax.Array, axis: int, form: str
) -> tuple[jax.Array, jax.Array]:
    """Clip by clip, time last: the logarithms of a clip then find it in cache."""
    bands_and_time = 2 if x.ndim > 1 else 1
    lead = jnp.moveaxis(x, axis, -1).shape[: x.ndim - bands_and_time]

    def as_clips(a: jax.Array) -> jax.Array:
        a = jnp.moveaxis(a, axis, -1)
        a = a if x.ndim > 1 else a[None]
        return jnp.broadcast_to(a, lead + a.shape[-2:])

    out, state = per_clip(
        partial(_pcen_of_clip, form=form), *(as_clips(a) for a in (x, r, *parameters)), core_ndim=2
    )
    if x.ndim == 1:
        out, state = out[0], state[0]
    return jnp.moveaxis(out, -1, axis), jnp.moveaxis(state, -1, axis)


def _pcen_of_clip(
    x: jax.Array,
    r: jax.Array,
    gain: jax.Array,
    bias: jax.Array,
    power: jax.Array,
    eps: jax.Array,
    b: jax.Array,
    state: jax.Array,
    *,
    form: str,
) -> tuple[jax.Array, jax.Array]:
    smoothed, state = smooth(r, b, state)
    # In logarithms, so that a large dynamic range neither overflows nor loses its small values.
    levelled = x * jnp.exp(-gain * (jnp.log(eps) + jnp.log1p(smoothed / eps)))
    if form == "logarithm":
        return jnp.log1p(levelled), state
    if form == "root":
        present = levelled > 0
        return jnp.where(present, jnp.exp(power * jnp.log(jnp.where(present, levelled, 1))), 0), state
    return bias**power * jnp.expm1(power * jnp.log1p(levelled / bias)), state


def smooth(
    x: Float[Array, "bands frames"], b: Float[Array, "_ 1"], state: Float[Array, "_ 1"]
) -> tuple[Float[Array, "bands frames"], Float[Array, "bands 1"]]:
    """First-order low-pass ``m[t] = b x[t] + (1 - b) m[t - 1]`` along the frames.

    Args:
        x: values.
        b: coefficient of each band, or one for all.
        state: ``(1 - b) m[-1]`` of each band, or one for all.

    Returns:
        The smoothed values, and the state ``(1 - b) m[-1]`` after the last frame.
    """
    bands = x.shape[0]
    b = jnp.broadcast_to(b, (bands, 1))
    state = jnp.broadcast_to(state, (bands, 1))
    run = _smooth_in_turn if platform() == "cpu" else _smooth_at_once
    smoothed = run(x, b, state)
    return smoothed, (1 - b) * smoothed[:, -1:]


def _smooth_in_turn(x: jax.Array, b: jax.Array, state: jax.Array) -> jax.Array:
    """Frame after frame."""
    b = b[:, 0]

    def step(state: jax.Array, new: jax.Array) -> tuple[jax.Array, jax.Array]:
        m = b * new + state
        return (1 - b) * m, m

    return lax.scan(step, state[:, 0], x.T)[1].T


def _smooth_at_once(x: jax.Array, b: jax.Array, state: jax.Array) -> jax.Array:
    """All frames in a logarithmic number of steps: affine maps ``m -> a m + c`` are composed by an associative scan."""

    def compose(first: tuple, second: tuple) -> tuple:
        return first[0] * second[0], second[0] * first[1] + second[1]

    driven = (b * x).at[:, :1].add(state)
    return lax.associative_scan(compose, (jnp.broadcast_to(1 - b, x.shape), driven), axis=-1)[1]

"""Local derivatives of features in time."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.signal

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float
from mer_jax.signal.precision import widen

#: Padding of :func:`delta` by its ``mode``, in the words of ``numpy.pad``.
_DELTA_PADS = {"mirror": "reflect", "nearest": "edge", "constant": "constant", "wrap": "wrap"}


def delta(
    data: Float[ArrayLike, "*dims"],
    *,
    width: int = 9,
    order: int = 1,
    axis: int = -1,
    mode: str = "interp",
    polyorder: int | None = None,
    delta: float = 1.0,
    cval: float = 0.0,
) -> Float[Array, "*dims"]:
    """Local derivative by a Savitzky-Golay filter: that of the polynomial fitted to the ``width`` nearest values.

    Args:
        data: values, any shape.
        width: values of the fit, odd, at least 3.
        order: order of the derivative.
        axis: the axis of time.
        mode: how the edges are treated: ``"interp"`` evaluates the polynomials of the first and last ``width`` values there;
            ``"mirror"``, ``"nearest"``, ``"constant"`` and ``"wrap"`` pad.
        polyorder: degree of the polynomial; None is ``order``.
        delta: spacing of the values; the result is divided by ``delta ** order``.
        cval: what ``mode="constant"`` pads with.

    Returns:
        Derivatives, of the shape and dtype of ``data``.

    Raises:
        ArgumentError: if ``width``, ``order``, ``polyorder`` or ``mode`` cannot be used, or ``mode="interp"`` and ``data`` is
            shorter than ``width``.

    Source:
        Savitzky and Golay (1964); librosa 0.11, ``librosa.feature.delta``, and ``scipy.signal.savgol_filter``.

    >>> delta(2.0 * jnp.arange(5.0), width=3).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    data = jnp.atleast_1d(jnp.asarray(data))
    checks.positive_int("width", width, minimum=3)
    if width % 2 == 0:
        raise checks.ArgumentError("width", f"is {width}", expected="an odd integer of at least 3")
    checks.positive_int("order", order)
    polyorder = order if polyorder is None else polyorder
    checks.positive_int("polyorder", polyorder, minimum=0)
    if polyorder >= width:
        raise checks.ArgumentError("polyorder", f"is {polyorder}", expected=f"below width={width}")
    checks.one_of("mode", mode, ["interp", *_DELTA_PADS])
    checks.in_range("axis", axis, -data.ndim, data.ndim - 1)
    if mode == "interp" and width > data.shape[axis]:
        raise checks.ArgumentError(
            "width",
            f"is {width}, more than the {data.shape[axis]} values along axis {axis}",
            expected="at most as many when mode='interp'",
            remedy="shorten width or choose another mode",
        )
    return _delta(
        data, width=width, order=order, axis=axis, mode=mode, polyorder=polyorder, spacing=delta, cval=cval
    )


@partial(jax.jit, static_argnames=("width", "order", "axis", "mode", "polyorder", "spacing", "cval"))
def _delta(
    data: jax.Array,
    *,
    width: int,
    order: int,
    axis: int,
    mode: str,
    polyorder: int,
    spacing: float,
    cval: float,
) -> jax.Array:
    half = width // 2
    x = jnp.moveaxis(widen(data), axis, -1)
    if mode == "interp":
        padded = x
    else:
        fill = {"constant_values": cval} if mode == "constant" else {}
        padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode=_DELTA_PADS[mode], **fill)
    taps = _savgol_taps(width, polyorder, order, spacing)
    out = _correlate(padded, taps[half])
    if mode == "interp":
        first = _fit_edge(x[..., :width], taps[:half], np.arange(half))
        last = _fit_edge(x[..., -width:], taps[half + 1 :], np.arange(half + 1, width))
        out = jnp.concatenate([first, out, last], axis=-1)
    return jnp.moveaxis(out, -1, axis).astype(data.dtype)


@lru_cache(maxsize=32)
def _savgol_taps(width: int, polyorder: int, order: int, spacing: float) -> np.ndarray:
    """Row ``p``: weights of ``width`` values that give the derivative at the ``p``-th of them, shape (width, width)."""
    rows = [
        scipy.signal.savgol_coeffs(width, polyorder, deriv=order, delta=spacing, pos=p, use="dot")
        for p in range(width)
    ]
    return np.stack(rows)


def _correlate(x: jax.Array, taps: np.ndarray) -> jax.Array:
    """``sum_j taps[j] * x[i + j]`` along the last axis, where it is covered.

    A derivative does not see a constant, so the centre value is subtracted first: decibels around -60 would otherwise cost
    the small differences between them two digits.
    """
    half = len(taps) // 2
    count = x.shape[-1] - 2 * half
    centre = x[..., half : half + count]
    out = jnp.zeros_like(centre)
    for j, tap in enumerate(taps):
        if j != half:
            out += float(tap) * (x[..., j : j + count] - centre)
    return out


def _fit_edge(x: jax.Array, taps: np.ndarray, at: np.ndarray) -> jax.Array:
    """Derivatives at the positions ``at`` of ``width`` values, from the polynomial fitted to them."""
    weights = jnp.asarray(taps, x.dtype)
    relative = x[..., None, :] - x[..., at][..., :, None]
    return jnp.sum(weights.reshape((1,) * (x.ndim - 1) + weights.shape) * relative, axis=-1)

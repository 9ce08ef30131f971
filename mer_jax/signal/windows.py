"""Analysis windows, built once in NumPy and kept by their specification."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.signal import get_window

from mer_jax import checks
from mer_jax._shapes import Array, ArrayLike, Float

#: A window: a name or (name, parameters) or Kaiser beta as ``scipy.signal.get_window`` takes it, or its samples.
WindowSpec = str | tuple | float | int | list | ArrayLike


def centered_window(
    window: WindowSpec, win_length: int, n_fft: int, dtype: Any = np.float64
) -> Float[np.ndarray, "n_fft"] | Float[Array, "n_fft"]:
    """The window of ``win_length`` samples in the middle of ``n_fft``, zeros around it.

    A JAX array stays one, so that a window can be learnt or traced; everything else becomes a NumPy array.

    Args:
        window: specification or samples.
        win_length: samples of the window, at most ``n_fft``.
        n_fft: samples of the result.
        dtype: of the result.

    Raises:
        ArgumentError: if the specification is unknown, or the lengths do not fit.

    >>> centered_window("boxcar", 2, 4).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    checks.positive_int("win_length", win_length)
    if win_length > n_fft:
        raise checks.ArgumentError("win_length", f"is {win_length}", expected=f"at most n_fft={n_fft}")
    if isinstance(window, (str, tuple, float, int)):
        return _named_window(window, win_length, n_fft, np.dtype(dtype))
    samples = window if isinstance(window, jax.Array) else np.asarray(window)
    if samples.shape != (win_length,):
        raise checks.ArgumentError(
            "window",
            f"has shape {tuple(samples.shape)}",
            expected=f"({win_length},), that is win_length samples",
        )
    before = (n_fft - win_length) // 2
    pad = jnp.pad if isinstance(samples, jax.Array) else np.pad
    return pad(samples, (before, n_fft - win_length - before)).astype(dtype)


@lru_cache(maxsize=64)
def _named_window(window: str | tuple | float, win_length: int, n_fft: int, dtype: np.dtype) -> np.ndarray:
    try:
        samples = get_window(window, win_length, fftbins=True)
    except ValueError as error:
        raise checks.ArgumentError(
            "window",
            f"is {window!r}: {error}",
            expected="a name that scipy.signal.get_window knows, such as 'hann'",
        ) from error
    before = (n_fft - win_length) // 2
    padded = np.pad(samples, (before, n_fft - win_length - before)).astype(dtype)
    padded.setflags(write=False)  # shared by every caller
    return padded

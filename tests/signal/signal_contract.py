"""What every function of ``mer_jax.signal`` must satisfy, whatever it computes; and the signals to try it on."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import monitoring

_compilations = 0


def _count(event: str, duration_s: float, **facts: object) -> None:
    global _compilations
    _compilations += event == "/jax/core/compile/backend_compile_duration"


monitoring.register_event_duration_secs_listener(_count)


def music(num_samples: int, sr: int = 22050, seed: int = 0) -> np.ndarray:
    """Decaying harmonic tones over a little noise: float32, within -1..1."""
    rng = np.random.default_rng(seed)
    y = 0.003 * rng.standard_normal(num_samples)
    for onset in range(0, num_samples, sr // 4):
        f0_hz = 110 * 2 ** (rng.integers(0, 30) / 12)
        t = np.arange(min(sr, num_samples - onset)) / sr
        for k in range(1, 6):
            y[onset : onset + sr] += 0.1 / k * np.exp(-4 * t) * np.sin(2 * np.pi * k * f0_hz * t)
    return (y / max(1.0, np.abs(y).max())).astype(np.float32)


def hard_clips(num_samples: int) -> dict[str, np.ndarray]:
    """Signals on which careless gradients are infinite or NaN."""
    y = music(num_samples)
    impulse = np.zeros(num_samples, np.float32)
    impulse[num_samples // 2] = 1.0
    padded = y.copy()
    padded[num_samples // 3 :] = 0.0
    clips = {
        "music": y,
        "silence": np.zeros(num_samples, np.float32),
        "constant": np.full(num_samples, 0.5, np.float32),
        "impulse": impulse,
        "clipped": np.clip(100 * y, -1, 1),
        "zero-padded": padded,
        "denormal": (y * 1e-39).astype(np.float32),
        "tiny": (y * 1e-20).astype(np.float32),
    }
    return clips


def rel_l2(found, expected) -> float:
    """Relative L2 error in float64."""
    expected = np.asarray(expected)
    assert np.shape(found) == expected.shape
    found = np.asarray(found, np.complex128 if np.iscomplexobj(found) else np.float64)
    return float(np.linalg.norm(found - expected) / max(np.linalg.norm(expected), 1e-300))


def assert_same_in_every_mode(fn, batch, *, tolerance: float) -> None:
    """Eager, jitted, vmapped, batched and one by one give the same values."""
    together = fn(batch)
    flat = batch.reshape(-1, batch.shape[-1])
    alone = np.stack([np.asarray(fn(clip)) for clip in flat]).reshape(together.shape)
    assert rel_l2(together, alone) <= tolerance
    assert rel_l2(jax.jit(fn)(batch), alone) <= tolerance
    # Under jit, which hides more from the function than vmap by itself does.
    assert rel_l2(jax.jit(jax.vmap(fn))(batch), alone) <= tolerance


def energy(fn):
    """Sum of squares of what ``fn`` gives, in float32: the scalar whose gradients are tested."""

    def scalar(x):
        out = fn(x)
        real = jnp.float64 if out.dtype in (jnp.float64, jnp.complex128) else jnp.float32
        return jnp.sum(jnp.square(jnp.abs(out).astype(real)))

    return scalar


def assert_gradients_finite(fn, num_samples: int) -> None:
    gradient = jax.jit(jax.grad(energy(fn)))
    for name, clip in hard_clips(num_samples).items():
        for dtype in (jnp.float32, jnp.bfloat16):
            found = gradient(jnp.asarray(clip, dtype))
            assert found.dtype == dtype
            assert np.isfinite(np.asarray(found, np.float32)).all(), f"{name}, {dtype.__name__}"


def assert_gradient_matches_differences(
    fn, x: np.ndarray, *, step: float = 1e-6, tolerance: float = 1e-5
) -> None:
    """The gradient along random directions agrees with central differences in float64."""
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        # One program for value and gradient: eagerly, every operation of both would be compiled by itself.
        value_and_slope = jax.jit(jax.value_and_grad(energy(fn)))
        gradient = value_and_slope(x)[1]
        for _ in range(3):
            direction = jnp.asarray(rng.standard_normal(x.shape))
            above, below = (value_and_slope(x + sign * step * direction)[0] for sign in (1, -1))
            difference = (above - below) / (2 * step)
            slope = jnp.sum(gradient * direction)
            assert abs(slope - difference) <= tolerance * abs(difference) + 1e-12


def assert_compiles_once(fn, first, second) -> None:
    """A second input of the same shape costs no compilation."""
    jax.block_until_ready(fn(first))
    before = _compilations
    jax.block_until_ready(fn(second))
    assert _compilations == before

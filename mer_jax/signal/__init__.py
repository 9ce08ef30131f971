"""Audio transforms as pure JAX functions, with librosa's names, keyword names, defaults and axis order.

Every function takes any number of leading batch axes, and treats each clip on its own: batched equals one by
one. All but the signal is keyword-only. Everything works eagerly, under ``jit``, ``vmap`` and ``grad``.
"""

from mer_jax.signal.temporal import amplitude_envelope, rms, zero_crossing_rate

__all__ = [
    "amplitude_envelope",
    "rms",
    "zero_crossing_rate",
]

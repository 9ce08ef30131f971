"""Data sets: :func:`load` turns any of them into a :class:`Catalog`; :mod:`.splits` divides it, :mod:`.pipeline` feeds it."""

from mer_jax.data.catalog import AudioSource, Catalog, Dynamic, ExcerptSource
from mer_jax.data.loading import load

__all__ = ["AudioSource", "Catalog", "Dynamic", "ExcerptSource", "load"]

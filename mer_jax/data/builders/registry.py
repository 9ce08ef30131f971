"""Data sets by name: ``deam``, or ``merge:balanced`` where there are variants."""

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from mer_jax.checks import DataError

if TYPE_CHECKING:
    from mer_jax.data.builders.fetched import FetchedBuilder

_CLASSES = {
    "deam": "Deam",
    "emomusic": "Emomusic",
    "emopia": "Emopia",
    "emotify": "Emotify",
    "jamendo": "Jamendo",
    "merge": "Merge",
    "pmemo": "Pmemo",
    "ravdess_song": "RavdessSong",
    "soundtracks": "Soundtracks",
    "taffc": "Taffc",
    "turkish": "Turkish",
}
NAMES = tuple(_CLASSES)
"""All data sets that have a builder and that users fetch themselves."""


def is_name(spec: str) -> bool:
    """Whether ``spec`` is the name of a data set, with or without a variant."""
    return spec.partition(":")[0] in _CLASSES


def builder_class(name: str) -> type["FetchedBuilder"]:
    """The builder of a data set.

    Args:
        name: one of :data:`NAMES`; a variant after a colon is passed over.

    Raises:
        DataError: there is none of that name; the nearest one is named.
    """
    name = name.partition(":")[0]
    if name not in _CLASSES:
        near = get_close_matches(name, NAMES, n=1)
        raise DataError(
            name,
            "there is no such data set",
            expected=f"one of {', '.join(NAMES)}",
            remedy=f"did you mean {near[0]!r}?" if near else "",
        )
    return getattr(import_module(f"mer_jax.data.builders.{name}"), _CLASSES[name])


def variant_of(spec: str) -> str | None:
    """What stands after the colon; None for the default variant.

    >>> variant_of("merge:balanced"), variant_of("merge")
    ('balanced', None)
    """
    return spec.partition(":")[2] or None

"""Several data sets as one, to train on some of them and test on the rest.

A small JSON file says which; :func:`mer_jax.data.load` opens it like any other data set::

    {"sets": {"deam": "prepared/deam", "emopia": "prepared/emopia"}, "classes": "named"}

Ids and groups get the name of their set before them ("deam/12"), so that nothing collides. Valence and arousal stay in
[-1, 1], the one scale that all sets have in common. Each set has a split ``without_NAME`` of which it is the test part and all
others the training part.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from mer_jax import checks
from mer_jax._shapes import Float, Int, Num
from mer_jax.checks import DataError
from mer_jax.data.atomic import atomic_path
from mer_jax.data.builders.ratings import QUADRANTS, quadrant
from mer_jax.data.catalog import AudioSource, Catalog, Dynamic, ExcerptSource

Classes = Literal["named", "quadrants", "none"]
"""How the classes of the sets are made one: those of all must have the same names; all become quadrants of valence and arousal
(a set without ratings must have them already); or there are none."""

SUFFIX = ".json"
COLUMN = "data_set"
"""Of :attr:`Catalog.extra`: the set that a clip is from."""
_SEPARATOR = "/"
# Published sets that took clips from one another; ids tell whether these copies of them do.
_RELATED = (
    {"DEAM", "emoMusic (1000 songs)"},
    {"MERGE (audio)", "4Q audio emotion dataset (TAFFC)"},
)


def write(path: Path, sets: Mapping[str, str], *, classes: Classes = "named") -> None:
    """Write the file that stands for some data sets; whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps({"sets": dict(sets), "classes": classes}, indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )


def read(path: Path) -> tuple[dict[str, str], Classes]:
    """Read back what :func:`write` wrote.

    Raises:
        DataError: it is something else.
    """
    expected = '{"sets": {"NAME": "DATA", ...}, "classes": "named", "quadrants" or "none"}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sets, classes = found["sets"], found.get("classes", "named")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(path, f"names no data sets ({error})", expected=expected) from error
    named = isinstance(sets, dict) and sets and all(isinstance(place, str) for place in sets.values())
    if not named or classes not in get_args(Classes):
        raise DataError(path, "names no data sets", expected=expected)
    return sets, classes


def catalog(path: str | Path, *, sr: int, read_headers: bool = True) -> Catalog:
    """Open the data sets that a file names, as one.

    Args:
        path: the file; places in it are taken as the command line takes them.
        sr: rate to deliver, in Hz.
        read_headers: see :func:`.folder.catalog`.

    Raises:
        DataError: the file is no such file, a set cannot be opened, or :func:`join` refuses them.
    """
    from mer_jax.data import loading

    sets, classes = read(Path(path))
    opened = {
        name: loading.open_catalog(place, sr=sr, read_headers=read_headers) for name, place in sets.items()
    }
    return join(opened, classes=classes)


def join(catalogs: Mapping[str, Catalog], *, classes: Classes = "named") -> Catalog:
    """One catalog of several.

    Ratings (of clips, and over time where all have the same rate) are kept where every set has them, on the scale [-1, 1];
    targets and published splits are not.

    Args:
        catalogs: by the name that goes before ids and groups.
        classes: how their classes are made one.

    Raises:
        DataError: their classes differ, or two of them hold the same recordings.
    """
    checks.one_of("classes", classes, get_args(Classes))
    _check_apart(catalogs)
    names, labels = _classes(catalogs, classes)
    parts = list(catalogs.values())
    ratings = [part.valence_arousal for part in parts]
    durations = [part.durations_s for part in parts]
    home = [name for name, part in catalogs.items() for _ in range(len(part))]
    return Catalog(
        name=" + ".join(catalogs),
        classes=names,
        ids=_prefixed(catalogs, "ids"),
        groups=_prefixed(catalogs, "groups"),
        labels=labels,
        valence_arousal=None if any(x is None for x in ratings) else np.concatenate(ratings),  # type: ignore[arg-type]
        sr=parts[0].sr,
        durations_s=None if any(x is None for x in durations) else np.concatenate(durations),  # type: ignore[arg-type]
        source=Joined([part.source for part in parts]),
        facts=_facts(catalogs),
        dynamic=_dynamic(parts),
        official=_without_each(home) if len(parts) > 1 else {},
        extra={COLUMN: tuple(home)},
    )


class Joined:
    """The clips of several sources, one source after another.

    Args:
        sources: what is read.
    """

    def __init__(self, sources: Sequence[AudioSource]) -> None:
        self.sources = tuple(sources)
        self._ends = np.cumsum([len(source) for source in sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _place(self, row: int) -> tuple[AudioSource, int]:
        if not 0 <= row < len(self):
            raise IndexError(row)
        which = int(np.searchsorted(self._ends, row, side="right"))
        source = self.sources[which]
        return source, row - int(self._ends[which]) + len(source)

    def __getitem__(self, row: int) -> Float[np.ndarray, "samples"]:
        source, inner = self._place(row)
        return source[inner]

    def clip(self, row: int) -> Num[np.ndarray, "samples"]:
        """A clip as its source has it: in 16 bits where it can."""
        source, inner = self._place(row)
        return source.clip(inner) if hasattr(source, "clip") else source[inner]

    def excerpt(self, row: int, start: int, num_samples: int) -> Float[np.ndarray, "samples"]:
        """Samples ``start`` to ``start + num_samples`` of a clip, for less than the whole where its source can."""
        source, inner = self._place(row)
        if isinstance(source, ExcerptSource):
            return source.excerpt(inner, start, num_samples)
        return source[inner][start : start + num_samples]


def without(name: str) -> str:
    """Name of the split of which a set is the test part."""
    return f"without_{name}"


def _prefixed(catalogs: Mapping[str, Catalog], column: str) -> tuple[str, ...]:
    return tuple(
        f"{name}{_SEPARATOR}{value}" for name, part in catalogs.items() for value in getattr(part, column)
    )


def _without_each(home: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {
        without(name): tuple("test" if name == other else "train" for other in home)
        for name in dict.fromkeys(home)
    }


def _facts(catalogs: Mapping[str, Catalog]) -> dict[str, str]:
    """Of a set's facts those that a report must show, each with the set's name."""
    told = {"synthetic": "yes" if any(c.facts.get("synthetic") == "yes" for c in catalogs.values()) else "no"}
    for key in ("title", "licence", "citation"):
        lines = [f"{name}: {c.facts[key]}" for name, c in catalogs.items() if c.facts.get(key)]
        if lines:
            told[key] = "; ".join(lines)
    return told


def _dynamic(parts: Sequence[Catalog]) -> Dynamic | None:
    found = [part.dynamic for part in parts]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or len({one.rate_hz for one in known}) > 1:
        return None
    return Dynamic(
        known[0].rate_hz,
        np.concatenate([one.start_s for one in known]),
        tuple(series for one in known for series in one.valence_arousal),
    )


def _classes(
    catalogs: Mapping[str, Catalog], classes: Classes
) -> tuple[tuple[str, ...], Int[np.ndarray, "n"]]:
    """The names that all sets share, and the label of each clip among them."""
    if classes == "none":
        return (), np.full(sum(map(len, catalogs.values())), -1, np.int32)
    of_sets = {
        name: _quadrants(part) if classes == "quadrants" else (part.classes, part.labels)
        for name, part in catalogs.items()
    }
    common = next(iter(of_sets.values()))[0]
    if any(set(names) != set(common) for names, _ in of_sets.values()):
        shown = "; ".join(f"{name} has {', '.join(names) or 'none'}" for name, (names, _) in of_sets.items())
        raise DataError(
            ", ".join(catalogs),
            f"do not have the same classes: {shown}",
            expected="classes of the same names, or with quadrants valence and arousal or the classes Q1 to Q4",
            remedy="rename classes in a manifest"
            + ("" if classes == "quadrants" else ", or add --quadrants where there are valence and arousal"),
        )
    labels = []
    for names, own in of_sets.values():
        place = np.array([*(common.index(name) for name in names), -1], np.int32)  # the last is for -1
        labels.append(place[own])
    return common, np.concatenate(labels)


def _quadrants(part: Catalog) -> tuple[tuple[str, ...], Int[np.ndarray, "n"]]:
    """Classes and labels of a set as quadrants: its own if it has them, else those of its ratings, else its own anyhow."""
    if set(part.classes) == set(QUADRANTS) or part.valence_arousal is None:
        return part.classes, part.labels
    found = [quadrant(v, a, (-1.0, 1.0)) for v, a in part.valence_arousal.tolist()]
    return QUADRANTS, np.array([QUADRANTS.index(name) for name in found], np.int32)


@dataclass(frozen=True)
class _Known:
    """What tells whether two sets hold the same recordings."""

    title: str
    ids: frozenset[str]


def _check_apart(catalogs: Mapping[str, Catalog]) -> None:
    """Raise :class:`DataError` for two sets that are known to hold the same recordings."""
    from mer_jax.data.audit.names import plain_ids

    known = {
        name: _Known(part.facts.get("title", ""), frozenset(plain_ids(part)))
        for name, part in catalogs.items()
    }
    names = list(catalogs)
    for first, second in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
        one, other = known[first], known[second]
        related = {one.title, other.title} in _RELATED and bool(one.ids & other.ids)
        if related or (one.title and one.title == other.title):
            raise DataError(
                f"{first}, {second}",
                "hold the same recordings",
                expected="data sets without a clip in common",
                remedy="leave one of them out; 'mer-jax audit' looks for copies in any two data sets",
            )

"""What the builders of data sets that users fetch themselves share: one row a clip in, a checked catalog out."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from mer_jax import checks
from mer_jax.checks import ConfigError, DataError
from mer_jax.data import files
from mer_jax.data.builders.archive import Archive
from mer_jax.data.builders.base import ClipBuilder
from mer_jax.data.builders.ratings import Series
from mer_jax.data.catalog import Catalog, Dynamic, numerical, scaled

_SHOWN = 5


@dataclass(frozen=True)
class About:
    """What is known of a data set before it is fetched.

    Attributes:
        title: its name as papers write it.
        homepage: the page to get it from.
        licence: what may be done with it.
        citation: the paper to cite.
        layout: what the unpacked archive holds, in one sentence.
        items: clips of the full archive in each variant; the first is the default one.
        labels: what is known of each clip.
        groups: what a split must not cut.
        splits: published splits by name.
    """

    title: str
    homepage: str
    licence: str
    citation: str
    layout: str
    items: Mapping[str, int]
    labels: str
    groups: str
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A clip as its archive gives it.

    Attributes:
        id: unique in the data set.
        path: its audio; None where the archive lacks it.
        group: artist, song or the like; empty makes it a group of its own.
        label: name of its class; empty where there is none.
        rating: valence and arousal on the data set's own scale.
        targets: numbers to predict.
        series: valence and arousal over time, in [-1, 1].
        parts: its part in each published split; "" or absent where the split leaves it out.
        extra: further columns, the same ones in all clips.
    """

    id: str
    path: Path | None
    group: str = ""
    label: str = ""
    rating: tuple[float, float] | None = None
    targets: tuple[float, ...] = ()
    series: Series | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str | float] = field(default_factory=dict)


class FetchedBuilder(ClipBuilder):
    """A data set that users fetch themselves and unpack into ``manual_dir``.

    A subclass sets :attr:`about`, the attributes of :class:`ClipBuilder` that say what its items carry, and implements
    :meth:`clips`.

    Args:
        variant: one of ``about.items``; None takes the first.
        manual_dir: where the unpacked archive is; None takes TFDS's own place for it.
        partial: take what is there. Otherwise every clip must have its audio, and there must be as many as were published.
        sr: rate to store, in Hz.
        dtype: "int16" or "float32".
        progress: called with (clips done, clips in all).
        **arguments: those of ``tfds.core.DatasetBuilder``.

    Raises:
        ConfigError: there is no such variant.
    """

    about: ClassVar[About]

    def __init__(
        self,
        *,
        variant: str | None = None,
        manual_dir: str | Path | None = None,
        partial: bool = False,
        sr: int = 22050,
        dtype: str = "int16",
        progress: Callable[[int, int], None] | None = None,
        **arguments: Any,
    ) -> None:
        about = self.about
        try:
            checks.one_of("variant", variant or next(iter(about.items)), about.items)
        except checks.ArgumentError as error:
            raise ConfigError(
                f"{self.name}:{variant}", "is no variant", expected=error.expected, remedy=error.remedy
            ) from None
        self.variant = variant or next(iter(about.items))
        self.partial = partial
        self._manual_dir = manual_dir
        self.DESCRIPTION, self.CITATION = about.title, about.citation
        self.HOMEPAGE, self.LICENSE = about.homepage, about.licence
        self.MANUAL_DOWNLOAD_INSTRUCTIONS = f"{about.homepage}: {about.layout}"
        names = [self.variant, f"{sr}hz", dtype] + ["partial"] * partial
        config = tfds.core.BuilderConfig(name="_".join(name for name in names if name))
        super().__init__(sr=sr, dtype=dtype, progress=progress, config=config, **arguments)

    @abc.abstractmethod
    def clips(self, archive: Archive) -> Sequence[Clip]:
        """The clips that the tables of the archive list, in any order."""

    def catalog(self, manual_dir: Path | None) -> Catalog:
        """Read the tables of the archive and find the audio; no audio is decoded.

        Clips are sorted by id, in the order of the numbers where ids are numbers.

        Args:
            manual_dir: where the unpacked archive is, at most three folders deep; None takes that of the constructor.

        Raises:
            DataError: files are missing or damaged, or it is not the whole data set (unless ``partial``); the page to get it
                from and the layout are named.
        """
        where = manual_dir or self._manual_dir
        if where is None:
            raise ConfigError("manual_dir", "is not given", expected=self.MANUAL_DOWNLOAD_INSTRUCTIONS)
        archive = Archive(Path(where), page=self.about.homepage, layout=self.about.layout)
        try:
            clips = self.clips(archive)
        except DataError as error:  # of a table, which does not know where it is from
            raise archive.completed(error) from error
        listed = sorted(clips, key=lambda clip: numerical(clip.id))
        present = [clip for clip in listed if clip.path is not None]
        self._check_complete(archive, listed, present)
        return self._catalog_of(present, len(listed))

    def _open(self, dl_manager: Any) -> Catalog:
        return self._checked(self.catalog(Path(self._manual_dir or dl_manager.manual_dir)))

    def class_name(self, name: str, where: Path) -> str:
        """``name``, which stands in a table, as one of :attr:`classes` (whatever its case).

        Raises:
            DataError: it is none of them.
        """
        for known in self.classes:
            if name.casefold() == known.casefold():
                return known
        raise DataError(where, f"has a class {name!r}", expected=f"one of {', '.join(self.classes)}")

    def _check_complete(self, archive: Archive, listed: Sequence[Clip], present: Sequence[Clip]) -> None:
        expected = self.about.items[self.variant]
        if not present:
            raise archive.error(f"has audio for none of the {len(listed)} clips that its tables list")
        if self.partial:
            return
        missing = [clip.id for clip in listed if clip.path is None]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            raise archive.error(
                f"lacks the audio of {len(missing)} of {len(listed)} clips ({shown}); --partial takes what is there"
            )
        if len(present) != expected:
            raise archive.error(
                f"lists {len(present)} clips where {self.about.title} has {expected}; --partial takes what is there"
            )

    def _catalog_of(self, clips: Sequence[Clip], listed: int) -> Catalog:
        index = {name: i for i, name in enumerate(self.classes)} | {"": -1}
        scale = self.rating_range
        ratings = [clip.rating for clip in clips if clip.rating is not None]
        series = [clip.series or (0.0, np.zeros((0, 2), np.float32)) for clip in clips]
        facts = {
            "title": self.about.title,
            "homepage": self.about.homepage,
            "licence": self.about.licence,
            "citation": self.about.citation,
            "labels": self.about.labels,
            "groups": self.about.groups,
        }
        if len(clips) < listed:
            facts["left_out"] = f"{listed - len(clips)} of {listed} clips, whose audio is not there"
        return Catalog(
            name="_".join(filter(None, (self.name, self.variant))),
            classes=self.classes,
            ids=tuple(clip.id for clip in clips),
            groups=tuple(clip.group or f"clip {clip.id}" for clip in clips),
            labels=np.array([index[clip.label] for clip in clips], np.int32),
            valence_arousal=None
            if scale is None
            else np.array([[scaled(value, scale) for value in rating] for rating in ratings], np.float32),
            sr=self.sr,
            durations_s=None,
            source=files.FileSource([clip.path for clip in clips if clip.path is not None], sr=self.sr),
            facts=facts,
            targets=np.array([clip.targets for clip in clips], np.float32) if self.target_names else None,
            target_names=self.target_names,
            rating_range=scale,
            dynamic=Dynamic(
                self.dynamic_rate_hz,
                np.array([start for start, _ in series]),
                tuple(values for _, values in series),
                self.dynamic_rating_range,
            )
            if self.dynamic_rate_hz
            else None,
            official={
                name: tuple(clip.parts.get(name, "") for clip in clips)
                for name in self.about.splits
                if any(clip.parts.get(name) for clip in clips)
            },
            extra={name: tuple(clip.extra[name] for clip in clips) for name in clips[0].extra},  # type: ignore[misc]
        )

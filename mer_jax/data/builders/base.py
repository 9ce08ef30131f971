"""The TFDS builder that all data sets share: any catalog, as ArrayRecord, without TensorFlow.

What TFDS needs to be told to stay clear of TensorFlow, and to be quick:

* ``file_format="array_record"`` and a ``DatasetInfo`` made here; audio as a ``Tensor`` (``features.Audio`` wants TensorFlow).
* ``encoding="bytes"``: a plain int16 tensor becomes a list of 64-bit integers in a protocol buffer. For 100 clips of 5 s:
  written in 3.4 s against 0.4 s, read in 2.6 ms a clip against 1.1.
* no compression: int16 music shrinks by 7 %, and reading takes a third of the time (0.13 ms against 0.42 for 5 s).
* record files written here (:mod:`.shards`): ``GeneratorBasedBuilder`` shuffles through memory, and beyond 1 GB through
  TensorFlow's file layer; ``ShardBasedBuilder`` holds a shard in memory and begins anew after a crash.
"""

import abc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from mer_jax import checks
from mer_jax.checks import DataError
from mer_jax.data import memory, ondisk
from mer_jax.data.builders import shards
from mer_jax.data.catalog import Catalog


class ClipBuilder(FileReaderBuilder):
    """Writes a catalog as a TFDS data set that :func:`mer_jax.data.load` and ``tfds.data_source`` read back.

    A subclass names what its items carry (the attributes below) and implements :meth:`catalog`; where users must fetch the data
    themselves it sets ``MANUAL_DOWNLOAD_INSTRUCTIONS`` as well. Every item carries ``id``, ``waveform`` (mono), ``sr``,
    ``group``, ``label`` (-1 where there is none), ``valence`` and ``arousal`` (in [-1, 1]; NaN where there are none); with
    :attr:`rating_range` also ``valence_native`` and ``arousal_native``, with :attr:`target_names` also ``targets``, with
    :attr:`dynamic_rate_hz` also ``dynamic`` (times, 2: valence and arousal in [-1, 1]) and ``dynamic_start_s``. Clips whose
    audio cannot be decoded are left out and listed in :attr:`refused`, in the index and in ``refused.csv``.

    A run that was killed goes on after the last finished shard when the same one is started again (the same clips, files, rate
    and versions): finished shards wait beside the data set in a folder ``partial-...``.

    Args:
        sr: rate to store, in Hz.
        dtype: "int16" or "float32" (twice the size; nothing is rounded or clipped).
        progress: called with (clips done, clips in all) after each.
        **arguments: those of ``tfds.core.DatasetBuilder`` (``data_dir=`` above all).

    Attributes:
        classes: class names.
        rating_range: lowest and highest rating, where clips are rated.
        target_names: names of the numbers to predict.
        dynamic_rate_hz: ratings over time a second; 0 where there are none.
        dynamic_rating_range: lowest and highest rating over time on the listeners' scale; None is [-1, 1].

    Raises:
        ArgumentError: ``sr`` or ``dtype`` cannot be stored.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}
    DESCRIPTION = "Clips of music with an emotion each."
    CITATION = ""
    HOMEPAGE = ""
    LICENSE = ""

    classes: tuple[str, ...] = ()
    rating_range: tuple[float, float] | None = None
    target_names: tuple[str, ...] = ()
    dynamic_rate_hz: float = 0.0
    dynamic_rating_range: tuple[float, float] | None = None
    # Checksums of downloads, of which there are none: TFDS would look for them with a package that it does not require.
    url_infos: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        sr: int = 22050,
        dtype: str = "int16",
        progress: Callable[[int, int], None] | None = None,
        **arguments: Any,
    ) -> None:
        checks.positive_int("sr", sr)
        checks.one_of("dtype", dtype, ondisk.DTYPES)
        self.sr = sr
        self.dtype = dtype
        self.refused: list[ondisk.Refusal] = []
        self._progress = progress or (lambda done, total: None)
        arguments.setdefault("file_format", "array_record")
        super().__init__(**arguments)

    @abc.abstractmethod
    def catalog(self, manual_dir: Path | None) -> Catalog:
        """The data set to write, at rate ``self.sr``, with what the attributes of the class say.

        Args:
            manual_dir: where users put what they fetched, if the class asks for that.
        """

    def _info(self) -> tfds.core.DatasetInfo:
        scalar, tensor = tfds.features.Scalar, tfds.features.Tensor
        label = tfds.features.ClassLabel(names=self.classes) if self.classes else scalar(np.int64)
        features = {
            "id": tfds.features.Text(),
            "waveform": tensor(shape=(None,), dtype=np.dtype(self.dtype), encoding="bytes"),
            "sr": scalar(np.int32),
            "group": tfds.features.Text(),
            "label": label,
            "valence": scalar(np.float32),
            "arousal": scalar(np.float32),
        }
        if self.rating_range:
            features |= {"valence_native": scalar(np.float32), "arousal_native": scalar(np.float32)}
        if self.target_names:
            features["targets"] = tensor(shape=(len(self.target_names),), dtype=np.float32)
        if self.dynamic_rate_hz:
            features["dynamic"] = tensor(shape=(None, 2), dtype=np.float32)
            features["dynamic_start_s"] = scalar(np.float32)
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            citation=self.CITATION or None,
            homepage=self.HOMEPAGE or None,
            license=self.LICENSE or None,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _open(self, dl_manager: Any) -> Catalog:
        return self._checked(
            self.catalog(Path(dl_manager.manual_dir) if self.MANUAL_DOWNLOAD_INSTRUCTIONS else None)
        )

    def _checked(self, catalog: Catalog) -> Catalog:
        """The catalog, if it is what the features were made for."""
        for name, found in _declared_by(catalog).items():
            if found != getattr(self, name):
                raise DataError(
                    catalog.name,
                    f"has {name} {found!r}",
                    expected=f"{getattr(self, name)!r}, as its builder says",
                )
        return catalog

    def _example(self, catalog: Catalog, row: int, y: np.ndarray) -> dict[str, Any]:
        ratings, dynamic = catalog.valence_arousal, catalog.dynamic
        valence, arousal = (np.nan, np.nan) if ratings is None else ratings[row].tolist()
        example = {
            "id": catalog.ids[row],
            "waveform": y,
            "sr": catalog.sr,
            "group": catalog.groups[row],
            "label": int(catalog.labels[row]),
            "valence": valence,
            "arousal": arousal,
        }
        if self.rating_range and ratings is not None:
            native = catalog.native(ratings[row])
            example |= {"valence_native": native[0], "arousal_native": native[1]}
        if catalog.targets is not None:
            example["targets"] = catalog.targets[row]
        if dynamic is not None:
            example |= {"dynamic": dynamic.valence_arousal[row], "dynamic_start_s": dynamic.start_s[row]}
        return example

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        # TFDS calls this with ``data_dir`` set to a temporary folder, which it renames afterwards: all or nothing.
        catalog = self._open(dl_manager)
        source = memory.not_kept(catalog.source)
        read = memory.read_int16 if self.dtype == "int16" else type(source).__getitem__
        serializer = tfds.core.ExampleSerializer(self.info.features.get_serialized_info())

        def serialize(row: int) -> tuple[bytes, int]:
            y = read(source, row)
            encoded = self.info.features.encode_example(self._example(catalog, row, y[:0]))
            record = serializer.get_tf_example(encoded)
            # Set afterwards: on its way through TFDS the waveform would be copied five times.
            record.features.feature["waveform"].bytes_list.value[0] = y.tobytes()
            # Plain serialisation orders the features differently in each process.
            return record.SerializeToString(deterministic=True), y.size

        divided = shards.divide(catalog, np.dtype(self.dtype).itemsize)
        key = shards.key(catalog, divided, f"{self.dtype} {self.VERSION}")
        folder = Path(self.data_dir) / "partial"
        if key:
            folder = Path(self.data_dir).parent / f"partial-{key}"
        written = shards.write(folder, catalog, divided, serialize=serialize, progress=self._progress)
        self.refused = [refusal for shard in written for refusal in shard.refused]
        rows = [row for shard in written for row in shard.rows]
        if not rows:
            shutil.rmtree(folder)
            raise DataError(
                catalog.name,
                f"none of its {len(self.refused)} clips can be decoded; the first: {self.refused[0].problem}",
            )
        self._take(written)
        shutil.rmtree(folder)
        lengths = [length for shard in written for length in shard.lengths]
        ondisk.write_index(Path(self.data_dir), catalog, rows, lengths, self.refused, dtype=self.dtype)

    def _log_download_bytes(self) -> None:
        """Say nothing: nothing is downloaded."""

    def _log_download_done(self) -> None:
        """Say nothing: the caller knows."""

    def _take(self, written: list[shards.Shard]) -> None:
        """Move the shards to where TFDS looks for them, and tell it of them."""
        template = self._get_filename_template(split_name=ondisk.SPLIT)
        for number, shard in enumerate(written):
            os.replace(shard.path, template.sharded_filepath(shard_index=number, num_shards=len(written)))
        split = tfds.core.SplitInfo(
            name=ondisk.SPLIT,
            shard_lengths=[len(shard.rows) for shard in written],
            num_bytes=sum(path.stat().st_size for path in Path(self.data_dir).glob("*.array_record-*")),
            filename_template=template,
        )
        self.info.set_splits(tfds.core.SplitDict([split]))


def _declared_by(catalog: Catalog) -> dict[str, Any]:
    """What the builder of a catalog has to say beforehand: its attributes by name."""
    return {
        "classes": catalog.classes,
        "sr": catalog.sr,
        "rating_range": catalog.rating_range,
        "target_names": catalog.target_names,
        "dynamic_rate_hz": catalog.dynamic.rate_hz if catalog.dynamic else 0.0,
    }


class Clips(ClipBuilder):
    """A catalog that exists already.

    Args:
        clips: what to write.
        **arguments: those of :class:`ClipBuilder`.
    """

    def __init__(self, clips: Catalog, **arguments: Any) -> None:
        self._clips = clips
        declared = _declared_by(clips)
        self.classes, self.rating_range = declared["classes"], declared["rating_range"]
        self.target_names, self.dynamic_rate_hz = declared["target_names"], declared["dynamic_rate_hz"]
        self.DESCRIPTION = f"{clips.name}: mono clips at {clips.sr} Hz."
        self.LICENSE = clips.facts.get("licence", "")
        self.CITATION = clips.facts.get("citation", "")
        super().__init__(**arguments)

    def catalog(self, manual_dir: Path | None) -> Catalog:
        """Return the catalog that the builder was made with."""
        return self._clips

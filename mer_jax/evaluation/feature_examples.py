"""Example clips through the front-ends, one for each class or for some targets, for the pictures of a report."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax import nnx

from mer_jax import checks, frontends
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import examples
from mer_jax.evaluation.examples import FeatureExample
from mer_jax.frontends import backends

# A picture has a panel a clip: two of each number, one of each tag.
_NUMBERS, _TAGS = 3, 6

FEATURES = ("time_domain", "log_mel", "log_cqt", "chroma", "tempogram", "mfcc")


def write(
    run_dir: Path,
    catalog: Catalog,
    *,
    rows: np.ndarray,
    sr: int,
    num_samples: int,
    features: tuple[str, ...] = FEATURES,
    clips: Mapping[str, int] | None = None,
) -> Path:
    """Compute the features of the first clip of each class among ``rows`` and write ``examples.npz``.

    Args:
        run_dir: the run folder.
        catalog: the data set.
        rows: which of its clips may serve as examples.
        clips: what to show in place of classes: name -> row (:func:`of_numbers`, :func:`of_tags`).
        sr: sampling rate, Hz.
        num_samples: clips are cut to this length.
        features: front-ends by name.
    """
    first = of_classes(catalog, rows) if clips is None else clips
    waveforms = np.zeros((len(first), num_samples), np.float32)
    for target, row in zip(waveforms, first.values(), strict=True):
        y = catalog.source[row][:num_samples]
        target[: len(y)] = y
    found: dict[str, FeatureExample] = {}
    for name in features:
        try:
            frontend = frontends.build(name, sr=sr, rngs=nnx.Rngs(0))
            values = np.asarray(backends.compile_backend("jax", frontend)(waveforms))
        except checks.InputError as error:
            # A low sampling rate cannot carry every picture (seven octaves end at 4 kHz): said, and the others are drawn.
            print(f"no example picture of {name}: {error}")
            continue
        found |= _examples(frontend, name, dict(zip(first, values, strict=True)))
    return examples.write(run_dir, found, clip_ids={name: catalog.ids[row] for name, row in first.items()})


def of_classes(catalog: Catalog, rows: np.ndarray) -> dict[str, int]:
    """The first clip of each class among ``rows``."""
    return {
        name: int(rows[catalog.labels[rows] == k][0])
        for k, name in enumerate(catalog.classes)
        if (catalog.labels[rows] == k).any()
    }


def of_numbers(catalog: Catalog, rows: np.ndarray) -> dict[str, int]:
    """The clips among ``rows`` that are highest and lowest in a target, for the targets of the largest spread.

    Targets are compared by their spread as it is where they have one unit, such as shares of votes; which ones are shown
    matters to no score.
    """
    assert catalog.targets is not None  # of a study of numbers
    of_rows = catalog.targets[rows]
    found = {}
    for k in np.argsort(-of_rows.std(axis=0), kind="stable")[:_NUMBERS]:
        for word, place in (("high", of_rows[:, k].argmax()), ("low", of_rows[:, k].argmin())):
            found[f"{word}: {catalog.target_names[k]}"] = int(rows[place])
    return found


def of_tags(catalog: Catalog, rows: np.ndarray) -> dict[str, int]:
    """For each of the most frequent tags the clip among ``rows`` that has it and the fewest others."""
    assert catalog.targets is not None  # of a study of tags
    of_rows = catalog.targets[rows]
    found = {}
    for k in np.argsort(-of_rows.sum(axis=0), kind="stable")[:_TAGS]:
        having = np.flatnonzero(of_rows[:, k])
        if having.size:
            fewest = having[of_rows[having].sum(axis=1).argmin()]
            found[catalog.target_names[k]] = int(rows[fewest])
    return found


def _examples(
    frontend: frontends.Frontend, name: str, values: dict[str, np.ndarray]
) -> dict[str, FeatureExample]:
    """One picture of a front-end with bins, or one curve for each feature of a front-end without."""
    bins = frontend.bins()
    if bins is not None:
        label, positions = bins
        return {
            name: FeatureExample(
                {key: clip.T for key, clip in values.items()},
                frame_rate_hz=frontend.frame_rate_hz,
                unit=frontend.unit,
                bin_label=label,
                bin_values=positions,
            )
        }
    return {
        feature: FeatureExample(
            {key: clip[:, k] for key, clip in values.items()},
            frame_rate_hz=frontend.frame_rate_hz,
            unit=frontend.unit,
        )
        for k, feature in enumerate(frontend.feature_names)
    }

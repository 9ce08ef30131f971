"""One example clip of each class through the front-ends, for the pictures of a report."""

from pathlib import Path

import numpy as np
from flax import nnx

from mer_jax import checks, frontends
from mer_jax.data.catalog import Catalog
from mer_jax.evaluation import examples
from mer_jax.evaluation.examples import FeatureExample
from mer_jax.frontends import backends

FEATURES = ("time_domain", "log_mel", "log_cqt", "chroma", "tempogram", "mfcc")


def write(
    run_dir: Path,
    catalog: Catalog,
    *,
    rows: np.ndarray,
    sr: int,
    num_samples: int,
    features: tuple[str, ...] = FEATURES,
) -> Path:
    """Compute the features of the first clip of each class among ``rows`` and write ``examples.npz``.

    Args:
        run_dir: the run folder.
        catalog: the data set.
        rows: which of its clips may serve as examples.
        sr: sampling rate, Hz.
        num_samples: clips are cut to this length.
        features: front-ends by name.
    """
    first = {
        name: int(rows[catalog.labels[rows] == k][0])
        for k, name in enumerate(catalog.classes)
        if (catalog.labels[rows] == k).any()
    }
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

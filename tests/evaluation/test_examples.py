import numpy as np
import pytest

from mer_jax import checks
from mer_jax.evaluation import examples
from mer_jax.evaluation.examples import FeatureExample

IDS = {"calm": "clip-1", "tense": "clip-2"}


def test_round_trip(tmp_path, rng):
    series = FeatureExample({"calm": rng.random(5), "tense": rng.random(7)}, 43.07, unit="dB")
    hz = np.array([100.0, 200.0, 400.0])
    image = FeatureExample({"tense": rng.random((3, 4))}, 20.0, bin_label="Frequency (Hz)", bin_values=hz)
    notes = np.array(["C", "C♯"])
    chroma = FeatureExample({"calm": rng.random((2, 4))}, 20.0, bin_label="Pitch class", bin_values=notes)
    written = {"RMS": series, "../mel": image, "chroma": chroma}
    examples.write(tmp_path, written, clip_ids=IDS)

    found = examples.read(tmp_path)
    assert dict(found.clip_ids) == IDS
    assert list(found.features) == list(written)
    for name, wanted in written.items():
        got = found.features[name]
        assert (got.frame_rate_hz, got.unit, got.bin_label) == (
            wanted.frame_rate_hz,
            wanted.unit,
            wanted.bin_label,
        )
        assert list(got.values) == list(wanted.values)
        for label in wanted.values:
            np.testing.assert_array_equal(got.values[label], np.float32(wanted.values[label]))
    assert found.features["RMS"].is_series
    assert found.features["../mel"].bin_values.tolist() == hz.tolist()
    assert found.features["chroma"].bin_values.tolist() == notes.tolist()


def test_a_run_without_examples_has_none(tmp_path):
    assert examples.read(tmp_path) is None


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        (FeatureExample({"calm": np.zeros((3, 4))}, 10.0), r"has shape \(3, 4\); expected \(frames,\)"),
        (FeatureExample({"calm": np.zeros(4)}, 10.0, bin_values=np.arange(3)), r"expected \(3, frames\)"),
        (
            FeatureExample({"calm": np.zeros((4, 5))}, 10.0, bin_values=np.arange(3)),
            r"expected \(3, frames\)",
        ),
        (FeatureExample({"calm": np.zeros(0)}, 10.0), "has shape"),
        (FeatureExample({"calm": np.array([1.0, np.inf])}, 10.0), "not finite"),
        (FeatureExample({"calm": np.zeros(4)}, 0.0), "frame rate"),
        (FeatureExample({}, 10.0), "no example"),
        (FeatureExample({"other": np.zeros(4)}, 10.0), "no clip id"),
    ],
)
def test_refuses_what_cannot_be_drawn(tmp_path, example, problem):
    with pytest.raises(checks.DataError, match=problem):
        examples.write(tmp_path, {"f": example}, clip_ids=IDS)
    assert list(tmp_path.iterdir()) == []


def test_names_the_missing_entry(tmp_path):
    np.savez(tmp_path / "examples.npz", format=1, clip_classes=["a"], clip_ids=["x"], features=["mel"])
    with pytest.raises(checks.DataError, match=r"examples\.npz.*f0_frame_rate_hz"):
        examples.read(tmp_path)


def test_refuses_another_format(tmp_path):
    np.savez(tmp_path / "examples.npz", format=2, clip_classes=["a"], clip_ids=["x"], features=[])
    with pytest.raises(checks.DataError, match="format 2"):
        examples.read(tmp_path)

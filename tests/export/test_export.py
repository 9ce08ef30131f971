"""An exported run says what the run itself says: every task, any batch size, each platform with its own algorithms."""

import dataclasses
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
import soundfile
import untrained_run
from jax import export as jax_export

import mer_jax as mj
from mer_jax import experiment
from mer_jax.config import ExperimentConfig, FrontendConfig
from mer_jax.experiment.windows import BATCH_SIZE
from mer_jax.models import DenseConfig, RecurrentConfig, VGG19Config
from mer_jax.signal.platform import traced_for
from mer_jax.training import step
from mer_jax.training.task import Classification, Joint, MultiLabel, Regression, SequenceRegression

DOCS = Path(__file__).resolve().parents[2] / "docs" / "export.md"
SMALL = ExperimentConfig(
    sr=8000,
    clip_s=0.5,
    folds=5,
    frontend=FrontendConfig("log_mel", {"n_mels": 8, "n_fft": 512, "hop_length": 256}),
    recurrent=RecurrentConfig(conv_filters=4, lstm_units=4, dense_units=8),
)
CLASSES = ("Happy", "Romantic", "Sad")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "small"
    return untrained_run.write(
        dataclasses.replace(SMALL, out=out),
        Classification(),
        classes=CLASSES,
        class_valence_arousal=[[-0.5, 0.5], [0.0, 0.1], [0.7, 0.6]],
    )


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    return mj.export.export(run, tmp_path_factory.mktemp("exported") / "mine.mer")


@pytest.fixture(scope="module")
def exported(file):
    return mj.export.load(file)


def windows(batch: int, num_samples: int):
    """Waveforms, of which the last is half as long as a window."""
    rng = np.random.default_rng(batch)
    x = (0.1 * rng.standard_normal((batch, num_samples))).astype(np.float32)
    lengths = np.full(batch, num_samples, np.int32)
    lengths[-1] = num_samples // 2
    x[-1, lengths[-1] :] = 0
    return x, lengths


def state_of(run):
    return step.split(experiment.restore(run).model)[1:]


def expected(run, x, lengths):
    return np.asarray(experiment.output_function(experiment.restore(run))(x, lengths))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_of_any_size_gives_what_the_run_gives(run, exported, batch):
    x, lengths = windows(batch, exported.num_samples)
    found = exported(x, lengths)
    assert found.shape == (batch, len(exported.names))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(run, x, lengths), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert np.abs(exported(x)[-1] - found[-1]).max() > 1e-6  # lengths count


def test_the_file_says_what_the_run_is(run, exported):
    assert exported.names == CLASSES
    assert (exported.task, exported.sr, exported.num_samples) == ("classes", 8000, 4000)
    about = exported.metadata
    assert about["run"]["epoch"] == 3
    assert about["run"]["config"]["frontend"]["name"] == "log_mel"
    assert about["versions"]["jax"] == jax.__version__
    assert about["result"] == "float32 (b, 3)"
    assert np.shape(about["class_valence_arousal"]) == (3, 2)
    assert about["num_weights"] == sum(x.size for x in jax.tree.leaves(state_of(run)))


def program(file, platform) -> jax_export.Exported:
    with zipfile.ZipFile(file) as archive:
        return jax_export.deserialize(bytearray(archive.read(f"program_{platform}.bin")))


def test_each_platform_has_its_own_program_and_algorithms(file, exported):
    programs = {name: program(file, name) for name in mj.export.PLATFORMS}
    assert [one.platforms for one in programs.values()] == [("cpu",), ("cuda",), ("tpu",)]
    for name, one in programs.items():
        assert str(one.in_avals[-2].shape[0]) == "b"
        assert one.out_avals[0].shape[1:] == (3,)
        assert (
            exported.metadata["programs"][name]["calling_convention_version"]
            == one.calling_convention_version
        )
    loops = {name: one.mlir_module().count("stablehlo.while") for name, one in programs.items()}
    # On a CPU clips take turns, in the front-end and elsewhere; on an accelerator only the frames of the LSTM do.
    assert loops["cpu"] > loops["cuda"] == loops["tpu"] == 1


def test_the_algorithms_of_an_accelerator_give_the_same(run, exported):
    """Compiled for this CPU, they differ by rounding alone; a function that was traced for the CPU is traced anew."""
    x, lengths = windows(3, exported.num_samples)
    forward = experiment.output_function(experiment.restore(run))
    ours = np.asarray(forward(x, lengths))
    with traced_for("gpu"):
        theirs = np.asarray(forward(x, lengths))
    assert (ours != theirs).any()
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_nothing_of_this_machine_is_in_the_file(file):
    here = [str(Path.home()), str(file.parent), str(Path(mj.__file__).parent), sys.prefix]
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert not re.search(rb"\.py\b", content), name
            for folder in here:
                assert folder.encode() not in content or folder == "/", (name, folder)


def test_weights_are_stored_once(run, file):
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == [
            "metadata.json",
            "program_cpu.bin",
            "program_cuda.bin",
            "program_tpu.bin",
            "weights.npz",
        ]
        weights = dict(np.load(io.BytesIO(archive.read("weights.npz"))))
    leaves = jax.tree.leaves(state_of(run))
    assert len(weights) == len(leaves)
    assert sum(x.nbytes for x in weights.values()) == sum(x.nbytes for x in leaves)
    # Every program takes them as arguments.
    for platform in mj.export.PLATFORMS:
        one = program(file, platform)
        (arguments, _) = jax.tree.unflatten(one.in_tree, one.in_avals)
        assert {name: aval.shape for name, aval in arguments[0].items()} == {
            k: v.shape for k, v in weights.items()
        }


HIDDEN = """
import sys
hidden = {"flax", "optax", "orbax", "grain", "soundfile", "soxr", "sklearn", "tyro", "tensorflow", "tensorflow_datasets",
          "librosa", "matplotlib", "torch", "jaxtyping", "beartype", "h5py", "pooch", "keras", "rich", "array_record",
          *sys.argv[1:]}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"{name} is hidden")
sys.meta_path.insert(0, Finder())
"""


def run_hidden(code: str, folder: Path, *hidden: str) -> np.ndarray:
    """What a Python prints, in which all but jax, numpy and flatbuffers (and scipy, which jax needs) cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN + code, *hidden],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]), np.float32)


def test_loading_and_calling_need_jax_and_numpy_alone(file, exported):
    code = """
import numpy as np
from mer_jax import export
model = export.load("mine.mer")
print(model(np.zeros((2, model.num_samples), np.float32)).tolist())
"""
    found = run_hidden(code, file.parent)
    np.testing.assert_allclose(found, exported(np.zeros((2, exported.num_samples), np.float32)), atol=1e-6)


def test_the_lines_of_the_documentation_run_without_this_package(file, exported):
    (lines,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
        if "deserialize" in block
    )
    found = run_hidden(lines + "\nprint(outputs.tolist())", file.parent, "mer_jax")
    np.testing.assert_allclose(found, exported(np.zeros((2, exported.num_samples), np.float32)), atol=1e-6)


VALENCE_AROUSAL = ("valence", "arousal")
RATED = Regression((5.0, 4.0), (1.0, 2.0))


def kinds() -> dict[str, tuple[dict, dict, dict]]:
    """Changes to the configuration, the task with its names, and what else the run folder says."""
    on_vectors = FrontendConfig("time", {"n_fft": 512, "hop_length": 256})
    return {
        "joint": (
            {"task": "joint", "frontend": FrontendConfig("time_domain")},
            {"task": Joint(Classification(), RATED), "classes": ("a", "b"), "numbers": VALENCE_AROUSAL},
            {"rating_range": (1.0, 9.0)},
        ),
        "numbers of a dense network": (
            {
                "task": "valence_arousal",
                "network": "dense",
                "dense": DenseConfig((8,)),
                "frontend": on_vectors,
            },
            {"task": RATED, "numbers": VALENCE_AROUSAL},
            {"rating_range": (1.0, 9.0)},
        ),
        "tags from a front-end that learns": (
            {"task": "tags", "frontend": FrontendConfig("pcen", {"n_mels": 4, "trainable": True})},
            {"task": MultiLabel(), "numbers": ("calm", "dark", "loud")},
            {},
        ),
        "ratings over time": (
            {"task": "dynamic", "clip_s": 2.0},
            {"task": SequenceRegression((5.0, 4.0), (1.0, 2.0), rate_hz=2.0), "numbers": VALENCE_AROUSAL},
            {"rating_range": (1.0, 9.0)},
        ),
        "pictures": (
            {
                "task": "targets",
                "network": "vgg19",
                "base_init": "he",
                "vgg19": VGG19Config(widths=(8,), image_size=32),
            },
            {"task": RATED, "numbers": ("tense", "slow")},
            {"cached": True},
        ),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_run(kind, tmp_path):
    changes, task, known = kinds()[kind]
    run = untrained_run.write(dataclasses.replace(SMALL, out=tmp_path / "run", **changes), **task, **known)
    exported = mj.export.load(mj.export.export(run, tmp_path / "x.mer", platforms=["cpu"]))
    x, lengths = windows(BATCH_SIZE, exported.num_samples)
    ours, found = expected(run, x, lengths), exported(x, lengths)
    assert np.ptp(ours, axis=0).max() > 1e-3  # windows differ
    np.testing.assert_allclose(found, ours, atol=1e-5 * max(1.0, np.abs(ours).max()))
    if kind == "pictures":  # a base is slow to draw, and there is nothing new in a recording
        return
    path = tmp_path / "song.wav"
    soundfile.write(path, np.concatenate(x)[: 2 * exported.num_samples], exported.sr)
    ours, theirs = mj.predict.predict(path, checkpoint=run), exported.predict(path)
    assert ours.names == theirs.names
    np.testing.assert_allclose(theirs.curve, ours.curve, atol=1e-5)
    assert (ours.valence_arousal is None) == (theirs.valence_arousal is None)
    if ours.valence_arousal is not None:
        np.testing.assert_allclose(theirs.valence_arousal, ours.valence_arousal, atol=1e-5)

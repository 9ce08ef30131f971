"""Training end to end on a tiny problem: it learns, stops, resumes bit for bit, and names what goes wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mer_jax import checks
from mer_jax.training import checkpoint

# The same program trains in this process and in one that is killed.
PROGRAM = '''
import sys, json
from pathlib import Path
import numpy as np
import jax, jax.numpy as jnp
from flax import nnx
from mer_jax.data import Catalog, pipeline
from mer_jax.evaluation import scores
from mer_jax.frontends import TimeDomain
from mer_jax.models import CNNBiLSTM, EmotionModel, Normalizer, fit_normalizer
from mer_jax.training import Classification, OptimizerConfig, TrainingConfig, fit

SR, N = 2000, 48
CLASSES = ("loud", "quiet")

class Tones:
    """Two classes that differ in loudness, one second each."""
    def __len__(self): return N
    def __getitem__(self, row):
        rng = np.random.default_rng(row)
        level = (0.5, 0.1)[row % 2]
        return (level * rng.uniform(0.5, 1) * np.sin(np.arange(SR) / rng.uniform(3, 9))).astype(np.float32)

def catalog():
    return Catalog(name="tones", classes=CLASSES, ids=tuple(map(str, range(N))), groups=tuple(map(str, range(N))),
                   labels=(np.arange(N) % 2).astype(np.int32), valence_arousal=None, sr=SR, durations_s=np.ones(N),
                   source=Tones())

def build():
    rngs = nnx.Rngs(0)
    frontend = TimeDomain(sr=SR, frame_length=256, hop_length=128, rngs=rngs)
    network = CNNBiLSTM(num_features=3, num_classes=2, num_frames=frontend.num_frames(1500), conv_filters=4, lstm_units=4,
                        dense_units=4, rngs=rngs)
    return EmotionModel(frontend, Normalizer(3), network)

def train(run_dir, *, epochs=4, resume=False, every=2, learning_rate=1e-2, patience=99, monitor="loss", class_weights=None):
    data, model = catalog(), build()
    def loader(rows, train):
        return pipeline.Loader(data, rows, batch_size=8, num_samples=1500, shuffle=train, seed=0,
                               crop="random" if train else "center", drop_remainder=train, num_epochs=None if train else 1)
    model.normalizer = fit_normalizer(model, loader(range(32), False))
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    result = fit(model, loader(range(32), True), loader(range(32, 48), False),
                 score=lambda y, p: scores.compute(y, p, CLASSES),
                 training=TrainingConfig(epochs=epochs, batch_size=8, patience=patience, monitor=monitor,
                                         checkpoint_every_steps=every),
                 task=Classification(class_weights=class_weights),
                 optimizer_config=OptimizerConfig(learning_rate=learning_rate), run_dir=run_dir, resume=resume, progress=False)
    return model, result

if __name__ == "__main__":
    train(sys.argv[1], epochs=int(sys.argv[2]), resume=sys.argv[3] == "resume", every=1)
'''

namespace: dict = {"__name__": "program"}
exec(compile(PROGRAM, "program", "exec"), namespace)
train, build = namespace["train"], namespace["build"]


def weights(run_dir):
    model = build()
    checkpoint.load_model(run_dir, model)
    from flax import nnx

    return [np.asarray(leaf) for leaf in namespace["jax"].tree.leaves(nnx.state(model))]


def epochs(run_dir):
    """What metrics.jsonl says, without what the clock says."""
    records = [json.loads(line) for line in (Path(run_dir) / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "audio_s_per_s")} for r in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of four epochs."""
    out = tmp_path_factory.mktemp("whole")
    model, result = train(out)
    return out, model, result


def test_it_learns_and_compiles_once(whole):
    out, _, result = whole
    records = epochs(out)
    assert [r["epoch"] for r in records] == [1, 2, 3, 4]
    assert records[-1]["validation"]["accuracy"] > 0.9
    assert records[-1]["train"]["loss"] < records[0]["train"]["loss"]
    assert result.compilations <= 1  # none where an earlier test trained the same graph
    assert result.best_epoch == 1 + int(np.argmin([r["validation"]["loss"] for r in records]))


def test_the_model_ends_with_the_best_weights(whole):
    from flax import nnx

    out, model, _ = whole
    for now, stored in zip(namespace["jax"].tree.leaves(nnx.state(model)), weights(out), strict=True):
        np.testing.assert_array_equal(now, stored)


def test_resuming_in_the_middle_of_an_epoch_changes_no_bit(whole, tmp_path, monkeypatch):
    from mer_jax.training import loop

    class Stop(Exception):
        pass

    save, saves = loop.Fit._save, []

    def save_then_stop(self):
        save(self)
        saves.append(self.steps_done)
        if self.steps_done == 6:  # epoch 2 of four steps is half done
            raise Stop

    monkeypatch.setattr(loop.Fit, "_save", save_then_stop)
    with pytest.raises(Stop):
        train(tmp_path)
    assert saves == [2, 4, 6]
    monkeypatch.undo()
    _, result = train(tmp_path, resume=True)
    assert result.compilations <= 1  # none where an earlier test trained the same graph
    assert epochs(tmp_path) == epochs(whole[0])
    for ours, theirs in zip(weights(tmp_path), weights(whole[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3])
def test_killed_at_any_moment_and_resumed_changes_no_bit(tmp_path, kills):
    """SIGKILL to a real process, at moments that fall before, in and between saves; each step saves."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program)]
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    # All processes run the same program: it is compiled by the first.
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    subprocess.run([*command, straight, "6", "start"], check=True, env=environment)
    moments = np.random.default_rng(0).uniform(0.0, 1.0, kills)
    latest = killed / "checkpoints" / "latest"
    mode = "start"
    for moment in moments:
        process = subprocess.Popen([*command, killed, "6", mode], env=environment)
        before = set(os.listdir(latest)) if latest.is_dir() else set()
        deadline = time.monotonic() + 60
        # Wait for a new checkpoint (finished or not) of this process, then a random moment more.
        while process.poll() is None and time.monotonic() < deadline:
            if latest.is_dir() and set(os.listdir(latest)) - before:
                break
            time.sleep(0.005)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        mode = "resume"
    subprocess.run([*command, killed, "6", "resume"], check=True, env=environment)
    assert epochs(killed) == epochs(straight)
    for ours, theirs in zip(weights(killed), weights(straight), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_early_stopping_and_monitor(tmp_path):
    _, result = train(tmp_path, epochs=30, patience=2, every=0, monitor="accuracy")
    accuracy = [r["validation"]["accuracy"] for r in epochs(tmp_path)]
    assert len(accuracy) < 30
    assert result.best_epoch == 1 + int(np.argmax(accuracy))
    assert len(accuracy) - result.best_epoch == 2


def test_class_weights_train_too(tmp_path):
    _, result = train(tmp_path, epochs=2, every=0, class_weights=(0.5, 1.5))
    assert len(result.records) == 2


def test_a_loss_that_is_not_a_number_stops_with_the_step(tmp_path):
    with pytest.raises(
        checks.InputError, match=r"training step \d+: the loss or its gradient is not a finite number"
    ):
        train(tmp_path, learning_rate=1e38, every=0)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, monkeypatch):
    from mer_jax.training import loop

    saved, save = [], loop.Fit._save

    def look(self):
        leaves = namespace["jax"].tree.leaves(self.state.params)
        saved.append(all(bool(np.isfinite(leaf).all()) for leaf in leaves))
        save(self)

    monkeypatch.setattr(loop.Fit, "_save", look)
    with pytest.raises(checks.TrainingError):
        train(tmp_path, learning_rate=1e38, every=1)
    assert saved
    assert all(saved)


@pytest.mark.parametrize("damage", ["truncate", "flip"])
def test_a_damaged_checkpoint_is_named_with_the_remedy(whole, tmp_path, damage):
    import shutil

    out = tmp_path / "run"
    shutil.copytree(whole[0], out)
    step = max(int(p.name) for p in (out / "checkpoints" / "latest").iterdir() if p.name.isdigit())
    # The store keeps arrays in several files, some of them leftovers of its own: damage all.
    for file in (out / "checkpoints" / "latest" / str(step) / "arrays").rglob("*"):
        if file.is_file() and file.parent.name == "d":
            content = bytearray(file.read_bytes())
            if damage == "truncate":
                content = content[: len(content) // 2]
            else:
                content[len(content) // 2] ^= 0x10
            file.write_bytes(content)
    with pytest.raises(checks.CheckpointError, match=r"delete this folder to go on from step 14"):
        train(out, resume=True, epochs=4)


def test_a_folder_without_checkpoints_is_named(tmp_path):
    with pytest.raises(checks.CheckpointError, match="has no checkpoint"):
        checkpoint.load_model(tmp_path, build())


def test_checkpoint_of_another_model_is_refused(whole):
    from flax import nnx

    from mer_jax.frontends import TimeDomain
    from mer_jax.models import CNNBiLSTM, EmotionModel, Normalizer

    other = EmotionModel(
        TimeDomain(sr=2000, rngs=nnx.Rngs(0)),
        Normalizer(3),
        CNNBiLSTM(num_features=3, num_classes=7, rngs=nnx.Rngs(0)),
    )
    with pytest.raises(checks.CheckpointError):
        checkpoint.load_model(whole[0], other)


def test_tensorboard_files_hold_the_curves(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    from mer_jax.training import TrainingConfig
    from mer_jax.training.progress import Progress

    record = {
        "epoch": 3,
        "train": {"loss": 0.5},
        "validation": {"loss": 0.75, "accuracy": 0.5, "auc": None},
        "audio_s_per_s": 1.0,
    }
    with Progress(TrainingConfig(tensorboard=True), 4, shown=False, run_dir=tmp_path) as shown:
        shown.end_epoch(record, best=True)
    (file,) = (tmp_path / "tensorboard").iterdir()
    found = {
        value.tag: (event.step, value.simple_value)
        for event in LegacyEventFileLoader(str(file)).Load()
        for value in event.summary.value
    }
    assert found == {"train/loss": (3, 0.5), "validation/loss": (3, 0.75), "validation/accuracy": (3, 0.5)}

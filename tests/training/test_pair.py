"""A network whose directions train on a device each ends as on one. JAX settles its devices once: processes of their own."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx

from mer_jax import models
from mer_jax.training import pair

TRAIN = """
import json, sys, warnings
import jax, jax.numpy as jnp, numpy as np
devices, folder, stop = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
jax.config.update("jax_num_cpu_devices", devices)
warnings.simplefilter("error")
import dataclasses
from flax import nnx
from mer_jax import models
from mer_jax.benchmark import population
from mer_jax.signal.devices import over_devices
from mer_jax.training import pair
from mer_jax.training.loop import fit

def network(rngs):
    config = models.RecurrentConfig(architecture="cnn_bilstm", lstm_units=6, conv_filters=5, dense_units=4)
    return models.build(config, num_features=3, num_classes=4, num_frames=12, rngs=rngs)

population.CLIPS = 180
case = population.Case(1, (12, 3), 3, network)
one = next(population.recruits(case))
options = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
del options["tag"]
model, train, validation = (options.pop(name) for name in ("model", "train_loader", "validation_loader"))
assert (pair.pair_for(model) is not None) == (devices > 1)
if folder:
    every = dataclasses.replace(options["training"], checkpoint_every_steps=1)
    options |= {"run_dir": folder, "resume": True, "training": every}
if stop:
    made = iter(train)
    class Stopped(type(train)):
        steps = 0
        def assemble(self, places):
            Stopped.steps += 1
            if Stopped.steps > stop:
                raise KeyboardInterrupt
            return super().assemble(places)
    train.__class__ = Stopped
try:
    result = fit(model, train, validation, progress=False, **options)
except KeyboardInterrupt:
    print(json.dumps("interrupted"))
    raise SystemExit
weights = [np.asarray(x).ravel().tolist() for x in jax.tree.leaves(nnx.to_pure_dict(nnx.state(model, nnx.Param)))]
# The model is bound to no device: it goes wherever it is called.
graph, state = nnx.split(model)
batch = jnp.ones((4, 12, 3))
predict = over_devices(lambda state, x: nnx.merge(graph, state)(x, jnp.full(x.shape[0], 5 * 22050)), shared=1)
assert np.isfinite(np.asarray(predict(state, batch))).all()
losses = [record["validation"]["loss"] for record in result.records]
print(json.dumps({"losses": losses, "weights": weights, "compilations": result.compilations}))
"""


def train(devices: int, folder: object = "", stop: int = 0):
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(devices), str(folder), str(stop)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_two_devices_end_as_one_and_compile_once():
    one, two = train(1), train(2)
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
    for found, expected in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert two["compilations"] == 1


@pytest.mark.slow
def test_interrupted_and_resumed_on_two_devices_changes_no_bit(tmp_path):
    whole = train(2, tmp_path / "whole")
    assert train(2, tmp_path / "cut", stop=3) == "interrupted"
    resumed = train(2, tmp_path / "cut")
    assert resumed["weights"] == whole["weights"]
    assert resumed["losses"] == whole["losses"]


def test_one_device_or_no_direction_to_spare_is_no_pair(monkeypatch):
    rngs = nnx.Rngs(0)
    both = models.CNNBiLSTM(num_features=3, num_classes=2, num_frames=8, rngs=rngs)
    one = models.LSTM(3, 4, rngs=rngs)
    device = jax.local_devices()[0]
    monkeypatch.setattr(jax, "local_devices", lambda: [device])
    assert pair.pair_for(both) is None
    monkeypatch.setattr(jax, "local_devices", lambda: [device, device])
    assert pair.pair_for(both) == (device, device)
    assert pair.pair_for(one) is None
    monkeypatch.setattr(pair, "platform", lambda: "gpu")
    assert pair.pair_for(both) is None

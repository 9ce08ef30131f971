import json
import os
import stat

import numpy as np
import pytest

from mer_jax.data.atomic import atomic_path


def test_replaces_the_target(tmp_path):
    target = tmp_path / "scores.json"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".json"
        temporary.write_text(json.dumps({"accuracy": 1.0}))
        assert target.read_text() == "old"
    assert json.loads(target.read_text()) == {"accuracy": 1.0}
    assert os.listdir(tmp_path) == ["scores.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_leaves_the_target_when_the_block_fails(tmp_path, error):
    target = tmp_path / "scores.json"
    target.write_text("old")

    def crash():
        with atomic_path(target) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        crash()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.json"]


def test_fails_when_nothing_was_written(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        pass
    assert os.listdir(tmp_path) == []


def test_makes_parents_keeps_permissions_and_suits_numpy(tmp_path):
    target = tmp_path / "run" / "figures" / "predictions.npz"
    with atomic_path(target) as temporary:
        np.savez(temporary, a=np.arange(3))
    np.testing.assert_array_equal(np.load(target)["a"], [0, 1, 2])
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)

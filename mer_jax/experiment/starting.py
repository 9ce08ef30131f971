"""Training that starts from the weights of a finished run, such as a fixed front-end's, which a learnable one goes on from."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax import traverse_util

from mer_jax import checks
from mer_jax.experiment import caching, restoring
from mer_jax.models import EmotionModel
from mer_jax.training import step


def start_from(
    path: str | Path, model: EmotionModel, outputs: tuple[str, ...], *, cached: bool = False
) -> None:
    """Give ``model`` the best weights and the standardisation of a finished run.

    What the run's front-end learnt, or held without learning it, is taken over; what this one learns and that one did not have
    stays as it starts, which is equal to the fixed front-end.

    Args:
        path: the run folder.
        model: changed in place.
        outputs: names of its outputs.
        cached: whether ``model`` is the part that is trained on features computed beforehand.

    Raises:
        mer_jax.checks.CheckpointError: the folder holds no finished run, or one of other features, outputs or sizes, or one
            whose front-end learnt what this one holds fixed.
    """
    source = restoring.restore(path)
    _check_frontend(path, source.model, model)
    if source.outputs != outputs:
        raise _misfit(path, f"predicts {', '.join(source.outputs)}", ", ".join(outputs))
    donor = caching.trained_part(source.model) if cached else source.model
    learnt_before = _learnt(source.model)
    lost = sorted(learnt_before - _learnt(model))
    if lost:
        raise checks.CheckpointError(
            path,
            f"learnt {lost[0]}, which this front-end holds fixed",
            expected="a front-end that learns at least what that one did",
            remedy="give it the same trainable",
        )
    given = _flat(donor)
    _, params, rest = step.split(model)
    step.put(model, *(_taken(path, tree, given) for tree in (params, rest)))


def _check_frontend(path: str | Path, source: EmotionModel, model: EmotionModel) -> None:
    for name in ("sr", "hop_length", "feature_names"):
        found, wanted = getattr(source.frontend, name), getattr(model.frontend, name)
        if found != wanted:
            raise _misfit(path, f"has a front-end with another {name}", "the same features")


def _misfit(path: str | Path, problem: str, expected: str) -> checks.CheckpointError:
    return checks.CheckpointError(
        path, problem, expected=expected, remedy="start from a run of the same features, network and classes"
    )


def _flat(model: EmotionModel) -> dict[tuple, Any]:
    """Weights and state of a model by path."""
    _, params, rest = step.split(model)
    return traverse_util.flatten_dict(params) | traverse_util.flatten_dict(rest)


def _learnt(model: EmotionModel) -> set[str]:
    """Names of what the front-end learns."""
    _, params, _ = step.split(model)
    return {".".join(map(str, path)) for path in traverse_util.flatten_dict(params) if path[0] == "frontend"}


def _taken(path: str | Path, own: Any, given: dict[tuple, Any]) -> Any:
    """``own`` with the values that are given."""
    taken = {}
    for place, value in traverse_util.flatten_dict(own).items():
        name = ".".join(map(str, place))
        found = given.get(place)
        if found is None and place[0] != "frontend":
            raise _misfit(path, f"has no {name}", "a network of the same kind")
        if found is not None and found.shape != value.shape:
            raise _misfit(path, f"holds {name} of shape {found.shape}", f"{value.shape}")
        taken[place] = value if found is None else jnp.asarray(found)
    return traverse_util.unflatten_dict(taken)

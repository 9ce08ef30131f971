import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from signal_contract import rel_l2

from mer_jax import signal
from mer_jax.signal.platform import busy, per_clip, platform, traced_for


def centred(clip):
    return clip - jnp.mean(clip)


def test_platform_names_where_computation_runs():
    assert platform() in ("cpu", "gpu", "tpu")
    with jax.default_device(jax.devices("cpu")[0]):
        assert platform() == "cpu"


@pytest.mark.parametrize("lead", [(), (1,), (5,), (2, 3)])
def test_every_clip_is_seen_alone(rng, lead):
    x = rng.standard_normal((*lead, 7)).astype(np.float32)
    expected = x - x.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(per_clip(centred, jnp.asarray(x)), expected, atol=1e-6)


def test_several_arrays_of_several_axes_and_a_pytree_of_results(rng):
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    weights = rng.standard_normal((2, 3, 4, 1)).astype(np.float32)
    found = per_clip(
        lambda a, w: {"sum": jnp.sum(a * w), "first": (a * w)[0]},
        jnp.asarray(x),
        jnp.asarray(weights),
        core_ndim=2,
    )
    np.testing.assert_allclose(found["sum"], (x * weights).sum(axis=(-1, -2)), rtol=1e-5)
    np.testing.assert_allclose(found["first"], (x * weights)[..., 0, :], rtol=1e-6)


def test_the_loop_is_transparent_to_transformations(rng):
    x = jnp.asarray(rng.standard_normal((4, 2, 7)).astype(np.float32))
    expected = x - jnp.mean(x, axis=-1, keepdims=True)
    np.testing.assert_allclose(jax.jit(lambda x: per_clip(centred, x))(x), expected, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda x: per_clip(centred, x))(x), expected, atol=1e-6)
    gradient = jax.grad(lambda x: jnp.sum(per_clip(centred, x) ** 2))(x)
    np.testing.assert_allclose(gradient, 2 * expected, atol=1e-5)


def test_on_a_cpu_clips_take_turns():
    # Memory for one clip at a time is what lets a batch of any size through.
    with jax.default_device(jax.devices("cpu")[0]):
        program = jax.make_jaxpr(lambda x: per_clip(centred, x))(jnp.ones((3, 7)))
    assert "scan" in str(program)


def test_a_compiled_function_is_traced_anew_for_another_platform():
    inner = jax.jit(lambda x: per_clip(centred, x))

    def loops():
        return str(jax.make_jaxpr(lambda x: inner(x))(jnp.ones((3, 7)))).count("scan[")

    with jax.default_device(jax.devices("cpu")[0]):
        assert loops() == 1
        with traced_for("tpu"):
            assert platform() == "tpu"
            assert loops() == 0
        assert platform() == "cpu"
        assert loops() == 1


@pytest.mark.parametrize("name", ["cuda", "tpu"])
def test_a_program_for_another_machine_has_its_algorithms(name):
    function = jax.jit(signal.rms)
    clips = jax.ShapeDtypeStruct(export.symbolic_shape("batch, 3000"), jnp.float32)
    with traced_for("gpu" if name == "cuda" else name):
        program = export.export(function, platforms=[name])(clips)
    assert program.platforms == (name,)
    assert "stablehlo.while" not in program.mlir_module()


@pytest.mark.parametrize("function", [signal.rms, signal.zero_crossing_rate, signal.mfcc, signal.spectrogram])
def test_a_program_exported_for_any_batch_gives_the_same(rng, function):
    exported = export.export(jax.jit(function))(
        jax.ShapeDtypeStruct(export.symbolic_shape("batch, 3000"), jnp.float32)
    )
    y = rng.standard_normal((3, 3000)).astype(np.float32)
    assert rel_l2(exported.call(y), function(y)) < 1e-6


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, -np.inf, np.nan])
def test_a_busy_buffer_moves_no_index(value):
    assert int(jax.jit(busy)(jnp.full((2, 3), value))) == 0

"""What every learnable front-end costs and how near it starts to its fixed counterpart: the tables of docs/frontends.md.

    python experiments/learnable_frontends.py --rounds 9

Times are medians of interleaved rounds on a batch of composed music; each member at its defaults, so all give the same frames.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mer_jax import frontends
from mer_jax.data import synthetic
from mer_jax.machine import describe_machine, load_average

SR = 22050
LOG_MEL = "log_mel (fixed)"
# Front-end, options, and the fixed front-end that it is compared with at the start.
MEMBERS: dict[str, tuple[str, dict, tuple[str, dict]]] = {
    LOG_MEL: ("log_mel", {}, ("log_mel", {})),
    **{
        name: (name, {"trainable": True}, (name, {}))
        for name in ("log_mel", "spectrogram", "mel", "mfcc", "cqt", "log_cqt")
    },
    "log_mel, triangles": ("log_mel", {"trainable": True, "mel_parameters": "triangles"}, ("log_mel", {})),
    "spectrogram, kernels": ("spectrogram", {"trainable": "kernels"}, ("spectrogram", {})),
    "pcen": ("pcen", {}, ("pcen", {"trainable": False})),
    "pcen, all parts": ("pcen", {"trainable": True}, ("pcen", {"trainable": False})),
    "multi_resolution": ("multi_resolution", {"trainable": True}, ("multi_resolution", {})),
    "dstft": ("dstft", {}, ("spectrogram", {})),
    **{
        name: (name, {}, ("log_mel", {"n_mels": 40, "fmin_hz": 60.0}))
        for name in ("leaf", "efficient_leaf", "sincnet", "td_filterbank")
    },
}


def build(name: str, options: dict) -> frontends.Frontend:
    return frontends.build(name, sr=SR, options=options, rngs=nnx.Rngs(0))


def timed(fn, *args) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(fn(*args))
    return time.perf_counter() - begin


def programs(frontend: frontends.Frontend):
    """Forward; and forward and backward, by the parameters (by the waveform where there are none)."""
    graph, params, rest = nnx.split(frontend, nnx.Param, ...)
    learns = bool(jax.tree.leaves(params))

    def energy(params, y):
        return jnp.square(nnx.merge(graph, params, rest)(y)).mean()

    forward = jax.jit(lambda y: nnx.merge(graph, params, rest)(y))
    both = jax.jit(jax.value_and_grad(energy, argnums=0 if learns else 1))
    return forward, lambda y: both(params, y), sum(leaf.size for leaf in jax.tree.leaves(params))


def agreement(name: str, options: dict, fixed: tuple[str, dict], y: np.ndarray) -> str:
    """Relative L2 distance from the fixed counterpart, or the correlation of log output with log-mel."""
    banks = ("leaf", "efficient_leaf", "sincnet", "td_filterbank")
    if name in banks:
        options = {**options, "compression": "log"}
    found = np.asarray(build(name, options)(y), np.float64)
    expected = np.asarray(build(*fixed)(y), np.float64)
    if name in banks:
        return f"r = {np.corrcoef(found.ravel(), expected.ravel())[0, 1]:.3f}"
    return f"{np.linalg.norm(found - expected) / np.linalg.norm(expected):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--clip-s", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="*", choices=list(MEMBERS), default=list(MEMBERS))
    args = parser.parse_args()
    y = np.stack([synthetic.render(3 * k, duration_s=args.clip_s, sr=SR)[0] for k in range(args.batch)])
    y = jnp.asarray(y, jnp.float32)
    chosen = {name: MEMBERS[name] for name in dict.fromkeys([LOG_MEL, "log_mel", *args.only])}
    built = {name: programs(build(front, options)) for name, (front, options, _) in chosen.items()}
    compiled = {name: timed(both, y) + timed(forward, y) for name, (forward, both, _) in built.items()}
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in built}
    for _ in range(args.rounds):
        for name, (forward, both, _) in built.items():
            rounds[name].append((timed(forward, y), timed(both, y)))
    median = {name: np.median(times, axis=0) * 1e3 for name, times in rounds.items()}
    print(describe_machine(), load_average(), f"{args.batch} x {args.clip_s:g} s, {args.rounds} rounds")
    print(
        "| front-end | learnt numbers | at the start | forward ms | forward + backward ms | / log_mel | / fixed, forward "
        "| compile s |"
    )
    for name, (front, options, fixed) in chosen.items():
        forward, both = median[name]
        print(
            f"| {name} | {built[name][2]:,} | {agreement(front, options, fixed, y[:4])} | {forward:.1f} | {both:.1f} "
            f"| {both / median['log_mel'][1]:.2f} | {both / median[LOG_MEL][0]:.1f} | {compiled[name]:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""What the front-end suite measures: its options, from Python and from the command line, and its cases."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mer_jax import checks
from mer_jax.benchmark.engine import Plan
from mer_jax.benchmark.peers import PEERS
from mer_jax.benchmark.transforms import SR, TRANSFORMS


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        transforms: names in :data:`mer_jax.benchmark.transforms.TRANSFORMS`.
        batches: clips at once.
        clips_s: lengths of a clip in seconds.
        peers: names in :data:`mer_jax.benchmark.peers.PEERS`.
        plan: repetitions.
        memory: whose peak memory is measured: ``"none"``, ``"ours"`` or ``"all"``.
        limit_s: no new case after this many seconds; None for no limit.
        longest_call_s: a peer that would take longer for one call, going by a smaller case, is left out of it.
        seed: of the signals.
    """

    transforms: tuple[str, ...] = tuple(TRANSFORMS)
    batches: tuple[int, ...] = (1, 8, 32, 128)
    clips_s: tuple[float, ...] = (5.0, 30.0)
    peers: tuple[str, ...] = tuple(PEERS)
    plan: Plan = field(default_factory=Plan)
    memory: str = "ours"
    limit_s: float | None = None
    longest_call_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.transforms:
            checks.one_of("transforms", name, TRANSFORMS)
        for name in self.peers:
            checks.one_of("peers", name, PEERS)
        for batch in self.batches:
            checks.positive_int("batch", batch)
        for clip_s in self.clips_s:
            checks.positive("clip-s", clip_s)
        checks.one_of("memory", self.memory, ("none", "ours", "all"))
        checks.positive("longest_call_s", self.longest_call_s)

    def cases(self) -> Iterator["Case"]:
        """Every combination; small batches and short clips first."""
        for clip_s in self.clips_s:
            for batch in self.batches:
                for transform in self.transforms:
                    yield Case(transform, batch, clip_s)


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    transform: str
    batch: int
    clip_s: float

    @property
    def name(self) -> str:
        """As printed: ``stft, 8 x 5 s``."""
        return f"{self.transform}, {self.batch} x {self.clip_s:g} s"

    @property
    def num_samples(self) -> int:
        """Samples of a clip."""
        return round(self.clip_s * SR)

    @property
    def audio_s(self) -> float:
        """Seconds of audio in the batch."""
        return self.batch * self.clip_s


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this suite on the command line; those not given follow ``--quick`` or its absence."""
    parser.add_argument("--transforms", nargs="+", metavar="NAME", help=f"of {', '.join(TRANSFORMS)}")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--batch", nargs="+", type=int, metavar="CLIPS", help="1 8 32 128 (quick: 8)")
    parser.add_argument("--clip-s", nargs="+", type=float, metavar="SECONDS", help="5 30 (quick: 5)")
    parser.add_argument("--rounds", type=int, help="15 (quick: 5)")
    parser.add_argument(
        "--memory", choices=("none", "ours", "all"), help="whose peak memory to measure: ours"
    )
    parser.add_argument("--limit-s", type=float, help="start no new case after this many seconds")
    parser.add_argument("--seed", type=int, help="of the signals: 0")


def options_from(args: argparse.Namespace) -> Options:
    """Options from the command line."""
    base = Options()
    plan = Plan()
    if args.quick:
        base = Options(batches=(8,), clips_s=(5.0,))
        plan = Plan(rounds=5, min_rounds=2, budget_s=1.5)
    if args.rounds is not None:
        plan = Plan(rounds=args.rounds, min_rounds=min(plan.min_rounds, args.rounds), budget_s=plan.budget_s)

    def chosen(value: Sequence | None, default: tuple) -> tuple:
        return default if value is None else tuple(value)

    return Options(
        transforms=chosen(args.transforms, base.transforms),
        batches=chosen(args.batch, base.batches),
        clips_s=chosen(args.clip_s, base.clips_s),
        peers=chosen(args.peers, base.peers),
        plan=plan,
        memory=args.memory or base.memory,
        limit_s=args.limit_s,
        seed=args.seed or 0,
    )

"""Successive halving: many candidates for few epochs, the better ones for more (Jamieson & Talwalkar 2016).

This is one bracket of Hyperband (Li et al. 2018, JMLR 18(185)): rung k trains ``floor(n / eta^k)`` candidates up to epoch
``min_epochs * eta^k``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mer_jax.training.loop import smaller_is_better


@dataclass(frozen=True)
class Rung:
    """A comparison of candidates.

    Attributes:
        epochs: how many each has been trained for when they are compared.
        candidates: how many there are, besides the one that is never dropped.
    """

    epochs: int
    candidates: int


def rungs(candidates: int, min_epochs: int, eta: int, epochs: int) -> tuple[Rung, ...]:
    """The rungs of a search; the last one is at ``epochs``.

    >>> [(rung.epochs, rung.candidates) for rung in rungs(32, 3, 2, 60)]
    [(3, 32), (6, 16), (12, 8), (24, 4), (48, 2), (60, 1)]
    >>> [(rung.epochs, rung.candidates) for rung in rungs(4, 10, 3, 100)]
    [(10, 4), (100, 1)]
    """
    found = []
    while min_epochs < epochs and candidates > 1:
        found.append(Rung(min_epochs, candidates))
        min_epochs, candidates = min_epochs * eta, max(1, candidates // eta)
    return (*found, Rung(epochs, candidates))


def survivors(merits: Mapping[int, float], keep: int, *, never_dropped: Sequence[int] = ()) -> list[int]:
    """The ``keep`` best by merit (more is better; of equal ones the first), and those that are never dropped, in order.

    One without a merit (-inf) does not survive.

    >>> survivors({0: 0.1, 1: 0.5, 2: 0.9, 3: float("-inf")}, 2, never_dropped=[0])
    [0, 1, 2]
    """
    able = [number for number, merit in merits.items() if merit > float("-inf")]
    best = sorted(able, key=lambda number: (-merits[number], number))[:keep]
    return sorted({*best, *(number for number in never_dropped if number in able)})


def best_first(trials: Sequence[Mapping[str, Any]], monitor: str) -> list[Mapping[str, Any]]:
    """Records of candidates by their score; those without one are left out, of equal ones the first stays first.

    >>> [trial["number"] for trial in best_first([{"number": 0, "score": 0.7}, {"number": 1, "score": 0.6}], "loss")]
    [1, 0]
    """
    sign = 1 if smaller_is_better(monitor) else -1
    able = [trial for trial in trials if trial["score"] is not None]
    return sorted(able, key=lambda trial: (sign * trial["score"], trial["number"]))

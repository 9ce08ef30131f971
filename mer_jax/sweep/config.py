"""What a sweep searches, as one frozen value: an experiment, and the ranges around it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mer_jax import checks
from mer_jax.config import ExperimentConfig
from mer_jax.sweep.halving import Rung, rungs


@dataclasses.dataclass(frozen=True)
class Values:
    """What candidates differ in."""

    learning_rate: float
    weight_decay: float
    dropout: float


@dataclasses.dataclass(frozen=True)
class SweepConfig(ExperimentConfig):
    """An experiment, and what is searched around it; training.epochs is the length of the last rung."""

    out: Path = Path("runs/sweep")
    """Folder of the sweep: sweep.json, report.html and the run folder of the winner."""
    candidates: int = 32
    """How many settings are tried; the first is the experiment's own, and it is never dropped."""
    min_epochs: int = 10
    """Epochs after which the first candidates are dropped; too few favour those that learn fast over those that end well."""
    eta: int = 2
    """Of the candidates of a rung one in eta goes on, to eta times as many epochs."""
    learning_rates: tuple[float, float] = (1e-4, 1e-2)
    """Lowest and highest learning rate, drawn log-uniformly; twice the same keeps it there."""
    weight_decays: tuple[float, float] = (1e-4, 1.0)
    """Likewise of the weight decay; 0 0 is none at all."""
    dropouts: tuple[float, float] = (0.0, 0.6)
    """Lowest and highest dropout rate, drawn uniformly."""

    @classmethod
    def around(cls, experiment: ExperimentConfig, **search: Any) -> "SweepConfig":
        """A sweep around an experiment; ``search`` are fields of this class."""
        own = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(ExperimentConfig)}
        return cls(**(own | search))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("candidates", 2), ("min_epochs", 1), ("eta", 2)):
            if getattr(self, name) < least:
                raise checks.ConfigError(
                    name, f"is {getattr(self, name)}", expected=f"an integer of at least {least}"
                )
        if self.min_epochs > self.training.epochs:
            raise checks.ConfigError(
                "min_epochs",
                f"is {self.min_epochs}, and training ends after {self.training.epochs} epochs",
                expected="at most training.epochs",
            )
        for name in ("learning_rates", "weight_decays"):
            low, high = getattr(self, name)
            fixed = low == high and (low > 0 or name == "weight_decays")
            if not (0 < low < high < float("inf") or (fixed and 0 <= low < float("inf"))):
                raise checks.ConfigError(
                    name, f"is {low:g} {high:g}", expected="two numbers above 0, the lower one first"
                )
        low, high = self.dropouts
        if not 0 <= low <= high < 1:
            raise checks.ConfigError(
                "dropouts", f"is {low:g} {high:g}", expected="two numbers in [0, 1), the lower one first"
            )

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """When candidates are compared, and how many there are."""
        return rungs(self.candidates, self.min_epochs, self.eta, self.training.epochs)

    @property
    def own_values(self) -> Values:
        """What the experiment has by itself."""
        dropout = getattr(self, self.network).dropout
        return Values(self.optimizer.learning_rate, self.optimizer.weight_decay, dropout)

    @property
    def drawn(self) -> tuple[Values, ...]:
        """The values of every candidate, by its number; a sweep of fewer has the first of them."""
        rng = np.random.default_rng(self.seed)

        def draw(low: float, high: float, *, logarithmic: bool) -> float:
            share = rng.random()
            if low == high:
                return low
            value = low * (high / low) ** share if logarithmic else low + (high - low) * share
            return float(f"{value:.3g}")  # what a report shows is what was trained

        found = [self.own_values]
        while len(found) < self.candidates:
            found.append(
                Values(
                    draw(*self.learning_rates, logarithmic=True),
                    draw(*self.weight_decays, logarithmic=True),
                    draw(*self.dropouts, logarithmic=False),
                )
            )
        return tuple(found)

    def of_candidate(self, values: Values, out: Path) -> ExperimentConfig:
        """The experiment of a candidate, as ``mer-jax train`` would run it in ``out``."""
        fields: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(ExperimentConfig)
        }
        fields["out"] = out
        fields["optimizer"] = dataclasses.replace(
            self.optimizer, learning_rate=values.learning_rate, weight_decay=values.weight_decay
        )
        fields[self.network] = dataclasses.replace(fields[self.network], dropout=values.dropout)
        return ExperimentConfig(**fields)

"""Running a sweep: candidates drawn, whole rungs of them trained together, the better ones taken on, the best one scored."""

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from mer_jax import checks
from mer_jax.config import ExperimentConfig
from mer_jax.data.catalog import Catalog
from mer_jax.data.splits import Split
from mer_jax.experiment import building, fitting, folder, running, together
from mer_jax.models.vgg19 import VGG19Base
from mer_jax.sweep import halving, report, state
from mer_jax.sweep.config import SweepConfig
from mer_jax.training.candidate import Candidate
from mer_jax.training.population import Recruit, advance
from mer_jax.training.task import Task

WINNER = "winner"
_OWN = 0


def run(settings: SweepConfig, *, progress: bool = True) -> Path:
    """Search, train the winner to its end and score it, once, on the test part.

    Args:
        settings: the sweep; a folder ``settings.out`` that holds the same one goes on after its last finished rung.
        progress: print a line a rung, and the best candidates at the end.

    Returns:
        The folder, with ``sweep.json``, ``report.html`` and the winner's run folder.

    Raises:
        mer_jax.checks.InputError: data, settings or folder cannot be used, or all candidates failed.
    """
    out = Path(settings.out)
    again = (out / "config.json").exists()
    if again:
        folder.claim(out, settings, resume=True)
        if "candidates" not in json.loads((out / "config.json").read_text(encoding="utf-8")):
            raise checks.ConfigError(out, "holds a run, not a sweep", remedy="choose another --out")
    if not (out / report.FILE_NAME).is_file():
        search = Search.open(settings)
        if not again:
            folder.claim(out, settings, resume=False)
        search.compute_features()
        _search(search, out, progress=progress)
    report.write(out)
    (out / state.FILE_NAME).unlink(missing_ok=True)
    if progress:
        print(report.summary_table(out))
        print(f"report: {out / 'report.html'}")
    return out


@dataclasses.dataclass(frozen=True)
class Search:
    """What all candidates share.

    Attributes:
        settings: the sweep.
        catalog: its data.
        split: the one split; candidates see its training and validation part.
        task: what is asked of them.
        base: of a VGG19.
        kept: features, computed once.
    """

    settings: SweepConfig
    catalog: Catalog
    split: Split
    task: Task
    base: VGG19Base | None
    kept: running.Kept

    @classmethod
    def open(cls, settings: SweepConfig) -> "Search":
        """Load the data, and see whether it can be swept."""
        catalog, split, task = running.data_of(settings)
        base = building.load_base(settings) if settings.network == "vgg19" else None
        model = running.model_of(settings, catalog, task, base=base)
        why_not = running.why_not_cached(settings, catalog, model)
        reason = why_not or together.why_batch_by_batch(settings, cached=True)
        if reason:
            raise checks.ConfigError(
                "sweep",
                f"cannot train whole rungs of candidates: {reason}",
                expected="a network on features that are computed once, without checkpoints within epochs or TensorBoard",
                remedy="choose --clip-s so that whole clips fit, a fixed front-end and no augmentation of waveforms"
                if why_not
                else "leave that out, or train candidates one by one with 'mer-jax train'",
            )
        return cls(settings, catalog, split, task, base, {})

    def compute_features(self) -> None:
        """Before the first candidate, so that no rung's time holds it."""
        model = running.model_of(self.settings, self.catalog, self.task, base=self.base)
        running.inputs_of(self.settings, self.catalog, self.split, model, cached=True, kept=self.kept)

    def candidate(self, number: int, snapshot: state.Snapshot | None = None) -> Candidate:
        """A candidate at its start, or where a snapshot left it."""
        settings = self.experiment(number)
        model = running.model_of(settings, self.catalog, self.task, base=self.base)
        trained, loaders = running.started_inputs(
            settings, self.catalog, self.split, model, cached=True, kept=self.kept
        )
        recruit: Recruit = together.recruit(
            trained, loaders, self.catalog, settings, self.task, run_dir=None, tag=number
        )
        found = Candidate(recruit)
        if snapshot is not None:
            found.restore(*snapshot)
        return found

    @property
    def features_s(self) -> float:
        """Seconds that computing the features took."""
        return sum(array.seconds for array in self.kept.values())

    def experiment(self, number: int) -> ExperimentConfig:
        """What ``mer-jax train`` would run of a candidate."""
        return self.settings.of_candidate(self.settings.drawn[number], Path(self.settings.out) / WINNER)

    def advance(self, candidates: Iterable[Candidate], epochs: int) -> Iterator[Candidate]:
        """Train candidates: together, but for a head as large as a VGG19's, which keeps a device busy by itself."""
        if self.settings.network == "vgg19":
            return advance(candidates, epochs, block=1, devices=jax.local_devices()[:1])
        return advance(candidates, epochs)


def _search(search: Search, out: Path, *, progress: bool) -> None:
    """Train the rungs that are left, and finish the winner."""
    settings = search.settings
    now = state.read(out)
    if now is None:
        trials = [
            {"number": number, **dataclasses.asdict(values)} for number, values in enumerate(settings.drawn)
        ]
        now = state.State(folder.now(), trials)
        candidates: Iterable[Candidate] = map(search.candidate, range(settings.candidates))
    else:
        candidates = [search.candidate(*one) for one in now.survivors.items()]
        if progress:
            print(f"{len(now.rungs)} of {len(settings.rungs)} rungs were done before", flush=True)
    kept = {}
    for number, rung in enumerate(settings.rungs):
        if number < len(now.rungs):
            continue
        started = time.perf_counter()
        following = settings.rungs[number + 1 :]
        kept = _run_rung(
            search, rung, candidates, now.trials, keep=following[0].candidates if following else 1
        )
        seconds = time.perf_counter() - started
        now.seconds += seconds
        trained = sorted(trial["number"] for trial in now.trials if len(trial["rungs"]) > number)
        now.rungs.append(
            {
                "epochs": rung.epochs,
                "candidates": trained,
                "survivors": sorted(kept),
                "seconds": round(seconds, 3),
            }
        )
        state.write(out, now, kept)
        candidates = list(kept.values())
        if progress:
            print(_line(settings, number, now), flush=True)
    if not kept:
        kept = {candidate.recruit.tag: candidate for candidate in candidates}
    _finish(search, now, max(kept.values(), key=lambda one: (one.merit, -one.recruit.tag)))


def _run_rung(
    search: Search,
    rung: halving.Rung,
    candidates: Iterable[Candidate],
    trials: list[dict[str, Any]],
    *,
    keep: int,
) -> dict[int, Candidate]:
    """Train candidates to a rung's epochs, note how each did, and return those that go on.

    Raises:
        mer_jax.checks.TrainingError: none does.
    """
    kept: dict[int, Candidate] = {}
    failed = ""
    for candidate in search.advance(candidates, rung.epochs):
        _note(trials[candidate.recruit.tag], rung, candidate)
        failed = failed or candidate.failed
        kept[candidate.recruit.tag] = candidate
        # Weights of those that are beaten already are let go at once.
        merits = {number: one.merit for number, one in kept.items()}
        kept = {k: kept[k] for k in halving.survivors(merits, keep, never_dropped=[_OWN])}
    if not kept:
        raise checks.TrainingError(
            "sweep",
            f"no candidate has a validation score by {search.settings.training.monitor} ({failed or 'it is undefined'})",
            remedy="lower --learning-rates, or choose another --training.monitor",
        )
    return kept


def _note(trial: dict[str, Any], rung: halving.Rung, candidate: Candidate) -> None:
    """Put what became of a candidate into its record."""
    monitor = candidate.training.monitor
    reached = {
        "epochs": rung.epochs,
        "score": None if candidate.failed else candidate.best_score,
    }
    trial["rungs"] = [*trial.get("rungs", []), reached]
    trial |= {
        "score": reached["score"],
        "best_epoch": candidate.best_epoch,
        "epochs": len(candidate.epochs),
        "seconds": round(sum(record["seconds"] for record in candidate.epochs), 3),
        "failed": candidate.failed,
        "course": [record["validation"][monitor] for record in candidate.epochs],
    }


def _finish(search: Search, now: state.State, winner: Candidate) -> None:
    """Write the winner's run folder as ``train`` would, and then ``sweep.json``."""
    settings, number = search.settings, winner.recruit.tag
    experiment = search.experiment(number)
    begun = (experiment.out / "config.json").is_file()
    prepared = running.prepare(experiment, resume=begun, kept=search.kept)
    result = winner.finish_in(experiment.out)
    trial = now.trials[number]
    prepared = dataclasses.replace(
        prepared, trained=winner.model, started=time.perf_counter() - trial["seconds"]
    )
    prepared.known["chosen_by"] = (
        f"a sweep over {settings.candidates} candidates, by validation {settings.training.monitor}"
    )
    fitted = fitting.scored(winner.model, prepared.loaders, prepared.catalog, prepared.task, result)
    running.finish(prepared, fitted)
    folder.write_json(
        Path(settings.out) / report.FILE_NAME, _record(search, now, number, prepared.known, fitted.scores)
    )


def _record(
    search: Search,
    now: state.State,
    winner: int,
    known: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What ``sweep.json`` holds."""
    settings = search.settings
    searched = ("candidates", "min_epochs", "eta", "learning_rates", "weight_decays", "dropouts")
    return {
        "monitor": settings.training.monitor,
        "epochs": settings.training.epochs,
        "network": settings.network,
        "frontend": settings.frontend.name,
        "search": {name: getattr(settings, name) for name in searched},
        "seed": settings.seed,
        **{name: known[name] for name in ("split", "fold", "folds", "task", "data", "versions", "hardware") if name in known},
        "started": now.started,
        "finished": folder.now(),
        "features_s": round(search.features_s, 3),
        "seconds": round(now.seconds, 3),
        "rungs": now.rungs,
        "candidates": now.trials,
        "winner": {
            "number": winner,
            "folder": WINNER,
            **{part: _plain(scores[part]) for part in ("validation", "test")},
        },
    }  # fmt: skip


def _plain(scores: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The scores that are numbers."""
    return {name: value for name, value in scores.items() if value is None or isinstance(value, (int, float))}


def _line(settings: SweepConfig, number: int, now: state.State) -> str:
    """A finished rung in a line."""
    rung = now.rungs[-1]
    best = halving.best_first([now.trials[k] for k in rung["survivors"]], settings.training.monitor)[0]
    last = number + 1 == len(settings.rungs)
    return (
        f"[{number + 1}/{len(settings.rungs)}] {len(rung['candidates'])} candidates to epoch {rung['epochs']}: best "
        f"{settings.training.monitor} {best['score']:.4f} (candidate {best['number']}), "
        f"{'the end' if last else str(len(rung['survivors'])) + ' go on'}; {rung['seconds']:.1f} s"
    )

"""The report of a run on ratings over time: pooled scores, scores song by song, and the curves of a few songs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mer_jax.evaluation import dynamic_scores, html, run_facts, statistics
from mer_jax.evaluation.canvas import (
    LIGHT,
    WIDE_IN,
    Theme,
    empty_figure,
    outer_legend,
    plain,
    short,
    style,
    to_png,
)
from mer_jax.evaluation.dynamic_scores import SongPart
from mer_jax.evaluation.run_folder import DynamicRun
from mer_jax.evaluation.run_sections import RunSections

# Key -> (name, axis label, value that guessing gives), in the order of the page.
SCORES = {
    "song_rmse": ("RMSE, mean over songs", "RMSE, mean over songs", None),
    "song_pearson_r": ("Pearson r, mean over songs", "Pearson r, mean over songs (−1–1)", 0.0),
    "song_ccc": ("Concordance, mean over songs", "Concordance, mean over songs (−1–1)", 0.0),
    "rmse": ("RMSE, all ratings pooled", "RMSE, pooled", None),
    "pearson_r": ("Pearson r, all ratings pooled", "Pearson r, pooled (−1–1)", 0.0),
    "ccc": ("Concordance, all ratings pooled", "Concordance, pooled (−1–1)", 0.0),
    "r2": ("R², all ratings pooled", "R², pooled (at most 1)", 0.0),
}
_SONGS_SHOWN = 4
_RESAMPLES = 1000

Spans = Mapping[str, list[float] | None]


def subtitle(run: DynamicRun) -> str:
    """The data set and the split in a line."""
    facts = run.facts
    return (
        f"{facts['data']['name']}, {' and '.join(run.names)} over time, {len(np.unique(run.clips)):,} test songs with "
        f"{len(run.clips):,} ratings, {run_facts.split_name(facts)}, seed {facts['seed']}"
    )


def intervals(run: DynamicRun) -> Spans:
    """Percentile bootstrap interval of each score, resampling groups; None where it cannot be told."""
    if len(np.unique(run.groups)) < 2:
        return dict.fromkeys(SCORES)
    part = SongPart.of(run.targets, run.predictions, run.clips, run.groups)
    drawn = dynamic_scores.replicates([part], num_resamples=_RESAMPLES)
    return {key: statistics.percentiles(drawn[key]) for key in SCORES}


def score_rows(run: DynamicRun, spans: Spans) -> list[list[str]]:
    """Rows of name, validation, test, interval."""
    rows = []
    for key, (name, _, _) in SCORES.items():
        values = [run_facts.number(run.scores.get(part, {}).get(key)) for part in ("validation", "test")]
        span = spans[key]
        rows.append([name, *values, f"{span[0]:.3f}–{span[1]:.3f}" if span else ""])
    return rows


def target_rows(run: DynamicRun) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the scores of valence and of arousal on the test part."""
    header = ["Score", *run.names]
    found = run.scores["test"]["per_target"]
    rows = [
        [name, *(run_facts.number(found[target][key]) for target in run.names)]
        for key, (name, _, _) in SCORES.items()
    ]
    return header, rows


@dataclass(frozen=True, kw_only=True)
class DynamicSections(RunSections):
    """The sections of the page of one run.

    Attributes:
        run: the run.
        spans: :func:`intervals` of its test scores.
    """

    run: DynamicRun
    spans: Spans

    def headline(self) -> None:
        """Scores of the test part, large, then of both parts, then of valence and arousal apart."""
        rows = score_rows(self.run, self.spans)
        tiles = [(name, value, f"95 %: {span}" if span else "test part") for name, _, value, span in rows]
        table = self.page.table(
            "Scores on validation and test part, means of valence and arousal",
            ["Score", "Validation", "Test", "95 % interval (test)"],
            rows,
            align="lrrr",
        )
        header, each = target_rows(self.run)
        apart = self.page.table(
            "Valence and arousal of the test part", header, each, align="l" + "r" * (len(header) - 1)
        )
        scale = self.run.facts["data"].get("rating_range") or (-1, 1)
        note = (
            f"{len(np.unique(self.run.clips)):,} test songs of {len(np.unique(self.run.groups)):,} groups, on the scale "
            f"{scale[0]:g} to {scale[1]:g}. Mean over songs: within each song, then averaged; it asks for the course of a "
            "song. Pooled: over all ratings as one series, most of whose variance is between songs. A song whose ratings do "
            "not vary has no correlation and no concordance; a prediction that does not vary has 0. Intervals: percentile "
            f"bootstrap over groups, {_RESAMPLES:,} resamples: the spread over songs for this one trained model."
        )
        self.page.section(
            "Scores", html.tiles(tiles), html.gallery([table, apart]), html.paragraph(note, class_="note")
        )

    def training_curves(self) -> None:
        """Loss and scores by epoch."""
        self.training({"loss": ("Loss", "Loss", None)} | SCORES)

    def songs(self) -> None:
        """True and predicted courses of a few songs."""
        chosen = songs_to_show(self.run)
        caption = (
            f"Predicted and true courses of {len(chosen)} test songs: from the smallest error (RMSE) at the top to the largest "
            "at the bottom, the others between them."
        )
        figure = self.picture(
            "courses",
            lambda **look: courses(self.run, chosen, **look),
            alt=caption,
            caption=caption,
            wide=True,
        )
        self.page.section("Courses", html.gallery([figure]))


def songs_to_show(run: DynamicRun) -> list[int]:
    """A few songs, as rows of the data set, evenly spread from the smallest to the largest error."""
    clips = np.unique(run.clips)
    error = np.square(run.predictions - run.targets).mean(axis=1)
    ranked = clips[np.argsort([error[run.clips == clip].mean() for clip in clips], kind="stable")]
    places = np.unique(np.linspace(0, len(ranked) - 1, min(_SONGS_SHOWN, len(ranked))).round().astype(int))
    return ranked[places].tolist()


def courses(run: DynamicRun, clips: list[int], *, theme: Theme = LIGHT, note: str = "") -> bytes:
    """A row for each song, a column for each number."""
    figure = empty_figure(
        "True and predicted ratings over time",
        theme,
        note,
        height_in=0.6 + 1.5 * len(clips),
        width_in=WIDE_IN,
    )
    panels = figure.subplots(len(clips), len(run.names), squeeze=False, sharey="col")
    lines = []
    for row, clip in enumerate(clips):
        of_song = np.flatnonzero(run.clips == clip)
        of_song = of_song[np.argsort(run.times_s[of_song])]
        times_s, name = run.times_s[of_song], short(str(run.songs[of_song[0]]), 30)
        marker = "." if len(of_song) == 1 else None
        for column, target in enumerate(run.names):
            panel = panels[row, column]
            style(panel, theme)
            lines = [
                panel.plot(times_s, values[of_song, column], line, color=colour, label=label, marker=marker)[
                    0
                ]
                for values, line, colour, label in (
                    (run.targets, "-", theme.first, "true"),
                    (run.predictions, "--", theme.second, "predicted"),
                )
            ]
            panel.set_title(plain(f"{name}: {target}"), fontsize=9, color=theme.ink)
            if row + 1 == len(clips):
                panel.set_xlabel("Time (s)")
    outer_legend(figure, lines, theme, "upper right")
    return to_png(figure)

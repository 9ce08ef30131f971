"""Pictures of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import LIGHT, Theme, add_legend, figure_and_axes, plain, to_png
from mer_jax.sweep.halving import best_first
from mer_jax.training.loop import smaller_is_better

_OWN = 0


def courses(found: Mapping[str, Any], *, theme: Theme = LIGHT, note: str = "") -> bytes:
    """The validation score of every candidate after each of its epochs."""
    winner = found["winner"]["number"]
    name = plain(found["monitor"])
    figure, axes = figure_and_axes(f"Validation {name}", theme, note, height_in=3.6)
    rungs = found["rungs"]
    shades = colormaps["viridis"](np.linspace(0.25, 0.9, len(rungs)))
    labelled = set()
    longest = max(len(trial["course"]) for trial in found["candidates"])
    # Those that were taken furthest lie on top.
    for trial in sorted(
        found["candidates"], key=lambda trial: (trial["number"] == winner, len(trial["rungs"]))
    ):
        last = len(trial["rungs"]) - 1
        if trial["number"] == winner:
            kind, colour, width = "winner", theme.second, 2.2
        elif last == 0:
            kind, colour, width = "dropped at once", theme.muted, 0.8
        else:
            kind, colour, width = f"in rung {last + 1} of {len(rungs)}", to_hex(shades[last]), 1.2
        line = "-"
        if trial["number"] == _OWN:
            kind, line, width = f"{kind}, the settings given", "--", 1.8
        label = None if kind in labelled else kind
        labelled.add(kind)
        course = [np.nan if value is None else value for value in trial["course"]]
        axes.plot(range(1, len(course) + 1), course, line, color=colour, linewidth=width, label=label)
    for rung in rungs[:-1]:
        if rung["epochs"] < longest:
            axes.axvline(rung["epochs"] + 0.5, color=theme.grid, linewidth=1.4, zorder=0)
    axes.set_ylim(*_limits(found))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    add_legend(axes, theme)
    return to_png(figure)


def values(
    found: Mapping[str, Any],
    x: tuple[str, str],
    y: tuple[str, str],
    *,
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Where candidates lie, coloured by their rank after the first rung, the larger the further they were taken.

    Args:
        found: the record of a sweep.
        x: key and name of what stands on the horizontal axis.
        y: likewise on the vertical one.
        theme: colours.
        note: a warning for the heading.
    """
    trials = found["candidates"]
    figure, axes = figure_and_axes(f"{x[1]} and {y[1].lower()}", theme, note, height_in=3.6)
    first = [trial | {"score": trial["rungs"][0]["score"]} for trial in trials]
    ranked = best_first(first, found["monitor"])
    size = {trial["number"]: 18 + 26 * (len(trial["rungs"]) - 1) for trial in trials}
    points = axes.scatter(
        [trial[x[0]] for trial in ranked],
        [trial[y[0]] for trial in ranked],
        s=[size[trial["number"]] for trial in ranked],
        c=np.arange(1, len(ranked) + 1),
        cmap="viridis_r",
        zorder=2,
    )
    lost = [trial for trial in trials if trial["rungs"][0]["score"] is None]
    if lost:
        axes.scatter(
            [trial[x[0]] for trial in lost],
            [trial[y[0]] for trial in lost],
            marker="x",
            s=20,
            color=theme.muted,
            label="failed",
        )
    for number, label, colour in (
        (found["winner"]["number"], "winner", theme.second),
        (_OWN, "the settings given", theme.ink),
    ):
        axes.scatter(
            trials[number][x[0]],
            trials[number][y[0]],
            s=size[number] + 90,
            facecolors="none",
            edgecolors=colour,
            linewidths=1.8,
            label=label,
            zorder=3,
        )
    for name, scale in ((x[0], axes.set_xscale), (y[0], axes.set_yscale)):
        if name != "dropout":
            shown = [trial[name] for trial in trials]
            if min(shown) > 0:
                scale("log")
            elif max(shown) > 0:
                scale("symlog", linthresh=min(value for value in shown if value > 0))
    axes.set_xlabel(x[1])
    axes.set_ylabel(y[1])
    bar = figure.colorbar(points, ax=axes)
    bar.set_label("rank after the first rung", color=theme.ink, fontsize=9)
    bar.ax.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=8.5)
    add_legend(axes, theme)
    return to_png(figure)


def _limits(found: Mapping[str, Any]) -> tuple[float, float]:
    """A range that shows the better half of all scores, and all that the winner had: diverging ones may be anywhere."""
    drawn = [value for trial in found["candidates"] for value in trial["course"] if value is not None]
    scores = np.array(drawn)
    scores = scores[np.isfinite(scores)]
    low, high = np.percentile(scores, [0, 80] if smaller_is_better(found["monitor"]) else [20, 100])
    course: Sequence[float] = found["candidates"][found["winner"]["number"]]["course"]
    own = [value for value in course if value is not None]
    low, high = min(low, *own), max(high, *own)
    margin = 0.04 * (high - low) or 0.01
    return float(low - margin), float(high + margin)

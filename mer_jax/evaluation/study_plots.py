"""Pictures of a whole study: the scores of its cells side by side, and those of each target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mer_jax.evaluation.canvas import (
    FONT,
    LIGHT,
    WIDE_IN,
    Theme,
    class_colours,
    class_labels,
    empty_figure,
    outer_legend,
    plain,
    short,
    style,
    to_png,
)
from mer_jax.evaluation.study_folder import APPROACHES

# Colours of the approaches, each with a mark of its own: told apart with any colour vision and in grey print.
_COLOURS = class_colours([str(approach) for approach in APPROACHES])
_MARKS = {1: "o", 2: "s", 3: "^"}


@dataclass(frozen=True)
class Score:
    """A row of :func:`scores`.

    Attributes:
        name: of the cell.
        approach: 1, 2 or 3.
        values: metric -> (value, [low, high] or None); empty while the cell is not finished.
        missing: what to write in place of the values.
        chosen: whether its approach chooses it in some split.
    """

    name: str
    approach: int
    values: Mapping[str, tuple[float, list[float] | None]]
    missing: str = ""
    chosen: bool = False


def scores(
    rows: Sequence[Score],
    metrics: Mapping[str, tuple[str, float | None]],
    *,
    title: str,
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Scores of all cells with their intervals, a panel for each metric.

    Args:
        rows: from top to bottom.
        metrics: metric -> (label of the axis, value that guessing gives, or None).
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    left_in, right_in, above_in, below_in, gap_in = 2.6, 0.15, 0.5, 0.85, 0.25
    height_in = above_in + 0.27 * len(rows) + below_in
    figure = empty_figure(title, theme, note, height_in=height_in, width_in=WIDE_IN, constrained=False)
    width_in = (WIDE_IN - left_in - right_in - gap_in * (len(metrics) - 1)) / len(metrics)
    for number, (metric, (label, guessing)) in enumerate(metrics.items()):
        left = left_in + number * (width_in + gap_in)
        axes = figure.add_axes(
            (left / WIDE_IN, below_in / height_in, width_in / WIDE_IN, 0.27 * len(rows) / height_in)
        )
        style(axes, theme)
        if guessing is not None:
            axes.axvline(guessing, color=theme.muted, linewidth=1, linestyle="dotted", zorder=1)
        for position, row in enumerate(rows):
            _score(axes, number, position, row, metric, theme)
        axes.set_xlabel(label)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        names = [plain(short(row.name, 40)) if number == 0 else "" for row in rows]
        axes.set_yticks(np.arange(len(rows)), names)
        for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_fontweight("bold" if row.chosen else "normal")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
    outer_legend(figure, _legend({row.approach for row in rows}, theme), theme, "lower center")
    return to_png(figure)


def per_target(
    values: Mapping[int, Mapping[str, float | None]],
    spans: Mapping[int, Mapping[str, list[float] | None]],
    names: Sequence[str],
    *,
    label: str,
    guess: float | None,
    title: str,
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """The score of each target, a row a target, a mark an approach.

    Args:
        values: approach -> target -> value, None where undefined.
        spans: approach -> target -> [low, high] or None.
        names: of the targets, from top to bottom.
        label: of the axis.
        guess: what guessing gives, or None.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    row_in, above_in, below_in = 0.4, 0.5, 0.85
    height_in = above_in + row_in * len(names) + below_in
    figure = empty_figure(title, theme, note, height_in=height_in, constrained=False)
    axes = figure.add_axes((0.27, below_in / height_in, 0.7, row_in * len(names) / height_in))
    style(axes, theme)
    if guess is not None:
        axes.axvline(guess, color=theme.muted, linewidth=1, linestyle="dotted", zorder=1)
    for number, (approach, of_targets) in enumerate(values.items()):
        shift = 0.22 * (number - (len(values) - 1) / 2)
        colour, mark = _COLOURS[str(approach)], _MARKS[approach]
        for row, name in enumerate(names):
            value, span = of_targets[name], spans[approach][name]
            if value is None:
                continue
            if span is not None:
                axes.plot(span, [row + shift] * 2, color=colour, linewidth=1.6, solid_capstyle="round")
            axes.plot([value], [row + shift], mark, color=colour, markersize=5.5, linestyle="none")
    axes.set_yticks(np.arange(len(names)), class_labels(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    for edge in range(len(names) - 1):
        axes.axhline(edge + 0.5, color=theme.grid, linewidth=0.8, zorder=0)
    axes.set_xlabel(label)
    outer_legend(figure, _legend(set(values), theme), theme, "lower center")
    return to_png(figure)


def _legend(approaches: set[int], theme: Theme) -> list[Line2D]:
    marks = [
        Line2D([], [], color=_COLOURS[str(k)], marker=_MARKS[k], markersize=6.5, linestyle="none", label=name)
        for k, name in APPROACHES.items()
        if k in approaches
    ]
    return [*marks, Line2D([], [], color=theme.muted, linewidth=1, linestyle="dotted", label="guessing")]


def _score(axes: Axes, number: int, position: int, row: Score, metric: str, theme: Theme) -> None:
    colour, mark = _COLOURS[str(row.approach)], _MARKS[row.approach]
    if metric not in row.values:
        if number > 0:
            return  # said once, in the first panel
        axes.text(
            0.01,
            position,
            plain(row.missing),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            style="italic",
            color=theme.muted,
            fontfamily=FONT,
            bbox={"facecolor": theme.surface, "edgecolor": "none", "pad": 1},
        )
        return
    value, span = row.values[metric]
    if span is not None:
        axes.plot(span, [position, position], color=colour, linewidth=2, solid_capstyle="round", zorder=2)
    axes.plot(
        [value],
        [position],
        mark,
        color=colour,
        markeredgecolor=theme.ink if row.chosen else colour,
        markersize=8 if row.chosen else 6.5,
        linestyle="none",
        zorder=3,
    )

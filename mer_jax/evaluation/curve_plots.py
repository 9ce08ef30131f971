"""The training of many cells in small multiples.

A column is one set of axes in which the cells lie below one another, each in a band of its own: all have the same scale, and
a picture of twenty cells costs four sets of axes and not eighty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import (
    FONT,
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

_LEFT_IN, _RIGHT_IN, _ABOVE_IN, _BELOW_IN, _GAP_IN, _BAND_IN = 2.25, 0.12, 0.68, 0.48, 0.5, 0.78
_FILLED = 0.84  # of a band; the rest keeps cells apart
_DASHES = (0, (4, 1.5))

# Training that diverges would press all other curves flat.
_CUT_AT_GUESSING_TIMES = 2.0


@dataclass(frozen=True)
class Curves:
    """The training of one cell, one entry a split.

    Attributes:
        name: of the cell.
        epochs: (epochs,) their numbers.
        runs: part ("train", "validation") -> metric -> (epochs,) values, NaN where not recorded.
        best_epochs: which was kept; None where not recorded.
    """

    name: str
    epochs: Sequence[np.ndarray]
    runs: Sequence[Mapping[str, Mapping[str, np.ndarray]]]
    best_epochs: Sequence[int | None]


def curves(
    cells: Sequence[Curves],
    metrics: Mapping[str, tuple[str, float | None]],
    *,
    title: str,
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """A row for each cell, a column for each metric, a line for each split.

    Args:
        cells: from top to bottom.
        metrics: metric -> (label, value that guessing gives, or None).
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    height_in = _ABOVE_IN + _BAND_IN * len(cells) + _BELOW_IN
    figure = empty_figure(title, theme, note, height_in=height_in, width_in=WIDE_IN, constrained=False)
    width_in = (WIDE_IN - _LEFT_IN - _RIGHT_IN - _GAP_IN * (len(metrics) - 1)) / len(metrics)
    last = max(int(epochs[-1]) for cell in cells for epochs in cell.epochs)
    for column, (metric, (label, guessing)) in enumerate(metrics.items()):
        left = _LEFT_IN + column * (width_in + _GAP_IN)
        axes = figure.add_axes(
            (left / WIDE_IN, _BELOW_IN / height_in, width_in / WIDE_IN, _BAND_IN * len(cells) / height_in)
        )
        style(axes, theme)
        axes.set_title(label, fontsize=9, color=theme.ink, pad=5, fontfamily=FONT)
        axes.set_xlim(0.5, last + 0.5)
        axes.set_ylim(0, len(cells))
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        _column(axes, cells, metric, guessing, theme)
    for row, cell in enumerate(cells):
        middle = _BELOW_IN + _BAND_IN * (len(cells) - row - 1 + _FILLED / 2)
        figure.text(
            0.01,
            middle / height_in,
            _two_lines(cell.name),
            va="center",
            fontsize=8.5,
            color=theme.ink,
            fontfamily=FONT,
        )
    outer_legend(figure, _legend(theme), theme, "upper right")
    return to_png(figure)


def _column(axes: Axes, cells: Sequence[Curves], metric: str, guessing: float | None, theme: Theme) -> None:
    low, high = limits(cells, metric, guessing)
    values = [tick for tick in MaxNLocator(3).tick_values(low, high) if low <= tick <= high]
    ticks: list[float] = []
    for row, cell in enumerate(cells):
        bottom = len(cells) - row - 1
        scale = _FILLED / (high - low)
        ticks += [bottom + scale * (value - low) for value in values]
        axes.axhline(bottom, color=theme.muted, linewidth=0.8, zorder=1)
        if guessing is not None:
            guessed = bottom + scale * (guessing - low)
            axes.axhline(guessed, color=theme.muted, linewidth=1, linestyle="dotted", zorder=1)
        strength = max(0.25, len(cell.runs) ** -0.5)
        for run, epochs, best in zip(cell.runs, cell.epochs, cell.best_epochs, strict=True):
            for part, colour, line in (
                ("train", theme.first, _DASHES),
                ("validation", theme.second, "solid"),
            ):
                height = bottom + scale * (np.clip(run[part][metric], low, high) - low)
                axes.plot(
                    epochs,
                    height,
                    color=colour,
                    linestyle=line,
                    linewidth=1.4,
                    alpha=strength,
                    marker="o" if len(epochs) == 1 else None,
                    markersize=4,
                )
                if part == "validation" and best is not None and best in epochs:
                    kept = height[np.flatnonzero(epochs == best)]
                    axes.plot([best], kept, "s", color=colour, markersize=4.5)
    axes.set_yticks(ticks, [f"{value:.4g}" for value in values] * len(cells))
    axes.tick_params(labelsize=7.5, length=2, pad=2)


def _legend(theme: Theme) -> list[Line2D]:
    return [
        Line2D([], [], color=theme.first, linewidth=1.4, linestyle=_DASHES, label="train"),
        Line2D([], [], color=theme.second, linewidth=1.4, label="validation"),
        Line2D(
            [],
            [],
            color=theme.second,
            marker="s",
            markersize=4.5,
            linestyle="none",
            label="epoch that was kept",
        ),
        Line2D([], [], color=theme.muted, linewidth=1, linestyle="dotted", label="guessing"),
    ]


def limits(cells: Sequence[Curves], metric: str, guessing: float | None) -> tuple[float, float]:
    """From the smallest to the largest value of all cells; losses and errors end at twice what guessing gives."""
    found = np.concatenate([run[part][metric] for cell in cells for run in cell.runs for part in run])
    found = found[~np.isnan(found)] if guessing is None else np.append(found[~np.isnan(found)], guessing)
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    if guessing is not None and metric in ("loss", "brier", "rmse"):
        high = min(high, _CUT_AT_GUESSING_TIMES * guessing)
    margin = 0.04 * (high - low) or 0.05
    return low - margin, high + margin


def _two_lines(name: str) -> str:
    """A name broken at the space nearest to its middle where it is long."""
    name = short(name, 46)
    if len(name) <= 24 or " " not in name:
        return plain(short(name, 26))
    spaces = [k for k, character in enumerate(name) if character == " "]
    middle = min(spaces, key=lambda k: abs(k - len(name) / 2))
    return plain(short(name[:middle], 26)) + "\n" + plain(short(name[middle + 1 :], 26))

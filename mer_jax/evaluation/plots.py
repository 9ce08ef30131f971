"""The pictures of a report: one function a picture, arrays in, PNG bytes out.

Every function takes ``theme`` (:data:`LIGHT` or :data:`DARK`) and ``note`` (a warning such as "synthetic data",
written into the picture so that it survives being copied out of the report). Colour never carries a meaning
alone: it is repeated by text, mark or line style.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import (
    DARK,
    FONT,
    LIGHT,
    Theme,
    add_legend,
    class_colours,
    class_labels,
    empty_figure,
    figure_and_axes,
    plain,
    short,
    style,
    to_png,
)

__all__ = [
    "DARK",
    "LIGHT",
    "Theme",
    "class_colours",
    "curve",
    "data_distribution",
    "points",
    "reliability",
]


def data_distribution(
    counts: Mapping[str, Mapping[str, int]],
    classes: Sequence[str],
    *,
    title: str = "Clips of each class",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Bars of the number of clips of each class in each split.

    Args:
        counts: split -> class -> clips; a class that is not named has none.
        classes: names in the order of the labels.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    splits, colours = list(counts), class_colours(classes)
    figure, axes = figure_and_axes(
        title, theme, note, height_in=0.9 + 0.24 * len(classes) * (len(splits) + 0.6)
    )
    height = 0.84 / max(len(splits), 1)
    strength = np.linspace(1.0, 0.35, max(len(splits), 1))
    for i, split in enumerate(splits):
        values = [int(counts[split].get(name, 0)) for name in classes]
        where = np.arange(len(classes)) - 0.42 + (i + 0.5) * height
        bars = axes.barh(
            where,
            values,
            height * 0.9,
            color=[colours[name] for name in classes],
            alpha=strength[i],
            edgecolor=theme.muted,
            linewidth=0.4,
        )
        labels = [f"{plain(short(split))}  {value:,}" for value in values]
        axes.bar_label(bars, labels, padding=3, fontsize=7.5, color=theme.muted, fontfamily=FONT)
    axes.set_yticks(np.arange(len(classes)), class_labels(classes))
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.margins(x=0.28)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Number of clips")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return to_png(figure)


def curve(
    epochs: Sequence[int],
    series: Mapping[str, np.ndarray],
    *,
    label: str,
    best_epoch: int | None = None,
    chance: float | None = None,
    title: str = "",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """One score by epoch, a line for each part (or each cell of a study), the best epoch marked.

    Args:
        epochs: (epochs,) their numbers.
        series: "train", "validation" or any other name -> (epochs,) values, NaN where none was recorded.
        label: name and unit of the score, for the vertical axis.
        best_epoch: where to draw the mark; None for no mark.
        chance: value that guessing gives, drawn as a dotted line; None for no line.
        title: heading; the label where empty.
        theme: colours.
        note: warning to write into the picture.
    """
    figure, axes = figure_and_axes(title or label, theme, note, height_in=3.1)
    styles = {"train": (theme.first, (0, (4, 1.5)), "o"), "validation": (theme.second, "solid", "s")}
    colours = class_colours(list(series))
    for part, values in series.items():
        colour, line, marker = styles.get(part, (colours[part], "solid", "o"))
        axes.plot(
            epochs,
            values,
            color=colour,
            linestyle=line,
            linewidth=1.8,
            label=plain(part),
            marker=marker if len(epochs) <= 3 else None,
        )
        if best_epoch is not None:
            at_best = np.equal(epochs, best_epoch)
            axes.plot(np.compress(at_best, epochs), values[at_best], marker, color=colour, markersize=6)
    if best_epoch is not None:
        _mark_epoch(axes, best_epoch, late=best_epoch > (epochs[0] + epochs[-1]) / 2, theme=theme)
    if chance is not None:
        axes.axhline(chance, color=theme.muted, linewidth=1, linestyle="dotted", label="guessing")
    axes.set_xlabel("Epoch")
    axes.set_ylabel(label)
    axes.margins(y=0.14)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    add_legend(axes, theme)
    return to_png(figure)


def _mark_epoch(axes: Axes, epoch: int, *, late: bool, theme: Theme) -> None:
    axes.axvline(epoch, color=theme.muted, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1)
    axes.annotate(
        f"best epoch {epoch}",
        (epoch, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if late else 4, -10),
        textcoords="offset points",
        ha="right" if late else "left",
        fontsize=8,
        color=theme.muted,
        fontfamily=FONT,
    )


def reliability(
    bins: Mapping[str, np.ndarray],
    *,
    title: str = "Reliability",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Accuracy against confidence in each bin, above the number of clips in it.

    Args:
        bins: ``count``, ``confidence`` and ``accuracy``, each (bins,), of :func:`mer_jax.evaluation.scores.reliability`.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    figure = empty_figure(title, theme, note, height_in=4.6)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for part in (axes, below):
        style(part, theme)
    edges = np.linspace(0, 1, len(bins["count"]) + 1)
    centre, width = (edges[1:] + edges[:-1]) / 2, edges[1] * 0.94
    axes.bar(centre, np.nan_to_num(bins["accuracy"]), width, color=theme.first, alpha=0.8, label="accuracy")
    axes.plot(
        bins["confidence"],
        bins["accuracy"],
        "o",
        color=theme.second,
        markersize=4.5,
        label="mean of the bin",
    )
    axes.plot([0, 1], [0, 1], color=theme.ink, linewidth=1, linestyle="dashed", label="perfectly calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_ylabel("Accuracy")
    add_legend(axes, theme, loc="upper left")
    below.bar(centre, bins["count"], width, color=theme.muted)
    below.set_xlabel("Confidence (largest probability)")
    below.set_ylabel("Clips")
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    figure.align_ylabels()
    return to_png(figure)


def points(
    entries: Sequence[tuple[str, float, tuple[float, float] | None, bool]],
    *,
    label: str,
    title: str,
    legend: tuple[str, str],
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Figures of several origins on one axis, one a row: hollow marks for others', filled marks for ours.

    Args:
        entries: (name, value 0..1, (low, high) range or None, whether it is ours), from top to bottom.
        label: name and unit of the horizontal axis.
        title: heading of the picture.
        legend: what hollow and what filled marks are.
        theme: colours.
        note: warning to write into the picture.
    """
    figure, axes = figure_and_axes(title, theme, note, height_in=1.4 + 0.3 * len(entries))
    labelled: set[bool] = set()
    for row, (_, value, span, ours) in enumerate(entries):
        colour = theme.second if ours else theme.muted
        if span is not None:
            axes.plot(span, [row, row], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
        axes.plot(
            [value],
            [row],
            "s" if ours else "o",
            color=colour,
            markerfacecolor=colour if ours else theme.surface,
            markersize=7 if ours else 6,
            zorder=3,
            label=None if ours in labelled else legend[int(ours)],
        )
        labelled.add(ours)
    axes.set_yticks(np.arange(len(entries)), [plain(short(entry[0], 40)) for entry in entries])
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel(label)
    # Below the axes, where it cannot cover a mark.
    figure.legend(
        loc="outside lower center",
        ncols=2 if sum(map(len, legend)) < 75 else 1,
        labelcolor=theme.ink,
        frameon=False,
        prop=font_manager.FontProperties(family=FONT, size=8),
    )
    return to_png(figure)

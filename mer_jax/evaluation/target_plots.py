"""Pictures of numbers and tags: predictions against the truth, the score of each target, how targets are distributed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import (
    FONT,
    LIGHT,
    WIDE_IN,
    Theme,
    class_labels,
    empty_figure,
    outer_legend,
    plain,
    style,
    to_png,
)

_BINS = 12
_COLUMNS = 3
_LEGEND_IN = 0.14


def scatter(
    targets: np.ndarray,
    predictions: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "Predicted against true values",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Predicted against true values, a panel for each target.

    Args:
        targets: (clips, targets) true values.
        predictions: (clips, targets).
        names: of the targets.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    figure, panels = _grid(len(names), title, theme, note, row_in=2.6)
    for k, (panel, name) in enumerate(zip(panels, class_labels(names), strict=True)):
        true, found = targets[:, k], predictions[:, k]
        low, high = min(true.min(), found.min()), max(true.max(), found.max())
        panel.plot(
            [low, high], [low, high], color=theme.muted, linewidth=1, linestyle="dotted", label="equal"
        )
        size = 4 if len(true) < 1000 else 2
        panel.plot(true, found, ".", color=theme.first, markersize=size, alpha=0.6, label="clip")
        panel.set_title(name, fontsize=9, color=theme.ink, fontfamily=FONT)
        panel.set_xlabel("true")
        panel.set_ylabel("predicted")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.yaxis.set_major_locator(MaxNLocator(4))
    marks = [
        Line2D([], [], color=theme.first, marker=".", markersize=7, linestyle="none", label="clip"),
        Line2D([], [], color=theme.muted, linewidth=1, linestyle="dotted", label="equal"),
    ]
    outer_legend(figure, marks, theme, "upper right")
    return to_png(figure)


def distribution(
    values: Mapping[str, np.ndarray],
    names: Sequence[str],
    *,
    title: str = "Values of each target",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """The share of clips at each value, a panel for each target, a line for each part.

    Args:
        values: part -> (clips, targets).
        names: of the targets.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    figure, panels = _grid(len(names), title, theme, note, row_in=1.9)
    looks = _parts(list(values), theme)
    for k, (panel, name) in enumerate(zip(panels, class_labels(names), strict=True)):
        whole = np.concatenate([part[:, k] for part in values.values()])
        edges = np.histogram_bin_edges(whole, _BINS)
        for part, of_part in values.items():
            share = np.histogram(of_part[:, k], edges)[0] / max(len(of_part), 1)
            panel.stairs(share, edges, **looks[part])
        panel.set_title(name, fontsize=9, color=theme.ink, fontfamily=FONT)
        panel.set_ylim(bottom=0)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.yaxis.set_major_locator(MaxNLocator(3))
        if k % _COLUMNS == 0:
            panel.set_ylabel("Share of clips")
    marks = [Line2D([], [], label=f"{plain(part)} ({len(values[part]):,})", **looks[part]) for part in values]
    outer_legend(figure, marks, theme, "upper right")
    return to_png(figure)


def _parts(parts: Sequence[str], theme: Theme) -> dict[str, dict]:
    """Colour and line of each part: told apart without colour, too."""
    looks = (
        {"color": theme.first, "linestyle": "solid"},
        {"color": theme.second, "linestyle": (0, (4, 1.5))},
        {"color": theme.ink, "linestyle": (0, (1, 1.2))},
    )
    return {part: looks[number % 3] | {"linewidth": 1.5} for number, part in enumerate(parts)}


def _grid(count: int, title: str, theme: Theme, note: str, *, row_in: float) -> tuple:
    """A wide figure with a panel for each target."""
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    height_in = 0.5 + row_in * rows
    figure = empty_figure(title, theme, note, height_in=height_in, width_in=WIDE_IN)
    # The layout leaves room for the heading, but not for the legend beside it, which ends lower.
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - _LEGEND_IN / height_in))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[count:]:
        panel.set_visible(False)
    for panel in panels[:count]:
        style(panel, theme)
    return figure, panels[:count]

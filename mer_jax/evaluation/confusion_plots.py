"""Pictures of confusion matrices: one, or one for each cell of a study."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from mer_jax.evaluation.canvas import (
    FONT,
    LIGHT,
    WIDE_IN,
    Theme,
    class_labels,
    empty_figure,
    figure_and_axes,
    plain,
    short,
    style,
    to_png,
)

_COLUMNS = 4
_LEFT_IN, _ABOVE_IN, _BELOW_IN, _TITLE_IN, _GAP_IN = 1.15, 0.42, 0.68, 0.25, 0.15


def confusion(
    matrix: np.ndarray,
    classes: Sequence[str],
    *,
    normalise: bool,
    title: str = "",
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """Confusion matrix: rows are true classes, columns predictions.

    Args:
        matrix: (classes, classes) counts.
        classes: names in the order of the rows.
        normalise: show each row as shares of its clips (a row without clips stays empty) rather than counts.
        title: heading; a plain one where empty.
        theme: colours.
        note: warning to write into the picture.
    """
    heading = title or (
        "Confusion matrix, share of each true class" if normalise else "Confusion matrix, clips"
    )
    figure, axes = figure_and_axes(heading, theme, note, height_in=1.6 + 0.52 * len(classes))
    _draw(axes, matrix, normalise=normalise, theme=theme, fontsize=9)
    labels = class_labels(classes)
    turned = sum(map(len, labels)) > 45
    axes.set_xticks(
        np.arange(len(classes)), labels, rotation=35 if turned else 0, ha="right" if turned else "center"
    )
    axes.set_yticks(np.arange(len(classes)), labels)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    return to_png(figure)


def confusions(
    matrices: Mapping[str, np.ndarray],
    classes: Sequence[str],
    *,
    title: str,
    theme: Theme = LIGHT,
    note: str = "",
) -> bytes:
    """A confusion matrix for each cell of a study, as shares of each true class, four side by side.

    Args:
        matrices: name -> (classes, classes) counts; rows are true classes.
        classes: names in the order of the rows.
        title: heading of the picture.
        theme: colours.
        note: warning to write into the picture.
    """
    rows = -(-len(matrices) // _COLUMNS)
    side_in = (WIDE_IN - _LEFT_IN - _GAP_IN * _COLUMNS) / _COLUMNS
    panel_in = min(side_in, 0.5 + 0.27 * len(classes))
    row_in = _TITLE_IN + panel_in + _BELOW_IN  # turned labels below every panel
    height_in = _ABOVE_IN + rows * row_in
    figure = empty_figure(title, theme, note, height_in=height_in, width_in=WIDE_IN, constrained=False)
    labels = [short(label, 12) for label in class_labels(classes)]
    for number, (name, matrix) in enumerate(matrices.items()):
        row, column = divmod(number, _COLUMNS)
        left = _LEFT_IN + column * (side_in + _GAP_IN)
        top = height_in - _ABOVE_IN - row * row_in - _TITLE_IN
        axes = figure.add_axes(
            (left / WIDE_IN, (top - panel_in) / height_in, side_in / WIDE_IN, panel_in / height_in)
        )
        style(axes, theme)
        _draw(axes, matrix, normalise=True, theme=theme, fontsize=7.5 if len(classes) <= 8 else 0)
        axes.set_title(
            plain(short(name, 34)), loc="left", fontsize=8.5, color=theme.ink, pad=3, fontfamily=FONT
        )
        at = np.arange(len(classes))
        axes.set_yticks(at, labels if column == 0 else [""] * len(classes), fontsize=8)
        axes.set_xticks(at, labels, fontsize=8, rotation=35, ha="right", rotation_mode="anchor")
        axes.tick_params(length=0, pad=2)
    return to_png(figure)


def _draw(axes: Axes, matrix: np.ndarray, *, normalise: bool, theme: Theme, fontsize: float) -> None:
    """Shaded squares with their numbers; ``fontsize`` 0 leaves the numbers out."""
    counts = np.asarray(matrix, dtype=float)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full_like(counts, np.nan), where=support > 0)
    shown = shares if normalise else counts
    top = 1.0 if normalise else max(counts.max(), 1.0)
    shade = LinearSegmentedColormap.from_list("shade", [theme.surface, theme.first])
    axes.imshow(np.nan_to_num(shown), cmap=shade, vmin=0.0, vmax=top, aspect="auto")
    axes.grid(visible=False)
    if not fontsize:
        return
    for row, column in np.ndindex(shown.shape):
        value = shown[row, column]
        content = "–" if np.isnan(value) else f"{value:.2f}" if normalise else f"{value:,.0f}"
        # On the dark theme the full shade is light: the surface colour is what stands out there, as on the light one.
        colour = theme.surface if np.nan_to_num(value) > 0.6 * top else theme.ink
        axes.text(
            column, row, content, ha="center", va="center", color=colour, fontsize=fontsize, fontfamily=FONT
        )

"""Pictures of features: what a series or a spectrogram looks like for each class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import (
    FONT,
    LIGHT,
    Theme,
    class_colours,
    class_labels,
    drawable,
    empty_figure,
    plain,
    short,
    style,
    to_png,
)
from mer_jax.evaluation.examples import FeatureExample

_COLOUR_MAP = "magma"  # lightness rises with the value: readable without colour vision and in grey print
_LEFT_IN, _ABOVE_IN, _BELOW_IN = 0.82, 0.55, 0.48  # room for labels, heading and time axis


def feature_example(
    name: str, example: FeatureExample, classes: Sequence[str], *, theme: Theme = LIGHT, note: str = ""
) -> bytes:
    """One feature, a panel for each class below one another on one time axis and one scale of values.

    Args:
        name: of the feature.
        example: its values and axes.
        classes: all classes, in order, so that colours agree with the other pictures.
        theme: colours.
        note: warning to write into the picture.
    """
    shown = [label for label in classes if label in example.values]
    title = short(name, 48) if drawable(name) else "Feature"
    height_in = _ABOVE_IN + 0.95 * len(shown) + _BELOW_IN
    figure = empty_figure(title, theme, note, height_in=height_in, constrained=False)
    panels = _panels(figure, len(shown), right_in=0.12 if example.is_series else 0.95)
    # A title has the width of the panel.
    names, colours = dict(zip(classes, class_labels(classes, 40), strict=True)), class_colours(classes)
    low = min(float(np.min(example.values[label])) for label in shown)
    high = max(float(np.max(example.values[label])) for label in shown)
    scale = Normalize(low, high)
    for axes, label in zip(panels, shown, strict=True):
        style(axes, theme)
        axes.set_title(names[label], loc="left", fontsize=8.5, color=theme.ink, pad=2, fontfamily=FONT)
        if example.is_series:
            _series(axes, example, label, colours[label])
        else:
            _image(axes, example, label, scale)
    panels[-1].set_xlabel("Time (s)")
    if example.is_series:
        unit = f" ({example.unit})" if example.unit else ""
        figure.supylabel(plain(f"{title}{unit}"), x=0.01, fontsize=9, color=theme.ink, fontfamily=FONT)
    else:
        figure.supylabel(plain(example.bin_label), x=0.01, fontsize=9, color=theme.ink, fontfamily=FONT)
        _colour_bar(figure, panels, scale, example.unit or "Value", theme)
    return to_png(figure)


def _panels(figure: Figure, count: int, *, right_in: float) -> np.ndarray:
    """Axes below one another, placed by hand: the constrained layout measures every text, and costs as much as drawing."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=_LEFT_IN / width,
        right=1 - right_in / width,
        bottom=_BELOW_IN / height,
        top=1 - _ABOVE_IN / height,
        hspace=0.4,
    )
    return np.atleast_1d(figure.subplots(count, 1, sharex=True, sharey=True))


def _series(axes: Axes, example: FeatureExample, label: str, colour: str) -> None:
    values = np.asarray(example.values[label])
    axes.plot(np.arange(len(values)) / example.frame_rate_hz, values, color=colour, linewidth=1.2)
    axes.margins(x=0.0)
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _image(axes: Axes, example: FeatureExample, label: str, scale: Normalize) -> None:
    values = np.asarray(example.values[label])
    bins, frames = values.shape
    # Frame t covers half a hop to either side of its centre t / frame_rate.
    edges = ((-0.5 + np.array([0, frames])) / example.frame_rate_hz).tolist()
    axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        cmap=_COLOUR_MAP,
        norm=scale,
        interpolation="nearest",
        extent=(*edges, -0.5, bins - 0.5),
    )
    axes.grid(visible=False)
    axes.set_yticks(*_bin_ticks(np.asarray(example.bin_values)))


def _colour_bar(figure: Figure, panels: np.ndarray, scale: Normalize, label: str, theme: Theme) -> None:
    width, _ = figure.get_size_inches()
    top, bottom = panels[0].get_position().y1, panels[-1].get_position().y0
    axes = figure.add_axes((1 - 0.83 / width, bottom, 0.14 / width, top - bottom))
    bar = figure.colorbar(ScalarMappable(scale, _COLOUR_MAP), cax=axes)
    bar.set_label(plain(label), fontsize=8.5, color=theme.ink, fontfamily=FONT)
    axes.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=8, labelfontfamily=FONT)
    bar.outline.set_visible(False)


def _bin_ticks(bin_values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Four rows or so of a picture, labelled by what they stand for: right on a linear, log or mel axis alike."""
    rows = np.unique(np.linspace(0, len(bin_values) - 1, min(4, len(bin_values))).round().astype(int))
    if np.issubdtype(bin_values.dtype, np.number):
        return rows, [f"{bin_values[row]:,.0f}" for row in rows]
    return rows, [plain(str(bin_values[row])) for row in rows]

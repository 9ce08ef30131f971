"""The canvas that every picture of a report is drawn on: colours, fonts, names, and the way to PNG bytes.

Figures are drawn on Agg canvases of their own: no pyplot, no state shared between calls.
"""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import colormaps, font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from mer_jax.evaluation.html import printable

_DPI = 150
_WIDTH_IN = 5.6  # about the width of a column of the page, so that 9-point text stays readable on a phone
WIDE_IN = 11.2  # about the width of the page, for pictures that are not read on a phone
FONT = "DejaVu Sans"  # comes with matplotlib: pictures look the same everywhere

# Paul Tol's "bright" scheme (Tol 2021, SRON/EPS/TN/09-002), told apart with any colour vision and on both backgrounds.
_BRIGHT = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: background, text, secondary text, grid, two series, and the colour of our own result."""

    surface: str
    ink: str
    muted: str
    grid: str
    first: str
    second: str


LIGHT = Theme("#ffffff", "#1b1f24", "#5b6470", "#e3e6ea", "#0072B2", "#C65102")
DARK = Theme("#171b20", "#e4e7eb", "#9aa4b0", "#2c333b", "#56B4E9", "#F2A541")


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, the same in every picture of a report.

    Up to six classes have Tol's bright scheme; more are spread over viridis, which stays in order without colour vision.
    """
    if len(classes) <= len(_BRIGHT):
        return dict(zip(classes, _BRIGHT, strict=False))
    shades = colormaps["viridis"](np.linspace(0.2, 0.95, len(classes)))
    return {name: to_hex(shade) for name, shade in zip(classes, shades, strict=True)}


def class_labels(classes: Sequence[str], length: int = 18) -> list[str]:
    """Names as they appear in pictures, ready to be drawn.

    They are cut at ``length`` characters, numbered where the cut makes two of them alike, and read "class 3" where the font
    lacks a character of the name; the number is the row of the report's table of classes.
    """
    numbered = list(enumerate(classes, 1))
    labels = [short(name, length) if drawable(name) else f"class {number}" for number, name in numbered]
    return [
        plain(label if labels.count(label) == 1 else f"{number} {label}")
        for (number, _), label in zip(numbered, labels, strict=True)
    ]


def empty_figure(
    title: str,
    theme: Theme,
    note: str,
    *,
    height_in: float,
    width_in: float = _WIDTH_IN,
    constrained: bool = True,
) -> Figure:
    """A figure with its heading and without axes; ``constrained`` makes room for whatever text the axes get."""
    figure = Figure(
        figsize=(width_in, height_in),
        dpi=_DPI,
        facecolor=theme.surface,
        layout="constrained" if constrained else None,
    )
    heading = f"{title} – {note}" if note else title
    # As far below the edge in a tall picture as in a low one; the constrained layout places it by itself.
    place = {} if constrained else {"y": 1 - 0.12 / height_in}
    figure.suptitle(
        plain(heading),
        x=0.01,
        ha="left",
        fontsize=10.5,
        fontweight="bold",
        color=theme.ink,
        fontfamily=FONT,
        **place,
    )
    return figure


def figure_and_axes(title: str, theme: Theme, note: str, *, height_in: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes."""
    figure = empty_figure(title, theme, note, height_in=height_in)
    axes = figure.subplots()
    style(axes, theme)
    return figure, axes


def style(axes: Axes, theme: Theme) -> None:
    """Give axes the colours, fonts and grid that all pictures share."""
    axes.set_facecolor(theme.surface)
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.muted)
    axes.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=8.5, labelfontfamily=FONT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=theme.ink, fontsize=9, fontfamily=FONT)


def add_legend(axes: Axes, theme: Theme, loc: Literal["best", "upper left"] = "best") -> None:
    """Add a legend that stays readable on top of data."""
    font = font_manager.FontProperties(family=FONT, size=8)
    legend = axes.legend(
        prop=font, labelcolor=theme.ink, facecolor=theme.surface, edgecolor="none", framealpha=0.85
    )
    legend.set_loc(loc)
    legend.set_zorder(5)


def outer_legend(
    figure: Figure, handles: Sequence[Artist], theme: Theme, loc: Literal["lower center", "upper right"]
) -> None:
    """Add one legend for all panels of a figure, in a row outside them, where room has been left for it."""
    figure.legend(
        handles=handles,
        loc=loc,
        ncols=len(handles),
        labelcolor=theme.ink,
        frameon=False,
        prop=font_manager.FontProperties(family=FONT, size=8.5),
    )


@functools.cache
def _characters() -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(FONT)).get_charmap())


def drawable(name: str) -> bool:
    """Whether the font has every character of ``name``."""
    return all(ord(character) in _characters() for character in printable(name))


def short(name: str, length: int = 18) -> str:
    """``name`` cut to ``length`` characters."""
    return name if len(name) <= length else name[: length - 1] + "…"


def plain(name: str) -> str:
    """Text that matplotlib draws as it stands: characters the font lacks become U+FFFD, a dollar sign opens no formula."""
    shown = (character if ord(character) in _characters() else "�" for character in printable(name))
    return "".join(shown).replace("$", r"\$")


def to_png(figure: Figure) -> bytes:
    """Render as PNG; the same figure gives the same bytes.

    The canvas is drawn once and stored with a palette of 256 colours: half the time and a third of the size of
    ``Figure.savefig``, which draws twice, and a report embeds every picture twice.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, format="png", optimize=True)
    return buffer.getvalue()
